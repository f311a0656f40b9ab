"""Conditions, error reasons and language tags of the vocabulary."""

from __future__ import annotations

import pytest

from omnigap.vocabulary import CONDITIONS, REFERENCE, Condition, Modality, Reason, primary_language


def test_six_conditions_with_text_answers_first() -> None:
    assert [c.name for c in CONDITIONS] == ["t2t", "s2t", "i2t", "t2s", "s2s", "i2s"]


def test_condition_names_round_trip() -> None:
    assert [Condition.parse(c.name) for c in CONDITIONS] == list(CONDITIONS)
    assert str(REFERENCE) == "t2t"


@pytest.mark.parametrize("name", ["", "t2i", "T2T", "t2t ", "text"])
def test_unknown_condition_names_raise_with_the_six(name: str) -> None:
    with pytest.raises(ValueError, match="t2t, s2t, i2t, t2s, s2s, i2s"):
        Condition.parse(name)


def test_image_output_raises() -> None:
    with pytest.raises(ValueError, match="text or speech"):
        Condition(Modality.TEXT, Modality.IMAGE)


def test_reason_names_equal_their_values() -> None:
    """A received reason is looked up by name."""
    assert all(reason.name == reason.value for reason in Reason)


@pytest.mark.parametrize(
    ("tag", "language"),
    [("en", "en"), ("en-US", "en"), ("KO-kr", "ko"), ("zh-Hant-TW", "zh"), ("pt_BR", "pt"), ("", "")],
)
def test_primary_language(tag: str, language: str) -> None:
    assert primary_language(tag) == language
