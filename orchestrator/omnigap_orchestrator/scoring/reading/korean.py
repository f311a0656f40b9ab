"""Korean readers of raw passages: the functions of `languages` and `choices` for one language."""

from __future__ import annotations

from collections.abc import Sequence

from omnigap_orchestrator.scoring.reading import choices as _choices
from omnigap_orchestrator.scoring.reading import languages as _languages
from omnigap_orchestrator.scoring.reading.found import Found, Passage

_KOREAN = "ko"


def find_letter(passage: Passage, choices: Sequence[str]) -> Found | None:
    """The letter that a passage chooses: "B", 비입니다, 정답은B입니다, 두 번째, 2번, or the text of one choice."""
    return _choices.find_letter(passage, choices, _KOREAN)


def find_number(passage: Passage, question: str = "") -> Found | None:
    """The number that a passage states: 세 개가 아니라 네 개입니다 -> 4, 3백5십만 원 -> 3500000."""
    return _languages.find_number(passage, _KOREAN, question)


def find_date(passage: Passage, golds: Sequence[str], question: str = "") -> Found | None:
    """The gold date that a passage states, or else the one that it states: 일구사오년 -> 1945-0-0."""
    return _languages.find_date(passage, golds, _KOREAN, question)


def find_label(passage: Passage, labels: Sequence[str]) -> Found | None:
    """The label that a passage asserts; 네, 맞습니다 and 아니요, 틀렸습니다 count for labels of that meaning."""
    return _languages.find_label(passage, labels, _KOREAN)


def find_entity(passage: Passage, golds: Sequence[str], distractors: Sequence[str] = ()) -> Found | None:
    """The gold answer that a passage asserts: 아마 서울일 거예요 -> 서울, but not 서울 또는 부산."""
    return _languages.find_entity(passage, golds, _KOREAN, distractors)
