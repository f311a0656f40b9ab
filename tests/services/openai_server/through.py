"""What the fixture `through` is."""

from __future__ import annotations

from collections.abc import Callable

from served import Served

Through = Callable[..., Served]
"""Starts the service in front of the chat server, with options of the test's."""
