"""What an error of a part means to whoever asked the cascade: the contract's reasons, with the part named."""

from __future__ import annotations

from dataclasses import dataclass

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason

# The part is not there, or not as it was: another try, here or later, may find it.
_AWAY = frozenset({Reason.TRANSPORT, Reason.NOT_READY, Reason.DRAINING, Reason.CANCELLED, Reason.UPSTREAM_UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class Place:
    """Which part it is.

    Attributes:
        title: in messages ("the TTS service").
        option: the cascade's option that holds its address.
    """

    title: str
    option: str
    address: str

    def __str__(self) -> str:
        return f"{self.title} at {self.address}"


BRAIN, EARS, READER, TTS = "brain", "ears", "reader", "tts"
TITLES = {BRAIN: "brain", EARS: "ASR service", READER: "OCR service", TTS: "TTS service"}
"""What the service behind each option is called."""

MUTE = "the {place} declares output_sample_rate_hz = 0, and so never speaks: set tts to a service that does"


def absent(place: Place, error: ContractError) -> ContractError:
    """Nothing, or nothing that keeps the contract, answers at the address when the cascade starts."""
    return ContractError(
        Reason.UPSTREAM_UNAVAILABLE,
        f"no {place.title} answers at {place.address} ({error.message}): start one there, wait longer (wait_s), or"
        f" set {place.option} to another HOST:PORT",
    )


def as_ours(place: Place, error: ContractError) -> ContractError:
    """The cascade's own error for one that a part ended a call with."""
    if error.reason is Reason.DIGEST_MISMATCH:
        text = f"the {place} has changed since this cascade started: restart the cascade"
        return ContractError(Reason.UPSTREAM_UNAVAILABLE, text)
    if error.reason in _AWAY:
        return ContractError(Reason.UPSTREAM_UNAVAILABLE, f"the {place} is away: {error.message}")
    if error.reason is Reason.UNSUPPORTED_CONDITION:
        # The cascade's card promised more than this part keeps: that is no fault of the caller's.
        return ContractError(Reason.MODEL_ERROR, f"the {place} does not do what it declared: {error.message}")
    if error.reason is Reason.DEADLINE_EXCEEDED:
        text = f"the {place} did not answer in time (timeout_s): {error.message}"
        return ContractError(Reason.DEADLINE_EXCEEDED, text)
    return ContractError(error.reason, f"the {place}: {error.message}")
