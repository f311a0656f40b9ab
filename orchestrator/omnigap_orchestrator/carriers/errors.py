"""The errors of the carriers floor."""

from __future__ import annotations

from omnigap.errors import OmnigapError


class CarrierError(OmnigapError):
    """A text that can't be drawn or spoken, or a style that can't be used; the message names the configuration key."""


class StoreError(OmnigapError):
    """The media folder can't be written or read, or holds something else than its names say."""
