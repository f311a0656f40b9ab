"""Answers of a real small model, read by two readers: how often our score agrees with them (see smollm2/README.md)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from omnigap.vocabulary import Modality
from omnigap_orchestrator.items import Item, load_items
from omnigap_orchestrator.scoring import score
from omnigap_orchestrator.scoring.score import default_metric

FOLDER = Path(__file__).parent / "smollm2"
LEAST = 0.97
UNSURE = "unsure"
ITEMS = {item.id: item for item in load_items("builtin")}


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


HEAD, *ANSWERS = rows("answers.jsonl")
VERDICTS = {row["id"]: (row["first"], row["second"]) for row in rows("verdicts.jsonl")}


def prompt_of(item: Item) -> str:
    carrier = item.carriers[Modality.TEXT].text if Modality.TEXT in item.carriers else item.typed
    return hashlib.sha256(f"{carrier}\n{item.instruction}".encode()).hexdigest()[:16]


def ours() -> dict[str, str]:
    """Our verdict on each text that was read, by its id."""
    found = {}
    for row in ANSWERS:
        item = ITEMS[row["item"]]
        for kind, name in row.get("read", {}).items():
            found[name] = "right" if score(item, row[kind], default_metric(item)).score == 1 else "wrong"
    return found


OURS = ours()


def test_the_fixture_holds_a_whole_run_and_the_items_as_they_were_asked() -> None:
    assert HEAD["licence"] == "Apache-2.0" and len(HEAD["sha256"]) == 64
    assert {row["item"] for row in ANSWERS} == set(ITEMS)
    assert [row["item"] for row in ANSWERS if row["prompt"] != prompt_of(ITEMS[row["item"]])] == []
    assert set(OURS) == set(VERDICTS) and len(VERDICTS) >= 200
    assert {verdict for pair in VERDICTS.values() for verdict in pair} == {"right", "wrong", UNSURE}


@pytest.mark.parametrize("reader", [0, 1])
def test_our_score_agrees_with_each_reader_where_it_is_sure(reader: int) -> None:
    sure = {name: pair[reader] for name, pair in VERDICTS.items() if pair[reader] != UNSURE}
    agreed = sum(OURS[name] == verdict for name, verdict in sure.items())
    assert len(sure) >= 200 and agreed / len(sure) >= LEAST, f"{agreed} of {len(sure)}"


def test_our_score_agrees_with_both_where_they_agree() -> None:
    """Rows on which a reader was unsure, or the two differ, are not counted; the file of disagreements has them."""
    both = {name: first for name, (first, second) in VERDICTS.items() if first == second != UNSURE}
    agreed = sum(OURS[name] == verdict for name, verdict in both.items())
    assert len(both) >= 200 and agreed / len(both) >= LEAST, f"{agreed} of {len(both)}"


def test_every_disagreement_is_listed_with_an_argument() -> None:
    listed = {row["id"]: row for row in rows("disagreements.jsonl")}
    assert set(listed) == {name for name, pair in VERDICTS.items() if set(pair) != {OURS[name]}}
    for name, row in listed.items():
        assert row["why"] and row["score"] == (OURS[name] == "right")
        assert tuple(row[reader].split(" ", 1)[0] for reader in ("first", "second")) == VERDICTS[name]
