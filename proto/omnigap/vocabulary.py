"""The words of omnigap, each defined once: modalities, conditions, architecture types, outcomes, flags, reasons.

Also what two sides must agree on about texts: the letters of choices, and the language of a tag.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Modality(StrEnum):
    TEXT = "text"
    SPEECH = "speech"
    IMAGE = "image"

    @property
    def letter(self) -> str:
        """The first letter, as condition names use it: t, s or i."""
        return self.value[0]


@dataclass(frozen=True, slots=True, order=True)
class Condition:
    """One cell of the 3 x 2 design: what the question comes as, and what the answer must be."""

    input: Modality
    output: Modality

    def __post_init__(self) -> None:
        if self.output is Modality.IMAGE:
            raise ValueError("an image is no answer form: the output of a condition is text or speech")

    @property
    def name(self) -> str:
        """`t2t`, `s2t`, `i2t`, `t2s`, `s2s` or `i2s`."""
        return f"{self.input.letter}2{self.output.letter}"

    def __str__(self) -> str:
        return self.name

    @classmethod
    def parse(cls, name: str) -> Condition:
        """Reads a condition's name.

        Raises:
            ValueError: for anything but the six names.
        """
        for condition in CONDITIONS:
            if condition.name == name:
                return condition
        raise ValueError(f"unknown condition {name!r}: one of {', '.join(c.name for c in CONDITIONS)}")


INPUTS = (Modality.TEXT, Modality.SPEECH, Modality.IMAGE)
OUTPUTS = (Modality.TEXT, Modality.SPEECH)
CONDITIONS = tuple(Condition(i, o) for o in OUTPUTS for i in INPUTS)
"""All six, text answers first: t2t s2t i2t t2s s2s i2s."""

REFERENCE = Condition(Modality.TEXT, Modality.TEXT)
"""`t2t`, against which every gap is measured."""


class Support(StrEnum):
    NATIVE = "native"
    ASSISTED = "assisted"
    UNSUPPORTED = "unsupported"


class Architecture(StrEnum):
    NATIVE_OMNI = "native_omni"
    MOE = "moe"
    DIFFUSION_HYBRID = "diffusion_hybrid"
    DISCRETE_TOKEN = "discrete_token"
    ENCODER_DECODER = "encoder_decoder"
    CASCADE = "cascade"


class AnswerType(StrEnum):
    """What kind of thing a gold answer is; it chooses the metric."""

    ENTITY = "entity"
    NUMBER = "number"
    DATE = "date"
    PHRASE = "phrase"
    WORD = "word"
    LETTER = "letter"
    LABEL = "label"
    OPEN = "open"


CHOICE_LETTERS = "ABCDEFGH"
"""The letters of the choices of a question, in their order; no question has more choices."""


def primary_language(tag: str) -> str:
    """The primary language of a BCP-47 tag in lower case: "en" of "en-US"; "_" separates as "-" does."""
    return tag.replace("_", "-").partition("-")[0].lower()


class Control(StrEnum):
    """Cells that are asked beside the six conditions, to say where a gap arises and how far its scores can be trusted.

    - two-pass: the model writes down what it hears or reads, then answers its own transcript, typed.
    - blank: the carrier holds nothing; what is right then was guessed, or leaked.
    - repeat: the cell is asked once more.
    """

    TWO_PASS = "two-pass"
    BLANK = "blank"
    REPEAT = "repeat"


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    REFUSED = "refused"


class Outcome(StrEnum):
    """What became of a planned cell."""

    ANSWERED = "answered"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"
    PENDING = "pending"


class Flag(StrEnum):
    """How an answered cell is bad; a flagged answer is still scored as it was heard."""

    SILENT = "silent"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    UNPARSABLE = "unparsable"
    WRONG_LANGUAGE = "wrong_language"
    SUSPECT_TRANSCRIPT = "suspect_transcript"


class Reason(StrEnum):
    """Stable reasons of errors, sent as google.rpc.ErrorInfo.reason under `ERROR_DOMAIN`."""

    BUSY = "BUSY"
    DRAINING = "DRAINING"
    NOT_READY = "NOT_READY"
    TOO_LARGE = "TOO_LARGE"
    BAD_MEDIA = "BAD_MEDIA"
    BAD_REQUEST = "BAD_REQUEST"
    UNSUPPORTED_CONDITION = "UNSUPPORTED_CONDITION"
    DIGEST_MISMATCH = "DIGEST_MISMATCH"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    RATE_LIMITED = "RATE_LIMITED"
    UPSTREAM_UNAVAILABLE = "UPSTREAM_UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    CANCELLED = "CANCELLED"
    MODEL_ERROR = "MODEL_ERROR"
    # Set by the caller's side, when the server could not say what happened.
    TRANSPORT = "TRANSPORT"
    INCOMPLETE_STREAM = "INCOMPLETE_STREAM"


ERROR_DOMAIN = "omnigap.v1"
