"""The built-in Korean items: schema, ids, balance, and gold answers that scoring accepts."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest

from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.items import Item, load_items
from omnigap_orchestrator.items.load import KOREAN_FAMILIES, builtin_folder
from omnigap_orchestrator.scoring import score, wrong_language
from omnigap_orchestrator.scoring.normalise.korean_nouns import find_noun

Row = dict[str, Any]

ROWS: list[Row] = [
    json.loads(line)
    for family in KOREAN_FAMILIES
    for line in (builtin_folder() / f"{family}.jsonl").read_text(encoding="utf-8").splitlines()
]
ITEMS = load_items("builtin-ko")
LETTERED = [item for item in ITEMS if item.answer_type is AnswerType.LETTER]


def test_number_of_korean_items_and_families() -> None:
    assert len(ITEMS) == len(ROWS) >= 60
    assert min(Counter(item.task for item in ITEMS).values()) >= 10
    assert len({item.task for item in ITEMS}) == 6
    assert len({item.id for item in ITEMS}) == len({item.question for item in ITEMS}) == len(ITEMS)


def test_korean_rows_have_the_keys_of_the_schema_and_a_source() -> None:
    needed = {"id", "task", "language", "question", "instruction", "answers", "answer_type", "source"}
    for row in ROWS:
        assert needed <= set(row) <= needed | {"choices", "cluster"}, row["id"]
        assert row["language"] == "ko"
        assert row["source"] == "omnigap: written from common knowledge"
        assert row["id"].startswith("ko-")


def test_questions_and_instructions_are_korean_sentences() -> None:
    for item in ITEMS:
        assert re.fullmatch(r"[가-힣 ]+\?", item.question), item.id
        assert re.fullmatch(r"[가-힣 ]+\.", item.instruction), item.id
        assert not any(wrong_language(choice, "ko") for choice in item.choices), item.id


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.id)
def test_korean_gold_answers_score_one(item: Item) -> None:
    for answer in item.answers:
        ending = "이에요." if answer[-1] in "년일" else "입니다."
        for answer_text in (answer, f"{answer}{ending}", f"정답은 {answer} {ending}"):
            assert score(item, answer_text).score == 1, answer_text


def test_answers_of_other_items_score_zero() -> None:
    for item in ITEMS:
        if item.answer_type is AnswerType.LETTER:
            continue
        others = [o for o in ITEMS if o.answer_type is item.answer_type and not set(o.answers) & set(item.answers)]
        assert all(score(item, other.answers[0]).score == 0 for other in others), item.id


def test_korean_questions_do_not_contain_their_answers() -> None:
    for item in ITEMS:
        if item.answer_type is not AnswerType.LETTER:
            assert not any(find_noun(item.question, answer) for answer in item.answers), item.id


def test_korean_letters_are_balanced_and_choices_differ() -> None:
    counts = Counter(item.answers[0] for item in LETTERED)
    assert set(counts) == set("ABCD")
    assert len(set(counts.values())) == 1
    assert all(len(set(item.choices)) == 4 for item in LETTERED)
