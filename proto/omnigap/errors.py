"""The one error of the contract: a stable reason, and a message that says what to change."""

from __future__ import annotations

from omnigap.vocabulary import Reason


class ContractError(Exception):
    """Something in a request or an answer broke the contract.

    Attributes:
        reason: what kind of fault it is; stable, sent over the wire.
        message: what was wrong, with which value, and what to change.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
