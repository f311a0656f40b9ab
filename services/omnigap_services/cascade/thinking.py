"""What a cascade needs of a brain, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from omnigap_services.adapter import Card, Completion, Part, Request, Turn
from omnigap_services.cascade.loudspeaker import Loudspeaker


@dataclass(frozen=True, slots=True)
class Thought:
    """An answer's own text, and how the answer ended."""

    text: str
    completion: Completion


class Brain(Protocol):
    """Answers questions. All methods may be called from many threads."""

    @property
    def card(self) -> Card:
        """Who it is and what it can do without help."""

    @property
    def part(self) -> Part | None:
        """As it stands among the cascade's parts; None where it is the cascade's own."""

    @property
    def nothing(self) -> str:
        """What it is asked where a sense found nothing to hear or read."""

    @property
    def knows_languages(self) -> bool:
        """Whether the question's language matters to it: then the senses and the voice are told it too."""

    def glance(self, request: Request) -> Thought | None:
        """What it can tell from a carrier without its words, not written yet; None for all else."""

    def think(self, turn: Turn, question: Request, out: Loudspeaker) -> Thought:
        """Answers: writes the own text into the turn as it comes, and speaks where `question.output` is speech.

        Raises:
            ContractError: where it cannot answer.
        """

    def close(self) -> None: ...
