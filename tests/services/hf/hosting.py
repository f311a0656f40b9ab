"""Types of the fixtures of this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from omnigap_services.adapter import Adapter
from tests.helpers.serve_process import Served

Build = Callable[[Path], Path]
Built = Callable[[Build], Path]
Host = Callable[[Adapter], Served]
