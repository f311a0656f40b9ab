"""The type of the fixture `through`."""

from __future__ import annotations

from collections.abc import Callable

from tests.helpers.serve_process import Served

Through = Callable[..., Served]
"""Starts the service in front of the chat server, with the test's options."""
