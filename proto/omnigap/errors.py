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


SHOWN_CHARS = 80
"""Characters of an answer's text in a message about it."""


def quoted(text: str, limit: int = SHOWN_CHARS) -> str:
    """A text of a service in quotes, for a message: cut after `limit` characters, unprintable ones escaped."""
    return repr(text[:limit]) + ("" if len(text) <= limit else "…")


def shown(text: str, limit: int) -> str:
    """As `quoted`, without quotes: for the message of a service. Line breaks and tabs become spaces."""
    cut = text[:limit]
    if not cut.isprintable():
        # Control and bidirectional characters could change what a terminal shows around them.
        cut = "".join(c if c.isprintable() else " " if c in "\n\r\t" else ascii(c)[1:-1] for c in cut)
    return cut if len(text) <= limit else f"{cut}…"


NO_AUDIO = "speech was requested, but the answer has no audio"
"""Beginning of the message of `no_audio`, by which a report recognises a model that never speaks."""


def no_audio(own_text: str) -> ContractError:
    """The error (MODEL_ERROR) of a speech answer without any audio, with the beginning of its text.

    Empty or silent audio is an answer; a model that refused needs no audio.
    """
    said = f"only the text {own_text[:SHOWN_CHARS]!r}" if own_text.strip() else "and no text either"
    return ContractError(Reason.MODEL_ERROR, f"{NO_AUDIO}, {said}")


def first_error(error: BaseException) -> BaseException:
    """Returns the first leaf of nested exception groups, which is the error to show to the user."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
