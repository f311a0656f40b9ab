"""Exact match, containment, token F1, labels and word errors."""

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnigap_orchestrator.scoring import (
    WordErrors,
    count_errors,
    pooled,
    word_errors,
)
from omnigap_orchestrator.scoring.metrics import (
    exact_match,
    token_f1,
)


def test_exact_match_compares_the_whole_answer() -> None:
    assert exact_match("paris", ("lyon", "paris")).score == 1
    assert exact_match("paris france", ("paris",)).score == 0
    assert exact_match("", ("", "paris")).score == 0


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


WORD_LISTS = st.lists(st.sampled_from(["one", "two", "three", "four"]), max_size=8)


@settings(deadline=None)
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
