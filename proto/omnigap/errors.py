"""Base class of all omnigap errors, and the contract's error with its stable reason."""

from __future__ import annotations

from omnigap.vocabulary import Reason


class OmnigapError(Exception):
    """Base class of every omnigap error; the message says what is wrong and what to change.

    The command line prints only the message of an `OmnigapError`. Any other exception is a bug and shows its traceback.
    """


class ContractError(OmnigapError):
    """A request or a response that violates the contract.

    Attributes:
        reason: machine-readable reason; stable, and sent over the wire.
        message: what is wrong, with the value, and what to change.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


def first_error(error: BaseException) -> BaseException:
    """Returns the first leaf of nested exception groups, which is the error to show to the user."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
