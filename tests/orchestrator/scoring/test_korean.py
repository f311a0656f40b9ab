"""Korean: numerals, spacing and particles do not decide over a score; words that look like them do not slip through."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnigap.vocabulary import AnswerType, Flag
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.scoring import normalise, score, word_errors
from omnigap_orchestrator.scoring.normalise.korean import sino_value

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
def test_numerals_meet_in_one_form(form: str, text: str) -> None:
    assert normalise(text, "ko") == form


@pytest.mark.parametrize(
    "word", ["만일", "천사", "사회", "이번에", "오이", "사이", "일본", "이 사람", "네 맞아요", "한국", "조사"]
)
def test_words_that_look_like_numerals_stay(word: str) -> None:
    assert normalise(word, "ko") == word


def test_decomposed_syllables_are_composed() -> None:
    assert normalise("서울", "ko") == normalise("\u1109\u1165\u110b\u116e\u11af", "ko") == "서울"


def item(gold: str, answer_type: AnswerType, choices: tuple[str, ...] = (), question: str = "?") -> Item:
    return Item("i", "t", "ko", question, (gold,), answer_type, choices)


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("서울", "서울"),
        ("서울입니다.", "서울"),
        ("정답은 서울 입니다", "서울"),
        ("서울이에요", "서울"),
        ("한국의 수도는 서울이다", "서울"),
        ("물이에요", "물"),
        ("고양이입니다", "고양이"),
        ("고양이가 정답입니다", "고양이"),
        ("뉴욕시는 미국에 있습니다", "뉴욕 시"),
        ("뉴욕 시", "뉴욕시"),
        ("세종 대왕이 만들었습니다", "세종대왕"),
        ("서울이 아니라 부산입니다", "부산"),
    ],
)
def test_a_noun_is_found_whatever_its_particle_and_spacing(answer: str, gold: str) -> None:
    assert score(item(gold, AnswerType.ENTITY), answer).score == 1


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("동물", "물"),
        ("물고기", "물"),
        ("부산대학교", "부산"),
        ("서울이 아니라 부산입니다", "서울"),
        ("고양", "고양이"),
        ("", "서울"),
        ("인천", "서울"),
    ],
)
def test_a_noun_inside_another_word_or_denied_is_not(answer: str, gold: str) -> None:
    assert score(item(gold, AnswerType.ENTITY), answer).score == 0


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("삼", "3", True),
        ("삼입니다", "3", True),
        ("정답은 삼입니다", "3", True),
        ("세 개입니다", "3", True),
        ("모두 3개가 있습니다", "3", True),
        ("백만", "1000000", True),
        ("사", "3", False),
        ("서른", "3", False),
        ("많습니다", "3", False),
    ],
)
def test_numbers_are_compared_without_their_counters(answer: str, gold: str, right: bool) -> None:
    assert score(item(gold, AnswerType.NUMBER), answer).score == float(right)


def test_dates_are_found_by_their_parts() -> None:
    assert score(item("1969년", AnswerType.DATE), "1969년 7월 20일입니다").score == 1
    assert score(item("1969", AnswerType.DATE), "천구백육십구년에 착륙했습니다").score == 1
    assert score(item("1969년", AnswerType.DATE), "1968년").score == 0


CHOICES = ("서울", "부산", "대구", "인천")


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("비", "B"),
        ("비입니다", "B"),
        ("정답은 B입니다", "B"),
        ("B번", "B"),
        ("B, 부산", "B"),
        ("부산", "B"),
        ("정답은 부산입니다.", "B"),
        ("에이", "A"),
        ("씨", "C"),
        ("디입니다", "D"),
    ],
)
def test_the_chosen_letter_is_read(text: str, letter: str) -> None:
    assert score(item("B", AnswerType.LETTER, CHOICES), text).parsed == letter


@pytest.mark.parametrize("text", ["", "A 또는 B", "없음", "B, 서울", "서울 또는 부산"])
def test_an_unparsable_choice_is_flagged(text: str) -> None:
    assert score(item("B", AnswerType.LETTER, CHOICES), text).flags == (Flag.UNPARSABLE,)


def test_errors_are_counted_in_syllables_and_spacing_is_free() -> None:
    assert word_errors("한국의 수도는 서울", "한국의수도는 서울", "ko").rate == 0
    assert word_errors("서울특별시", "서울특별", "ko").rate == pytest.approx(1 / 5)


def test_open_answers_share_syllables() -> None:
    scored = score(item("빨간 사과", AnswerType.OPEN), "빨간색 사과")
    assert scored.score == pytest.approx(8 / 9)


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
def test_sino_korean_numerals_are_read_or_refused(text: str, value: int | None) -> None:
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
def test_normalising_twice_is_normalising_once(text: str) -> None:
    once = normalise(text, "ko")
    assert normalise(once, "ko") == once


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=20))
def test_other_languages_are_fixed_points_too(text: str) -> None:
    once = normalise(text, "ja")
    assert normalise(once, "ja") == once
