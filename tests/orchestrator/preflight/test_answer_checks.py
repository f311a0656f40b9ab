"""Notes on items whose answers would be read in a way that is not seen: brought letters, several letters, languages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.preflight import FULL_SCOPE, Finding, Status, check_plan

LETTER = Item("mc", "t", "en", "?", ("A", "C"), AnswerType.LETTER, ("w", "x", "y", "z"))


def notes(*items: Item) -> list[Finding]:
    found = check_plan(Config(), items, FULL_SCOPE, Path())
    return [each for each in found if each.check in ("choices", "metrics") and each.status is Status.WARNING]


def test_several_right_letters_are_noted_unless_the_item_names_its_metric() -> None:
    (note,) = notes(LETTER)
    assert "'mc'" in note.message and 'metric = "letters"' in note.message
    assert notes(replace(LETTER, metric="letters")) == []
    assert notes(replace(LETTER, metric="letter")) == []
    assert notes(replace(LETTER, answers=("A",))) == []


def test_removed_letters_are_noted() -> None:
    (note,) = notes(replace(LETTER, answers=("A",), brought_letters=True))
    assert "removed" in note.message


@pytest.mark.parametrize("answer_type", [AnswerType.NUMBER, AnswerType.DATE])
def test_numbers_in_a_language_without_rules_are_noted_with_their_languages(answer_type: AnswerType) -> None:
    swedish = Item("s", "t", "sv-SE", "?", ("3",), answer_type)
    polish = replace(swedish, id="p", language="pl")
    (note,) = notes(swedish, polish)
    assert "2 items" in note.message and "in pl, sv" in note.message and "digits only" in note.message
    for language in ("en", "ko", "de", "fr", "es", "it", "pt-BR", "zh", "ja"):
        assert notes(replace(swedish, language=language)) == []
    assert notes(replace(swedish, answer_type=AnswerType.ENTITY)) == []
