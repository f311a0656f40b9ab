"""The words of the contract: six conditions, and their names."""

from __future__ import annotations

import pytest

from omnigap.vocabulary import CONDITIONS, REFERENCE, Condition, Modality, Reason, primary_language


def test_there_are_six_conditions_text_answers_first() -> None:
    assert [c.name for c in CONDITIONS] == ["t2t", "s2t", "i2t", "t2s", "s2s", "i2s"]


def test_names_go_round() -> None:
    assert [Condition.parse(c.name) for c in CONDITIONS] == list(CONDITIONS)
    assert str(REFERENCE) == "t2t"


@pytest.mark.parametrize("name", ["", "t2i", "T2T", "t2t ", "text"])
def test_other_names_are_refused_with_the_six(name: str) -> None:
    with pytest.raises(ValueError, match="t2t, s2t, i2t, t2s, s2s, i2s"):
        Condition.parse(name)


def test_an_image_is_no_output() -> None:
    with pytest.raises(ValueError, match="no answer form"):
        Condition(Modality.TEXT, Modality.IMAGE)


def test_reasons_are_their_own_names() -> None:
    """They are looked up by name when they come over the wire."""
    assert all(reason.name == reason.value for reason in Reason)


@pytest.mark.parametrize(
    ("tag", "language"),
    [("en", "en"), ("en-US", "en"), ("KO-kr", "ko"), ("zh-Hant-TW", "zh"), ("pt_BR", "pt"), ("", "")],
)
def test_the_primary_language_of_a_tag_is_its_first_part_in_lower_case(tag: str, language: str) -> None:
    assert primary_language(tag) == language
