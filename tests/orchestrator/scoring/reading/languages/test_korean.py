"""The Korean readers of raw passages, with their flags."""

from __future__ import annotations

import pytest

from omnigap.vocabulary import Flag
from omnigap_orchestrator.scoring.reading.found import Found, Passage, Step
from omnigap_orchestrator.scoring.reading.languages import letter, readers


def passage(text: str) -> Passage:
    return Passage(text, Step.TERSE)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("아마 서울일 거예요", Found("서울")),
        ("서울 또는 부산", Found(None, (Flag.HEDGED,))),
        ("서울이 아니라 부산입니다", Found(None, (Flag.NEGATED,))),
        ("서울, 아니 부산이요", Found(None, (Flag.NEGATED,))),
        ("부산입니다", None),
    ],
)
def test_entity(text: str, found: Found | None) -> None:
    assert readers.find_entity(passage(text), ("서울",), "ko") == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("세 개가 아니라 네 개", Found("4")),
        ("최소 네 개", Found(None, (Flag.HEDGED,))),
        ("두세 개", Found(None, (Flag.HEDGED,))),
        ("네 개는 아닙니다", Found(None, (Flag.NEGATED,))),
        ("많습니다", None),
    ],
)
def test_number(text: str, found: Found | None) -> None:
    assert readers.find_number(passage(text), "ko", "몇 개입니까?") == found


def test_a_final_statement_that_names_something_else_is_the_answer() -> None:
    assert readers.find_entity(passage("서울이라고 하기 쉽습니다. 정답은 부산입니다."), ("서울",), "ko") == Found(None)


def test_letter_date_and_label() -> None:
    assert letter.find_letter(passage("두 번째"), ("사자", "고래"), "ko") == Found("B")
    assert readers.find_date(passage("일구사오년"), ("1945년",), "ko") == Found("1945년")
    assert readers.find_date(passage("1946년"), ("1945년",), "ko") == Found("1946-0-0")
    assert readers.find_label(passage("네, 맞습니다"), ("예", "아니요"), "ko") == Found("예")
