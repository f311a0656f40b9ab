"""Exact match, containment, token F1 and labels on normalised text."""

import pytest

from omnigap_orchestrator.scoring.metrics import (
    MAX_ANSWER_WORDS,
    contains,
    exact_match,
    label_match,
    named,
    offered,
    token_f1,
)


def test_exact_match_takes_the_whole_answer() -> None:
    assert exact_match("paris", ("lyon", "paris")).score == 1
    assert exact_match("paris france", ("paris",)).score == 0
    assert exact_match("", ("", "paris")).score == 0


@pytest.mark.parametrize(
    "answer",
    [
        "paris",
        "it is paris",
        "capital of france is paris",
        "paris france",
        "not lyon but paris",
        "i think that it is paris of course",
    ],
)
def test_a_gold_inside_an_answer_counts(answer: str) -> None:
    assert contains(answer, ("paris",)).score == 1


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "parish",
        "comparison",
        "not paris",
        "it is not in paris",
        "never paris",
        "lyon rather than paris",
        "any city other than paris",
        "paris is wrong",
        "paris is not capital",
        "lyon",
    ],
)
def test_a_gold_that_is_cut_or_denied_does_not(answer: str) -> None:
    assert contains(answer, ("paris",)).score == 0


def test_a_denied_gold_that_is_stated_elsewhere_counts() -> None:
    assert contains("not paris in texas but paris in france", ("paris",)).score == 1
    assert contains("paris is not only capital but largest city", ("paris",)).score == 1


def test_a_gold_far_behind_in_a_long_answer_does_not_count() -> None:
    before = " ".join(["word"] * (MAX_ANSWER_WORDS - 1))
    assert contains(f"{before} paris", ("paris",)).score == 1
    assert contains(f"{before} word paris", ("paris",)).score == 0


@pytest.mark.parametrize(
    "answer", ["star or spoon", "spoon or star", "star and spoon", "spoon star", "it is star or spoon"]
)
def test_repeating_the_alternatives_of_the_question_is_no_answer(answer: str) -> None:
    assert offered("does star or spoon rhyme with moon") == ("star", "spoon")
    assert contains(answer, ("spoon",), foils=("star", "spoon")).score == 0


def test_naming_the_foil_only_to_deny_it_is_an_answer() -> None:
    assert contains("spoon rhymes with moon star does not", ("spoon",), foils=("star", "spoon")).score == 1


def test_an_alias_beside_the_gold_is_no_foil() -> None:
    assert contains("butterfly or moth", ("butterfly", "moth"), foils=("butterfly", "moth")).score == 1


@pytest.mark.parametrize(
    ("answer", "gold", "f1"),
    [
        ("paris", "paris", 1.0),
        ("city of paris", "paris", 0.5),
        ("new york", "new york city", 0.8),
        ("lyon", "paris", 0.0),
        ("", "paris", 0.0),
        ("paris paris", "paris", 2 / 3),
        ("b a", "a b", 1.0),
    ],
)
def test_token_f1_is_that_of_squad(answer: str, gold: str, f1: float) -> None:
    assert token_f1(answer, (gold,)).score == pytest.approx(f1)


def test_token_f1_is_the_best_over_the_aliases() -> None:
    match = token_f1("new york", ("big apple", "new york city", "new york"))
    assert (match.score, match.gold) == (1.0, "new york")


def test_f1_weighs_precision_and_recall_alike() -> None:
    assert token_f1("a b c d", ("a b",)).score == token_f1("a b", ("a b c d",)).score


LABELS = ("happy", "sad", "angry", "neutral", "very sad")


def test_a_label_must_be_the_only_one_named() -> None:
    assert label_match("happy", ("happy",), LABELS).score == 1
    assert label_match("speaker sounds happy", ("happy",), LABELS).label == "happy"
    assert label_match("happy or sad", ("happy",), LABELS).label is None
    assert label_match("happy sad angry neutral", ("happy",), LABELS).score == 0
    assert label_match("not sad but happy", ("happy",), LABELS).label == "happy"
    assert label_match("unhappy", ("happy",), LABELS).label is None
    assert label_match("very sad", ("sad",), LABELS) == label_match("it is very sad", ("sad",), LABELS)
    assert label_match("very sad", ("sad",), LABELS).label == "very sad"


def test_named_leaves_out_what_stands_inside_a_longer_option() -> None:
    assert named("it is new york city", ("york", "new york city")) == ("new york city",)
    assert set(named("york and new york city", ("york", "new york city"))) == {"york", "new york city"}
