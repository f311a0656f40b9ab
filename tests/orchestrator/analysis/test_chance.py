"""Tests of the chance of items in a table."""

from __future__ import annotations

from omnigap_orchestrator.analysis.chance import item_chances
from tests.orchestrator.analysis.made_up_results import table


def test_chance_is_the_column_then_zero_for_free_answers_then_unknown() -> None:
    frame = table(
        [
            {"item_id": "choice", "chance": 0.25, "answer_type": "letter"},
            {"item_id": "number", "answer_type": "number"},
            {"item_id": "judged", "answer_type": "entity", "judge_digest": "abc"},
            {"item_id": "open", "answer_type": "open"},
            {"item_id": "nan", "answer_type": "letter", "chance": float("nan")},
        ]
    )
    assert item_chances(frame) == {"choice": 0.25, "number": 0.0}
    assert item_chances(frame.drop("answer_type", "chance")) == {}
    assert set(item_chances(frame, 0.5).values()) == {0.5}
