"""The error of a table that was made elsewhere."""

from __future__ import annotations

from omnigap.errors import OmnigapError


class TableError(OmnigapError):
    """A table cannot be read as results; the message names the file, the column and the flag that fixes it."""
