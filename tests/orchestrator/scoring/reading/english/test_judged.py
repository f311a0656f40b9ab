"""Answers with the score that a reader gives them: kinds that once were read otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from omnigap_orchestrator.score_text import score_text

_ROWS = [json.loads(line) for line in Path(__file__).with_name("judged.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row["text"][:40])
def test_score_agrees_with_the_judgement(row: dict[str, Any]) -> None:
    assert score_text(row).score == row["right"]
