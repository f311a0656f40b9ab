"""Lines that must never be in the training text: the evaluation lines and the questions of the built-in items."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from .verbalise import verbalise

__all__ = ["HeldOut"]

_HERE = Path(__file__).parent
_ITEMS = _HERE.parents[1] / "orchestrator/omnigap_orchestrator/items/builtin"
_CONTAINED_FROM = 3
"""Lines of fewer words are refused if they are the whole utterance; single words may occur in others."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Normalised lines: `whole` may not be an utterance, `inside` may not occur in one either."""

    whole: frozenset[str]
    inside: tuple[str, ...]

    @classmethod
    def load(cls, items: Path = _ITEMS) -> HeldOut:
        """The two evaluation files and, where they exist, the built-in items."""
        lines = [*_lines(_HERE / "eval_short.txt"), *_lines(_HERE / "eval_open.txt")]
        for path in sorted(items.glob("*.jsonl")):
            for row in map(json.loads, _lines(path)):
                question = row["question"]
                lines += [question, *(f"{question} {choice}" for choice in row.get("choices") or ())]
        return cls.of(lines)

    @classmethod
    def of(cls, lines: list[str]) -> HeldOut:
        """Normalises written lines."""
        normal = {words for line in lines if (words := verbalise(line))}
        return cls(frozenset(normal), tuple(sorted(w for w in normal if len(w.split()) >= _CONTAINED_FROM)))

    def touches(self, words: str) -> bool:
        """Whether the utterance equals a held-out line or contains one of three or more words."""
        if words in self.whole:
            return True
        padded = f" {words} "
        return any(f" {line} " in padded for line in self.inside if len(line) <= len(words))


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line.strip()]
