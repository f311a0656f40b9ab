"""Answers in other languages are scored by what they assert."""

from __future__ import annotations

import pytest

from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.scoring import score
from tests.orchestrator.scoring.reading.languages import pairs, pairs_korean


@pytest.mark.parametrize(
    "pair", [*pairs.PAIRS, *pairs_korean.PAIRS], ids=lambda pair: f"{pair[0]}-{pair[1]}-{pair[5]}-{pair[2]}"
)
def test_judged_answer(pair: pairs.Pair) -> None:
    language, answer_type, gold, choices, question, text, right = pair
    item = Item("i", "t", language, question, (gold,), answer_type, choices)
    assert score(item, text).score == right
