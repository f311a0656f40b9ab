"""The vocabulary of omnigap: modalities, conditions, architecture types, outcomes, flags and error reasons.

It also holds the two text conventions that orchestrator and services share: choice letters and language tags.
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
        """The first letter, as used in condition names: t, s or i."""
        return self.value[0]


@dataclass(frozen=True, slots=True, order=True)
class Condition:
    """One of the 3 x 2 conditions: the modality of the question and the modality of the answer."""

    input: Modality
    output: Modality

    def __post_init__(self) -> None:
        # A generated picture is not another form of the same answer, so it cannot be scored against the text answer.
        if self.output is Modality.IMAGE:
            raise ValueError("the output of a condition is text or speech, not image")

    @property
    def name(self) -> str:
        """`t2t`, `s2t`, `i2t`, `t2s`, `s2s` or `i2s`."""
        return f"{self.input.letter}2{self.output.letter}"

    def __str__(self) -> str:
        return self.name

    @classmethod
    def parse(cls, name: str) -> Condition:
        """Parses a condition name.

        Raises:
            ValueError: the name is not one of the six.
        """
        for condition in CONDITIONS:
            if condition.name == name:
                return condition
        raise ValueError(f"unknown condition {name!r}: one of {', '.join(c.name for c in CONDITIONS)}")


INPUTS = (Modality.TEXT, Modality.SPEECH, Modality.IMAGE)
OUTPUTS = (Modality.TEXT, Modality.SPEECH)
CONDITIONS = tuple(Condition(i, o) for o in OUTPUTS for i in INPUTS)
"""All six conditions, text answers first: t2t s2t i2t t2s s2s i2s."""

REFERENCE = Condition(Modality.TEXT, Modality.TEXT)
"""`t2t`, the reference of every gap."""


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
    """Type of a gold answer, which determines the default metric."""

    ENTITY = "entity"
    NUMBER = "number"
    DATE = "date"
    PHRASE = "phrase"
    WORD = "word"
    LETTER = "letter"
    LABEL = "label"
    OPEN = "open"


CHOICE_LETTERS = "ABCDEFGH"
"""Letters of a question's choices, in order; a question has at most eight choices."""


def primary_language(tag: str) -> str:
    """The primary language of a BCP-47 tag in lower case, such as "en" for "en-US"; "_" separates like "-"."""
    return tag.replace("_", "-").partition("-")[0].lower()


class Control(StrEnum):
    """Control cells beyond the six conditions, which locate a gap and show how reliable its scores are.

    - two-pass: the model first transcribes the spoken or shown question, then answers its own transcript as text.
    - blank: the carrier is empty, so a correct answer was guessed or leaked.
    - repeat: the same cell is run again, to measure how stable answers are.
    """

    TWO_PASS = "two-pass"
    BLANK = "blank"
    REPEAT = "repeat"


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    REFUSED = "refused"


class Outcome(StrEnum):
    """Result status of a planned cell."""

    ANSWERED = "answered"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"
    PENDING = "pending"


class Flag(StrEnum):
    """Problems of an answered cell; a flagged answer is still scored as it is."""

    SILENT = "silent"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    UNPARSABLE = "unparsable"
    HEDGED = "hedged"
    NEGATED = "negated"
    WRONG_LANGUAGE = "wrong_language"
    SUSPECT_TRANSCRIPT = "suspect_transcript"


class Reason(StrEnum):
    """Stable error reasons, sent as google.rpc.ErrorInfo.reason under `ERROR_DOMAIN`."""

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
    # The account has no credit or quota left: waiting within a run does not help.
    QUOTA_EXHAUSTED = "QUOTA_EXHAUSTED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    UPSTREAM_UNAVAILABLE = "UPSTREAM_UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    CANCELLED = "CANCELLED"
    MODEL_ERROR = "MODEL_ERROR"
    # Set by the client, when no error of the server arrived.
    TRANSPORT = "TRANSPORT"
    INCOMPLETE_STREAM = "INCOMPLETE_STREAM"


ERROR_DOMAIN = "omnigap.v1"
