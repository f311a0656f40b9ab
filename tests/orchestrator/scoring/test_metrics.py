"""Exact match, containment, token F1, labels and word errors."""

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigap_orchestrator.scoring import (
    WordErrors,
    count_errors,
    pooled,
    word_errors,
)
from omnigap_orchestrator.scoring.metrics import (
    MAX_ANSWER_WORDS,
    contains,
    exact_match,
    label_match,
    named_options,
    question_alternatives,
    token_f1,
)


def test_exact_match_compares_the_whole_answer() -> None:
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
def test_gold_inside_an_answer_matches(answer: str) -> None:
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
def test_gold_that_is_part_of_a_word_or_denied_does_not_match(answer: str) -> None:
    assert contains(answer, ("paris",)).score == 0


def test_gold_that_is_denied_once_and_asserted_once_matches() -> None:
    assert contains("not paris in texas but paris in france", ("paris",)).score == 1
    assert contains("paris is not only capital but largest city", ("paris",)).score == 1


def test_gold_beyond_the_word_limit_does_not_match() -> None:
    before = " ".join(["word"] * (MAX_ANSWER_WORDS - 1))
    assert contains(f"{before} paris", ("paris",)).score == 1
    assert contains(f"{before} word paris", ("paris",)).score == 0


@pytest.mark.parametrize(
    "answer", ["star or spoon", "spoon or star", "star and spoon", "spoon star", "it is star or spoon"]
)
def test_repeating_the_alternatives_does_not_match(answer: str) -> None:
    assert question_alternatives("does star or spoon rhyme with moon") == ("star", "spoon")
    assert contains(answer, ("spoon",), distractors=("star", "spoon")).score == 0


def test_denying_the_distractor_matches() -> None:
    assert contains("spoon rhymes with moon star does not", ("spoon",), distractors=("star", "spoon")).score == 1


def test_alias_is_not_a_distractor() -> None:
    assert contains("butterfly or moth", ("butterfly", "moth"), distractors=("butterfly", "moth")).score == 1


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
def test_token_f1_equals_squad(answer: str, gold: str, f1: float) -> None:
    assert token_f1(answer, (gold,)).score == pytest.approx(f1)


def test_token_f1_takes_the_best_alias() -> None:
    match = token_f1("new york", ("big apple", "new york city", "new york"))
    assert (match.score, match.gold) == (1.0, "new york")


def test_token_f1_is_symmetric() -> None:
    assert token_f1("a b c d", ("a b",)).score == token_f1("a b", ("a b c d",)).score


LABELS = ("happy", "sad", "angry", "neutral", "very sad")


def test_label_must_be_the_only_one_named() -> None:
    assert label_match("happy", ("happy",), LABELS).score == 1
    assert label_match("speaker sounds happy", ("happy",), LABELS).label == "happy"
    assert label_match("happy or sad", ("happy",), LABELS).label is None
    assert label_match("happy sad angry neutral", ("happy",), LABELS).score == 0
    assert label_match("not sad but happy", ("happy",), LABELS).label == "happy"
    assert label_match("unhappy", ("happy",), LABELS).label is None
    assert label_match("very sad", ("sad",), LABELS) == label_match("it is very sad", ("sad",), LABELS)
    assert label_match("very sad", ("sad",), LABELS).label == "very sad"


def test_named_options_skips_an_option_inside_a_longer_one() -> None:
    assert named_options("it is new york city", ("york", "new york city")) == ("new york city",)
    assert set(named_options("york and new york city", ("york", "new york city"))) == {"york", "new york city"}


WORD_LISTS = st.lists(st.sampled_from(["one", "two", "three", "four"]), max_size=8)


def test_word_errors_take_the_reference_first() -> None:
    assert word_errors("red green blue", "red blue") == WordErrors(0, 1, 0, 3)
    assert word_errors("red blue", "red green blue") == WordErrors(1, 0, 0, 2)


def test_word_errors_normalise_both_texts() -> None:
    assert word_errors("The year was 1969.", "the year was nineteen sixty nine").rate == 0
    assert word_errors("twenty-one colours", "21 colors").rate == 0


def test_rate_may_exceed_one_and_is_none_without_reference() -> None:
    assert word_errors("red", "green blue yellow").rate == 3
    assert word_errors("", "green").rate is None
    assert word_errors("", "").coverage is None


def test_pooled_counts_are_divided_once() -> None:
    long, short = word_errors("red green blue pink gray black brown white", "red"), word_errors("red", "red")
    assert pooled([long, short]).rate == pytest.approx(7 / 9)
    assert pooled([]).rate is None


def test_coverage_is_the_share_of_words_not_deleted() -> None:
    assert word_errors("red green blue pink", "red green").coverage == 0.5
    assert word_errors("red green blue pink", "red grain blue pink").coverage == 1


@given(WORD_LISTS.filter(bool), WORD_LISTS)
def test_counts_equal_jiwer(reference: list[str], hypothesis: list[str]) -> None:
    theirs = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
    ours = count_errors(reference, hypothesis)
    assert ours.insertions + ours.deletions + ours.substitutions == (
        theirs.insertions + theirs.deletions + theirs.substitutions
    )
    assert ours.rate == pytest.approx(theirs.wer)


def test_unspaced_scripts_count_characters() -> None:
    assert word_errors("東京は首都です", "東京は首都", "ja") == WordErrors(0, 2, 0, 7)
