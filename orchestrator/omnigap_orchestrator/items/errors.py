"""The one error of the items floor: what is wrong with which item, in which file, on which line."""

from __future__ import annotations

from omnigap.errors import OmnigapError

_SHOWN = 20


class ItemError(OmnigapError):
    """Items that can't be used.

    Attributes:
        faults: one sentence a fault, each naming its file and line or row; the message shows the first twenty.
    """

    def __init__(self, *faults: str) -> None:
        self.faults = faults
        lines = list(faults[:_SHOWN])
        if len(faults) > _SHOWN:
            lines.append(f"and {len(faults) - _SHOWN} more")
        super().__init__("\n".join(lines))
