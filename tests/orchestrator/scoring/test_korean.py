"""Korean metrics: particles, spacing, counters, dates and letters."""

import pytest

from omnigap.vocabulary import AnswerType, Flag
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.scoring import score, word_errors


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
def test_noun_matches_with_any_particle_and_spacing(answer: str, gold: str) -> None:
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
def test_noun_inside_another_word_or_denied_does_not_match(answer: str, gold: str) -> None:
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
def test_numbers_match_without_their_counters(answer: str, gold: str, right: bool) -> None:
    assert score(item(gold, AnswerType.NUMBER), answer).score == float(right)


def test_dates_match_by_their_parts() -> None:
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
def test_selected_letter(text: str, letter: str) -> None:
    assert score(item("B", AnswerType.LETTER, CHOICES), text).parsed == letter


@pytest.mark.parametrize("text", ["", "A 또는 B", "없음", "B, 서울", "서울 또는 부산"])
def test_unparsable_choice_is_flagged(text: str) -> None:
    assert Flag.UNPARSABLE in score(item("B", AnswerType.LETTER, CHOICES), text).flags


def test_word_errors_count_syllables_and_ignore_spacing() -> None:
    assert word_errors("한국의 수도는 서울", "한국의수도는 서울", "ko").rate == 0
    assert word_errors("서울특별시", "서울특별", "ko").rate == pytest.approx(1 / 5)


def test_token_f1_counts_syllables() -> None:
    scored = score(item("빨간 사과", AnswerType.OPEN), "빨간색 사과")
    assert scored.score == pytest.approx(8 / 9)
