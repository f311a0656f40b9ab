"""What a calibration has said: gold answers that count, wrong ones that do not, and some that sound alike."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import pytest

from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.config import load_config
from omnigap_orchestrator.extras.asr_correction.confusables import (
    CalibrationError,
    ClipKind,
    distance,
    nearest,
    confusable_numbers,
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


def test_as_text_every_gold_answer_is_right_and_every_foil_wrong() -> None:
    said = utterances(load_items(load_config(None, {}).items)).utterances
    assert len(said) > 500
    for utterance in said:
        wanted = 1.0 if utterance.clip_kind is ClipKind.GOLD else 0.0
        assert score(utterance.item, utterance.spoken, utterance.metric).score == wanted, utterance


def test_each_item_has_one_gold_answer_and_at_most_one_foil_of_each_kind() -> None:
    for _, group in groupby(utterances(CITIES).utterances, key=lambda u: u.item.id):
        kinds = Counter(u.clip_kind for u in group)
        assert kinds[ClipKind.GOLD] == kinds[ClipKind.DISTRACTOR] == 1
        assert kinds[ClipKind.CONFUSABLE] <= 1


def test_the_same_items_give_the_same_foils_in_any_order() -> None:
    assert utterances(CITIES) == utterances(tuple(reversed(CITIES)))


def test_numbers_are_mistaken_for_their_neighbours_in_sound() -> None:
    assert confusable_numbers("13")[0] == "30"
    assert confusable_numbers("30")[0] == "13"
    assert confusable_numbers("1915")[0] == "1950"
    assert "9" in confusable_numbers("5")
    assert confusable_numbers("no digits") == []
    assert all(int(text.split()[1]) <= 31 for text in confusable_numbers("October 31"))


def test_letters_are_mistaken_for_letters_that_rhyme() -> None:
    assert set(rhyming_letters("B")) == set("CDEGPTVZ")
    assert "O" not in rhyming_letters("A")
    question = item("q", "B", AnswerType.LETTER, choices=("one", "two", "three", "four"))
    assert of((question,), "q", ClipKind.CONFUSABLE) in {"C", "D"}
    assert of((question,), "q", ClipKind.DISTRACTOR) in {"A", "C", "D"}


def test_names_are_mistaken_for_the_nearest_in_sound() -> None:
    assert distance("London", "Lisbon") < distance("London", "Paris")
    assert nearest("phone", ["foam", "table"]) == ["foam"]
    assert distance("night", "knight") == 0
    assert of(CITIES, "London", ClipKind.CONFUSABLE) == "Lisbon"


def test_korean_is_compared_by_its_letters_and_a_lone_letter_gets_no_english_word() -> None:
    assert distance("강아지", "망아지") < 0.2 < distance("강아지", "병아리") < distance("강아지", "한글")
    question = item("q", "B", AnswerType.LETTER, choices=("하나", "둘"), language="ko")
    assert [u.spoken for u in utterances((question,)).utterances if u.clip_kind is ClipKind.GOLD] == ["B"]


def test_a_foil_that_counts_as_right_is_passed_over() -> None:
    rivers = (item("a", "Nile"), item("b", "Nile River"), item("c", "Rhine"))
    assert of(rivers, "a", ClipKind.DISTRACTOR) == "Rhine"


def test_a_lone_letter_is_never_said_bare_and_a_carrier_sentence_is_used_for_all() -> None:
    question = item("q", "B", AnswerType.LETTER, choices=("one", "two"))
    spoken = {u.clip_kind: u.spoken for u in utterances((question, *CITIES)).utterances if u.item is question}
    assert spoken[ClipKind.GOLD] == "Option B."
    carried = utterances(CITIES, template="The answer is {answer}.").utterances
    assert all(u.spoken == f"The answer is {u.truth}." for u in carried)
    with pytest.raises(CalibrationError, match=r"--template 'It is' has no \{answer\}"):
        utterances(CITIES, template="It is")


def test_metrics_with_grades_are_refused_alone_and_left_out_among_others() -> None:
    essay = item("essay", "a long story", AnswerType.OPEN)
    with pytest.raises(CalibrationError, match="scored by f1, which is not binary"):
        utterances((essay,))
    chosen = utterances((essay, *CITIES))
    assert chosen.not_binary == 1
    assert all(u.item is not essay for u in chosen.utterances)
    judged = utterances(CITIES, MetricRules(tasks={"t": "exact"}))
    assert {u.metric for u in judged.utterances} == {"exact"}


def test_so_many_items_of_each_type_are_taken() -> None:
    numbers = tuple(item(str(n), str(n), AnswerType.NUMBER) for n in range(20, 30))
    golds = Counter(
        u.item.answer_type
        for u in utterances((*CITIES, *numbers), per_type=3).utterances
        if u.clip_kind is ClipKind.GOLD
    )
    assert golds == {AnswerType.ENTITY: 3, AnswerType.NUMBER: 3}


def test_a_sentence_that_no_gold_answer_counts_in_is_refused() -> None:
    letters = tuple(
        item(name, "B", AnswerType.LETTER, choices=("one", "two", "three"), task=name) for name in ("p", "q")
    )
    with pytest.raises(CalibrationError, match=r"no gold answer of 2 items counts as right.*--template"):
        utterances(letters, template="It is A or C, not {answer}{answer}.")
