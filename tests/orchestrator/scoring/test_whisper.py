"""Tests of word errors under Whisper's normalisers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

from omnigap_orchestrator.scoring import WordErrors, whisper_word_errors, word_errors
from omnigap_orchestrator.scoring.whisper import _without_long_searches


def test_contractions_titles_and_spellings_are_equal() -> None:
    # i am going to see mister lee in color, both.
    reference, transcript = "I'm gonna, um, see Mr. Lee in colour.", "i am going to see mister lee in color"
    assert whisper_word_errors(reference, transcript) == WordErrors(0, 0, 0, 9)


def test_a_title_that_only_whisper_expands() -> None:
    reference, transcript = "It was Sen. Lee.", "it was senator lee"
    assert whisper_word_errors(reference, transcript) == WordErrors(0, 0, 0, 4)
    assert word_errors(reference, transcript) == WordErrors(0, 0, 1, 4)


def test_articles_count_under_whisper_only() -> None:
    reference, transcript = "The sky is blue.", "sky is blue"
    assert whisper_word_errors(reference, transcript) == WordErrors(0, 1, 0, 4)
    assert word_errors(reference, transcript) == WordErrors(0, 0, 0, 3)


def test_a_clock_time_that_only_omnigap_reads() -> None:
    # Whisper's: it is 7 30 / it is half past 7. half and past are inserted before 7, and 30 is deleted.
    reference, transcript = "It is 7:30.", "it is half past seven"
    assert word_errors(reference, transcript).errors == 0
    assert whisper_word_errors(reference, transcript) == WordErrors(2, 1, 0, 4)


@pytest.mark.parametrize(
    ("language", "reference", "transcript", "expected"),
    [
        # By word, and number words are no numerals. Brackets are removed with what they hold.
        ("de", "Es sind drei [laut] Städte.", "es sind 3 städte", WordErrors(0, 0, 1, 4)),
        ("fr-CA", "C'est Paris", "c est paris", WordErrors(0, 0, 0, 3)),
        ("ko", "수도는 서울이다", "수도는 서울", WordErrors(0, 0, 1, 2)),
        # By character.
        ("ja", "東京です。", "東京だ", WordErrors(0, 1, 1, 4)),
        ("zh-TW", "首都", "首部", WordErrors(0, 0, 1, 2)),
        ("yue", "首都", "首部", WordErrors(0, 0, 1, 2)),
        # English rules for every region, and for English only.
        ("en-GB", "colour", "color", WordErrors(0, 0, 0, 1)),
        ("nl", "colour", "color", WordErrors(0, 0, 1, 1)),
    ],
)
def test_other_languages_have_the_basic_form(
    language: str, reference: str, transcript: str, expected: WordErrors
) -> None:
    assert whisper_word_errors(reference, transcript, language) == expected


def test_a_text_without_words_has_no_rate() -> None:
    assert whisper_word_errors("(laughs)", "well").rate is None


@pytest.mark.parametrize("endless", ["9" * 5000, "9" * 5000 + " million", "1," * 3000 + "1"])
def test_endless_numbers_are_counted(endless: str) -> None:
    # Python refuses to convert more than 4,300 digits, which the English normaliser asks of it.
    assert whisper_word_errors(endless, endless).errors == 0
    assert whisper_word_errors("it is one", endless).words == 3


@given(st.text(max_size=40), st.text(max_size=40), st.sampled_from(["en", "de", "ko", "ja", "th", "hi", "und", ""]))
def test_counts_of_any_texts_add_up(reference: str, transcript: str, language: str) -> None:
    found = whisper_word_errors(reference, transcript, language)
    assert whisper_word_errors(reference, reference, language).errors == 0
    assert found.deletions + found.substitutions <= found.words
    mirrored = whisper_word_errors(transcript, reference, language)
    assert (found.errors, found.words + found.insertions - found.deletions) == (mirrored.errors, mirrored.words)


@given(st.lists(st.sampled_from([*"(()[]<>{}' \n\t.,$%5a", "um", "twenty", "won't", "\u3000", "''"]), max_size=14))
def test_brackets_and_spaces_are_read_as_by_the_normalisers_themselves(parts: list[str]) -> None:
    text = "".join(parts)
    for normaliser in (EnglishTextNormalizer(), BasicTextNormalizer(), BasicTextNormalizer(split_letters=True)):
        try:
            expected = normaliser(text).split()
        except (ValueError, AssertionError):
            continue
        assert normaliser(_without_long_searches(text)).split() == expected


@pytest.mark.parametrize("repeated", ["(", "[", "<", "\n", " ", "(<", ") (", "] [", "\u3000"])
@pytest.mark.parametrize("language", ["en", "ko", "zh"])
def test_a_repeated_character_takes_no_quadratic_time(repeated: str, language: str) -> None:
    """200,000 of them took hours."""
    text = repeated * (200_000 // len(repeated))
    assert whisper_word_errors(text, "a", language).insertions <= 1
