"""What a metric says of one answer."""

from __future__ import annotations

from dataclasses import dataclass

from omnigap.vocabulary import Flag


@dataclass(frozen=True, slots=True)
class Scored:
    """What an answer is worth.

    Attributes:
        score: in [0, 1].
        metric: the name of the metric that gave it, a key of `METRICS`.
        answer: the answer as it was compared, normalised.
        parsed: what was read from it: the chosen letter, the number, the label, the gold that it matched.
        flags: `refused` for a refusal or "I don't know", which scores 0 but where refusing is what is asked for;
            `unparsable` where the metric needs a letter, a number or a label and found none, or several.
    """

    score: float
    metric: str
    answer: str
    parsed: str | None = None
    flags: tuple[Flag, ...] = ()

    @property
    def comparable(self) -> str:
        """The answer in the form in which the answers to one item are compared: "three" and "3" are the same.

        The letter, number or label that was read from it; else its normalised words.
        """
        return self.parsed if self.parsed is not None and self.metric in _READS else self.answer


_READS = frozenset({"letter", "number", "label"})
"""Metrics whose `parsed` is what the answer itself says, and not the gold that it matched."""
