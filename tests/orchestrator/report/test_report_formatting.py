"""Formatting of numbers and names."""

from __future__ import annotations

import math

import pytest

from omnigap_orchestrator.report import formatting


@pytest.mark.parametrize(
    ("value", "written"),
    [(-0.1234, "\u221212.3"), (0.02, "+2.0"), (0.0, "0.0"), (-0.0001, "0.0"), (None, "\u2013"), (math.nan, "\u2013")],
)
def test_points_have_a_sign_and_a_minus_character(value: float | None, written: str) -> None:
    assert formatting.points(value) == written


@pytest.mark.parametrize(
    ("value", "written"), [(0.00001, "< .0001"), (0.0312, ".0312"), (0.99999, "1"), (1.0, "1"), (None, "\u2013")]
)
def test_p_values(value: float | None, written: str) -> None:
    assert formatting.p_value(value) == written


def test_an_interval_without_limits_is_a_dash() -> None:
    assert formatting.interval(None, 0.3, difference=True) == "\u2013"
    assert formatting.interval(-0.1, 0.3, difference=True) == "[\u221210.0, +30.0]"
    assert formatting.interval(0.1, 0.3, difference=False) == "[10.0, 30.0]"


def test_condition_names_in_words_and_other_names_unchanged() -> None:
    assert formatting.condition_words("i2s") == "image question, spoken answer"
    assert formatting.condition_words("a2v") == "audio to vision"
    assert formatting.condition_words("av2t") == "audio and vision to text"
    assert formatting.condition_words("blurred") == "blurred"
    assert formatting.condition_words("x2t") == "x2t"


def test_lists_and_plurals() -> None:
    assert formatting.listed(["a"]) == "a"
    assert formatting.listed(["a", "b", "c"]) == "a, b and c"
    assert formatting.plural(1, "item") == "1 item"
    assert formatting.plural(2000, "entry", "entries") == "2,000 entries"


def test_method_without_a_display_name_is_readable() -> None:
    assert formatting.method("some_new_thing") == "some new thing"
    assert formatting.method("tango") == "Tango score"


def test_digests_are_shortened_and_names_are_not() -> None:
    assert formatting.short("ab" * 32) == "abababababab"
    assert formatting.short("large-v3") == "large-v3"


def test_small_number_is_not_written_as_zero() -> None:
    assert [formatting.number(value, 3) for value in (1e-5, -1e-5, 0.0, 0.0006)] == [
        "<0.001",
        ">\u22120.001",
        "0.000",
        "0.001",
    ]
