"""Normalised Korean: numerals, composed syllables, and idempotence."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnigap_orchestrator.scoring import normalise
from omnigap_orchestrator.scoring.normalise.korean_numbers import sino_value

ONE_FORM = {
    "21": ["이십일", "21", "스물하나"],
    "1969년 7월 20일": ["1969년 7월 20일", "천구백육십구년 칠월 이십일", "1969-07-20", "1969. 7. 20."],
    "3개": ["세 개", "3개", "3 개", "세개"],
    "12마리": ["열두 마리", "12마리"],
    "21살": ["스물한 살", "21살", "스물한살"],
    "3.14": ["삼점일사", "삼 점 일 사", "3.14", "3.140"],
    "35000": ["3만 5천", "35,000", "삼만오천"],
    "120000000": ["1억 2000만", "일억이천만", "120,000,000"],
    "1번째": ["첫 번째", "첫째", "첫번째"],
    "6월": ["유월", "육월", "6월"],
    "10월": ["시월", "10월"],
    "5퍼센트": ["5%", "오 퍼센트", "5 프로"],
    "-5도": ["영하 5도", "-5도", "-5℃", "마이너스 5도"],
    "1000원": ["1,000원", "₩1,000", "1000 원"],
    "5킬로미터": ["5km", "5 km", "오 킬로미터"],
}


@pytest.mark.parametrize(("form", "text"), [(form, text) for form, texts in ONE_FORM.items() for text in texts])
def test_numerals_normalise_to_digits(form: str, text: str) -> None:
    assert normalise(text, "ko") == form


@pytest.mark.parametrize(
    "word", ["만일", "천사", "사회", "이번에", "오이", "사이", "일본", "이 사람", "네 맞아요", "한국", "조사"]
)
def test_words_that_look_like_numerals_are_unchanged(word: str) -> None:
    assert normalise(word, "ko") == word


def test_decomposed_syllables_are_composed() -> None:
    assert normalise("서울", "ko") == normalise("\u1109\u1165\u110b\u116e\u11af", "ko") == "서울"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("천구백육십구", 1969),
        ("이십일", 21),
        ("만", 10000),
        ("일억이천만", 120000000),
        ("십백", None),
        ("일이", None),
        ("", None),
    ],
)
def test_sino_value(text: str, value: int | None) -> None:
    assert sino_value(text) == value


PIECES = st.sampled_from(
    " ".join(
        (
            "이십일 천구백 육십구년 칠월 이십일 세 개 3 열두 마리 스물한살 삼점일사 점 3만 5천",
            "1억 첫 번째 유월 5% 프로 영하 km ₩1,000",
            "-5 ℃ 서울 입니다 은 이 만 조 . , 1969-07-20 007 3.10 abc A 고양이가 ㄱ 0",
        )
    ).split()
)


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(
        st.lists(PIECES, max_size=7).map(" ".join), st.lists(PIECES, max_size=5).map("".join), st.text(max_size=20)
    )
)
def test_normalising_is_idempotent(text: str) -> None:
    once = normalise(text, "ko")
    assert normalise(once, "ko") == once


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=20))
def test_normalising_other_languages_is_idempotent(text: str) -> None:
    once = normalise(text, "ja")
    assert normalise(once, "ja") == once
