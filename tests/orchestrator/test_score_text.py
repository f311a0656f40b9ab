"""Scores of answer texts outside a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.score_text import TextsError, score_text, score_texts
from omnigap_orchestrator.scoring import score

_ROWS = [
    {"text": "It is Bern.", "answers": ["Bern"], "answer_type": "entity", "id": 7},
    {"text": "A or B", "answers": ["B"], "answer_type": "letter", "choices": ["copper", "helium"]},
    {"text": None, "answers": 5, "answer_type": "number"},
    {"text": "So the answer is 5.", "answers": 5, "answer_type": "number", "question": "How many?"},
]


def test_rows_are_scored_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text("\n".join(map(json.dumps, _ROWS)) + "\n\n", encoding="utf-8")
    result = CliRunner().invoke(main, ["score-text", str(file), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.output) == [
        {"score": 1.0, "parsed": "bern", "step": "terse", "flags": []},
        {"score": 0.0, "parsed": None, "step": "terse", "flags": ["hedged", "unparsable"]},
        {"score": 0.0, "parsed": None, "step": "unparsable", "flags": ["unparsable"]},
        {"score": 1.0, "parsed": "5", "step": "final_statement", "flags": []},
    ]
    shown = CliRunner().invoke(main, ["score-text", "-"], input=file.read_text())
    assert shown.exit_code == 0 and "final_statement" in shown.output


def test_a_row_is_scored_as_in_a_run() -> None:
    row = {"text": "Copper, not gold", "answers": ["copper"], "answer_type": "word", "question": "Which metal?"}
    item = Item("1", "t", "en", "Which metal?", ("copper",), "word")  # type: ignore[arg-type]
    assert score_text(row).score == score(item, row["text"]).score == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "a", "answers": ["b"]}, "answer_type"),
        ({"text": "a", "answers": ["b"], "answer_type": "numbr"}, "'numbr'"),
        ({"answers": ["b"], "answer_type": "word"}, "text"),
        ({"text": "a", "answers": [], "answer_type": "word"}, "answers"),
        ({"text": "a", "answers": ["b"], "answer_type": "word", "metric": "bleu"}, "'bleu'"),
        ({"text": 1, "answers": ["b"], "answer_type": "word"}, "text"),
    ],
)
def test_a_faulty_row_is_named(row: dict[str, object], message: str) -> None:
    with pytest.raises(TextsError, match=message):
        score_text(row)


def test_every_faulty_line_is_named_and_nothing_is_printed(tmp_path: Path) -> None:
    with pytest.raises(TextsError, match=r"line 2: invalid JSON[\s\S]*line 4: write an object"):
        score_texts([json.dumps(_ROWS[0]), "{", "", "[]"])
    file = tmp_path / "answers.jsonl"
    file.write_text("{}\n")
    result = CliRunner().invoke(main, ["score-text", str(file), "--json"])
    assert result.exit_code == 1 and "line 1" in result.output
