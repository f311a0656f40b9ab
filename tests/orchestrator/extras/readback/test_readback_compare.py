"""Comparison of readbacks: spaces and spelling are tolerated; numbers, names, choices and letters are not."""

from __future__ import annotations

import pytest

from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.carriers import spoken_text
from omnigap_orchestrator.extras.readback.compare import compare, key_pieces, names_of
from omnigap_orchestrator.items import Item

CHOICES = ("Berlin", "a plumber", "sea", "Munich")


def question(text: str, *choices: str, language: str = "en", answers: tuple[str, ...] = ("x",)) -> Item:
    kind = AnswerType.LETTER if choices else AnswerType.ENTITY
    return Item("i", "t", language, text, answers, kind, choices)


WHO = question("Who was born in Paris in 1969?")


def test_other_spelling_of_numbers_and_case_is_not_an_error() -> None:
    found = compare(WHO, WHO.question, "who was born in paris in nineteen sixty nine")
    assert (found.errors, found.gone, found.gap, found.missing) == (0, 0, 0, ())


@pytest.mark.parametrize("read", ["Whowas born inParis in 1969?", "Who was born in Par is in 1969?"])
def test_missing_or_additional_space_is_not_an_error(read: str) -> None:
    found = compare(WHO, WHO.question, read)
    assert (found.errors, found.missing) == (0, ())


@pytest.mark.parametrize(
    ("read", "missing"),
    [
        ("Who was born in Paris in 1959?", ("number 1969",)),
        ("Who was born in Perris in 1969?", ("name paris",)),
        ("Who was born?", ("number 1969", "name paris")),
    ],
)
def test_missing_number_or_name_is_reported(read: str, missing: tuple[str, ...]) -> None:
    assert compare(WHO, WHO.question, read).missing == missing


def test_number_must_occur_as_often_as_in_the_question() -> None:
    item = question("What is 7 plus 7?")
    assert compare(item, item.question, "what is 7 plus").missing == ("number 7",)
    assert compare(item, item.question, "what is seven plus seven").missing == ()


def test_missing_negation_is_reported() -> None:
    item = question("Which of these is not a mammal?")
    assert compare(item, item.question, "which of these is a mammal").missing == ("negation not",)


def test_misspelt_word_leaves_a_trace_and_a_missing_one_does_not() -> None:
    item = question("Which letter begins the word giraffe?")
    near = compare(item, item.question, "which letter begins the word giraff")
    assert (near.errors, near.gone) == (1, 0)
    cut = compare(item, item.question, "which letter")
    assert cut.gone == cut.gap == 3


def test_alternatives_of_the_question_are_key_pieces() -> None:
    item = question("Does shell or ring rhyme with bell?", answers=("shell",))
    assert compare(item, item.question, "does shell or rhyme with bell").missing == ("answer ring",)
    # A short word inside a longer one does not match.
    assert compare(item, item.question, "does shell or string rhyme with bell").missing == ("answer ring",)


MULTIPLE = question("Who mends pipes in 1 of these?", *CHOICES)


@pytest.mark.parametrize(
    "read",
    [
        "who mends pipes in one of these a berlin b a plumber c sea d munich",
        "Who mends pipes in 1 of these? A: Berlin. Bee: a plumber. See, sea. Dee, Munich.",
        "Whomends pipes in 1 of these?\nA.Berlin\nB.a plumber\nC. sea\nD. Munich",
    ],
)
def test_choices_and_letters_match_in_different_notations(read: str) -> None:
    found = compare(MULTIPLE, spoken_text(MULTIPLE), read)
    assert found.missing == ()
    assert found.word_error <= 0.2


@pytest.mark.parametrize(
    ("read", "missing"),
    [
        ("Who mends pipes in 1 of these? A: Berlin. B: a plumber. sea. D: Munich.", ("letter C",)),
        ("Who mends pipes in 1 of these? A: Berlin. B: a plumber. C: sea.", ("choice munich", "letter D")),
        ("Who mends pipes in 1 of these? Berlin. B: a plumber. C: sea. D: Munich.", ("letter A",)),
    ],
)
def test_missing_choice_or_letter_is_reported(read: str, missing: tuple[str, ...]) -> None:
    assert compare(MULTIPLE, spoken_text(MULTIPLE), read).missing == missing


def test_empty_readback_misses_everything() -> None:
    found = compare(WHO, WHO.question, "")
    assert found.word_error == 1
    assert found.gone == found.words


def test_names_are_capitalised_words_inside_a_sentence() -> None:
    text = "Who wrote Romeo and Juliet? Name the Author of The Big Apple. I do not."
    assert names_of(text) == ["Romeo", "Juliet", "Author", "The Big Apple"]


def test_article_of_a_title_is_not_a_key_piece() -> None:
    item = question("Who composed the opera The Magic Flute in the Big Apple?")
    assert compare(item, item.question, item.question).missing == ()
    assert compare(item, item.question, "who composed the opera the magic flute in bigapple").missing == ()
    assert compare(item, item.question, "who composed the opera the magic fruit in bigapple").missing == (
        "name magic flute",
    )


KOREAN = question("세종대왕은 몇 년에 태어나지 않았습니까? 1397년", language="ko")


def test_korean_is_compared_without_spaces() -> None:
    item = question("대한민국의 수도는 어디입니까?", language="ko")
    assert compare(item, item.question, "대한 민국의수도는 어디 입니까").errors == 0
    found = compare(item, item.question, "대한민국의 수도")
    assert found.words == 13
    assert found.gap == 6


def test_korean_numbers_negations_and_choices_are_key_pieces() -> None:
    kinds = {(key.kind.value, key.text) for key in key_pieces(KOREAN, KOREAN.question)}
    assert {("number", "1397"), ("negation", "않았습니까")} <= kinds
    item = question("물고기가 아닌 것은 무엇입니까?", "고래", "상어", language="ko")
    said = spoken_text(item)
    assert compare(item, said, "물고기가 아닌 것은 무엇입니까 에이 고래 비 상 어").missing == ()
    assert compare(item, said, "물고기인 것은 무엇입니까 A 고래 B 상어").missing == ("negation 아닌",)
