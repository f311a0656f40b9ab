"""One question of the benchmark, and what it may bring along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from omnigap.vocabulary import CHOICE_LETTERS, AnswerType, Modality


@dataclass(frozen=True, slots=True)
class OwnCarrier:
    """A carrier that comes with the item: text as it is, or the file or bytes of a recording or a picture."""

    text: str | None = None
    path: Path | None = None
    data: bytes | None = None
    mime_type: str = ""

    def read(self) -> bytes:
        """The medium's bytes.

        Raises:
            OSError: where the file cannot be read.
        """
        if self.data is not None:
            return self.data
        if self.path is not None:
            return self.path.read_bytes()
        return (self.text or "").encode()


@dataclass(frozen=True, slots=True)
class Check:
    """A verifiable instruction that the answer has to follow: IFEval's id, and its arguments as sorted JSON."""

    kind: str
    arguments: str = "{}"


@dataclass(frozen=True, slots=True)
class Item:
    """One question with its gold answers.

    Attributes:
        answers: the gold answer first, then its aliases; a choice's letter where there are choices; empty only where
            the metric needs none.
        instruction: typed, the same in all six conditions.
        carriers: what replaces the rendered carrier of a modality.
        cluster: what groups dependent items (passage, speaker); None: the item stands alone.
        metric: that scores it, instead of its answer type's; None: that one.
        checks: what the metrics of instruction following look at.
    """

    id: str
    task: str
    language: str
    question: str
    answers: tuple[str, ...]
    answer_type: AnswerType
    choices: tuple[str, ...] = ()
    instruction: str = ""
    carriers: Mapping[Modality, OwnCarrier] = field(default_factory=dict)
    source: str = ""
    cluster: str | None = None
    metric: str | None = None
    checks: tuple[Check, ...] = ()

    @property
    def typed(self) -> str:
        """Question and choices as one text: what the text carrier types and the image carrier shows."""
        lines = [
            self.question,
            *(f"{letter}. {choice}" for letter, choice in zip(CHOICE_LETTERS, self.choices, strict=False)),
        ]
        return "\n".join(lines)
