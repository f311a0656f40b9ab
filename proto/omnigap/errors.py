"""The errors of omnigap: one base for all of them, and the contract's own with its stable reason."""

from __future__ import annotations

from omnigap.vocabulary import Reason


class OmnigapError(Exception):
    """The base of every error of omnigap: its message says what is wrong and what to change.

    A command shows the message alone. Any other exception is a fault of the program and shows its traceback.
    """


class ContractError(OmnigapError):
    """Something in a request or an answer broke the contract.

    Attributes:
        reason: what kind of fault it is; stable, sent over the wire.
        message: what was wrong, with which value, and what to change.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


def first_error(error: BaseException) -> BaseException:
    """The first single error inside nested exception groups: what a person should read."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
