"""Tests of the texts of a calibration: gold answers, distractors and confusables."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import pytest

from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.config import load_config
from omnigap_orchestrator.extras.asr_correction.confusables import (
    CalibrationError,
    ClipKind,
    confusable_numbers,
    distance,
    nearest,
    rhyming_letters,
    utterances,
)
from omnigap_orchestrator.items import Item, load_items
from omnigap_orchestrator.scoring import MetricRules, score


def item(name: str, answer: str, answer_type: AnswerType = AnswerType.ENTITY, **fields: object) -> Item:
    values: dict[str, object] = {"task": "t", "language": "en", "question": f"Which is {name}?", "choices": ()}
    return Item(id=name, answers=(answer,), answer_type=answer_type, **{**values, **fields})  # type: ignore[arg-type]


CITIES = tuple(item(name, name) for name in ("Paris", "Lisbon", "London", "Oslo", "Berlin"))


def of(items: tuple[Item, ...], name: str, clip_kind: ClipKind) -> str | None:
    return next((u.truth for u in utterances(items).utterances if u.item.id == name and u.clip_kind is clip_kind), None)


def test_as_text_gold_answers_are_right_and_the_others_wrong() -> None:
    found = utterances(load_items(load_config(None, {}).items)).utterances
    assert len(found) > 500
    for utterance in found:
        wanted = 1.0 if utterance.clip_kind is ClipKind.GOLD else 0.0
        assert score(utterance.item, utterance.spoken, utterance.metric).score == wanted, utterance


def test_each_item_has_one_clip_of_each_kind() -> None:
    for _, group in groupby(utterances(CITIES).utterances, key=lambda u: u.item.id):
        kinds = Counter(u.clip_kind for u in group)
        assert kinds[ClipKind.GOLD] == kinds[ClipKind.DISTRACTOR] == 1
        assert kinds[ClipKind.CONFUSABLE] <= 1


def test_the_order_of_items_does_not_matter() -> None:
    assert utterances(CITIES) == utterances(tuple(reversed(CITIES)))


def test_confusable_numbers() -> None:
    assert confusable_numbers("13")[0] == "30"
    assert confusable_numbers("30")[0] == "13"
    assert confusable_numbers("1915")[0] == "1950"
    assert "9" in confusable_numbers("5")
    assert confusable_numbers("no digits") == []
    assert all(int(text.split()[1]) <= 31 for text in confusable_numbers("October 31"))


def test_confusable_letters_rhyme() -> None:
    assert set(rhyming_letters("B")) == set("CDEGPTVZ")
    assert "O" not in rhyming_letters("A")
    question = item("q", "B", AnswerType.LETTER, choices=("one", "two", "three", "four"))
    assert of((question,), "q", ClipKind.CONFUSABLE) in {"C", "D"}
    assert of((question,), "q", ClipKind.DISTRACTOR) in {"A", "C", "D"}


def test_confusable_names_are_nearest_in_sound() -> None:
    assert distance("London", "Lisbon") < distance("London", "Paris")
    assert nearest("phone", ["foam", "table"]) == ["foam"]
    assert distance("night", "knight") == 0
    assert of(CITIES, "London", ClipKind.CONFUSABLE) == "Lisbon"


def test_korean_is_compared_by_jamo_and_letters_get_no_english_word() -> None:
    assert distance("강아지", "망아지") < 0.2 < distance("강아지", "병아리") < distance("강아지", "한글")
    question = item("q", "B", AnswerType.LETTER, choices=("하나", "둘"), language="ko")
    assert [u.spoken for u in utterances((question,)).utterances if u.clip_kind is ClipKind.GOLD] == ["B"]


def test_a_candidate_that_counts_as_right_is_skipped() -> None:
    rivers = (item("a", "Nile"), item("b", "Nile River"), item("c", "Rhine"))
    assert of(rivers, "a", ClipKind.DISTRACTOR) == "Rhine"


def test_a_letter_gets_a_word_and_a_template_applies_to_all() -> None:
    question = item("q", "B", AnswerType.LETTER, choices=("one", "two"))
    spoken = {u.clip_kind: u.spoken for u in utterances((question, *CITIES)).utterances if u.item is question}
    assert spoken[ClipKind.GOLD] == "Option B."
    templated = utterances(CITIES, template="The answer is {answer}.").utterances
    assert all(u.spoken == f"The answer is {u.truth}." for u in templated)
    with pytest.raises(CalibrationError, match=r"--template 'It is' has no \{answer\}"):
        utterances(CITIES, template="It is")


def test_items_with_graded_metrics_are_left_out() -> None:
    essay = item("essay", "a long story", AnswerType.OPEN)
    with pytest.raises(CalibrationError, match="scored by f1"):
        utterances((essay,))
    chosen = utterances((essay, *CITIES))
    assert chosen.not_binary == 1
    assert all(u.item is not essay for u in chosen.utterances)
    judged = utterances(CITIES, MetricRules(tasks={"t": "exact"}))
    assert {u.metric for u in judged.utterances} == {"exact"}


def test_per_type_limits_the_items_of_each_type() -> None:
    numbers = tuple(item(str(n), str(n), AnswerType.NUMBER) for n in range(20, 30))
    golds = Counter(
        u.item.answer_type
        for u in utterances((*CITIES, *numbers), per_type=3).utterances
        if u.clip_kind is ClipKind.GOLD
    )
    assert golds == {AnswerType.ENTITY: 3, AnswerType.NUMBER: 3}


def test_a_template_that_makes_gold_answers_wrong_is_refused() -> None:
    letters = tuple(
        item(name, "B", AnswerType.LETTER, choices=("one", "two", "three"), task=name) for name in ("p", "q")
    )
    with pytest.raises(CalibrationError, match=r"no gold answer of 2 items counts as right.*--template"):
        utterances(letters, template="It is A or C, not {answer}{answer}.")
