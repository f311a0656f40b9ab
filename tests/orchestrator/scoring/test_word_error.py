"""Word errors are counted against the reference, never the other way round, and pooled before dividing."""

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

WORDS = st.lists(st.sampled_from(["one", "two", "three", "four"]), max_size=8)


def test_the_reference_is_the_first_argument() -> None:
    assert word_errors("red green blue", "red blue") == WordErrors(0, 1, 0, 3)
    assert word_errors("red blue", "red green blue") == WordErrors(1, 0, 0, 2)


def test_both_sides_are_normalised() -> None:
    assert word_errors("The year was 1969.", "the year was nineteen sixty nine").rate == 0
    assert word_errors("twenty-one colours", "21 colors").rate == 0


def test_a_rate_may_exceed_one_and_needs_a_reference() -> None:
    assert word_errors("red", "green blue yellow").rate == 3
    assert word_errors("", "green").rate is None
    assert word_errors("", "").coverage is None


def test_counts_are_pooled_before_they_are_divided() -> None:
    long, short = word_errors("red green blue pink gray black brown white", "red"), word_errors("red", "red")
    assert pooled([long, short]).rate == pytest.approx(7 / 9)
    assert pooled([]).rate is None


def test_coverage_is_the_share_of_words_that_were_voiced() -> None:
    assert word_errors("red green blue pink", "red green").coverage == 0.5
    assert word_errors("red green blue pink", "red grain blue pink").coverage == 1


@given(WORDS.filter(bool), WORDS)
def test_the_counts_are_those_of_jiwer(reference: list[str], hypothesis: list[str]) -> None:
    theirs = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
    ours = count_errors(reference, hypothesis)
    assert ours.insertions + ours.deletions + ours.substitutions == (
        theirs.insertions + theirs.deletions + theirs.substitutions
    )
    assert ours.rate == pytest.approx(theirs.wer)


def test_unspaced_scripts_count_characters() -> None:
    assert word_errors("東京は首都です", "東京は首都", "ja") == WordErrors(0, 2, 0, 7)
