"""Which texts a voice takes, in which form, and in which pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.piper.text import pieces, spoken_text


def refusal(text: str, language: str = "en-US") -> str:
    with pytest.raises(ContractError) as caught:
        spoken_text(text, "a-voice", language)
    assert caught.value.reason is Reason.BAD_REQUEST
    return caught.value.message


@pytest.mark.parametrize("text", ["", " \n\t", "🙂", "👩‍👩‍👧 ❤️", "\u200b", "🙂 🙂\n"])
def test_a_text_without_anything_to_speak_is_refused(text: str) -> None:
    assert "nothing to speak" in refusal(text)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("안녕하세요", "en-US"),
        ("水の沸点は何度ですか", "en-US"),
        ("Сколько будет два плюс два?", "de-DE"),
        ("ما عاصمة فرنسا؟", "fr-FR"),
        ("안녕 Paris 안녕하세요", "en-US"),
        ("안녕하세요", "ru-RU"),
        ("สวัสดี", "hi-IN"),
        ("Καλημέρα", "en-GB"),
    ],
)
def test_a_text_in_another_script_is_refused_with_voice_and_language(text: str, language: str) -> None:
    message = refusal(text, language)
    assert "a-voice" in message and language in message and text[:5] in message


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is 2 + 2?", "en-US"),
        ("50 %", "en-US"),
        ("+", "en-US"),
        ("42", "ko"),
        ("What does the Korean word 안녕 mean?", "en-US"),
        ("Was bedeutet π?", "de-DE"),
        ("안녕하세요", "ko-KR"),
        ("Paris", "ko-KR"),
        ("中国的首都是哪里", "zh-CN"),
        ("水の沸点", "ja-JP"),
        ("Столица Франции", "uk-UA"),
        ("Où est Noël, à Besançon?", "fr-FR"),
        ("Đâu là thủ đô?", "vi-VN"),
        ("Anything in a language without a known script", "und"),
    ],
)
def test_a_text_that_can_be_spoken_is_unchanged(text: str, language: str) -> None:
    assert spoken_text(text, "a-voice", language) == text


@given(st.text(alphabet="[] ab1,\0", min_size=1))
def test_brackets_are_never_taken_as_phonemes(text: str) -> None:
    """piper-tts reads [[...]] as phonemes, so that "[[1, 2]]" would lose its numbers."""
    try:
        taken = spoken_text(text, "a-voice", "en-US")
    except ContractError:
        assert not text.strip(" ")
        return
    assert "[[" not in taken and "\0" not in taken
    assert taken.replace(" ", "") == text.replace(" ", "").replace("\0", "")


@given(st.lists(st.sampled_from("ab ,.?"), max_size=3_000))
def test_pieces_are_short_and_lose_nothing(phonemes: list[str]) -> None:
    found = list(pieces(phonemes))
    assert [phoneme for piece in found for phoneme in piece] == phonemes
    assert all(0 < len(piece) <= 400 for piece in found)


def test_a_sentence_is_cut_at_a_pause_before_a_gap_and_at_a_gap_before_a_word() -> None:
    words = list("word " * 100)
    assert next(pieces(words))[-1] == " "
    words[250] = ","
    assert len(next(pieces(words))) == 251
    assert list(pieces(list("x" * 401))) == [list("x" * 400), ["x"]]
