"""Exact match in Korean: spacing and a final copula are ignored."""

from __future__ import annotations

from collections.abc import Sequence

from omnigap_orchestrator.scoring.metrics import NO_MATCH, Match
from omnigap_orchestrator.scoring.normalise.korean_nouns import strip_copula


def exact_korean(answer: str, golds: Sequence[str]) -> Match:
    """Scores 1 if the answer, without spaces and final copula, equals a gold answer."""
    said = strip_copula(answer)
    for gold in golds:
        if said and said == strip_copula(gold):
            return Match(1.0, gold)
    return NO_MATCH
