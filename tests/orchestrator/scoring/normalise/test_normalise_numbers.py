"""Every number that num2words can spell is read back as digits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnigap_orchestrator.scoring import normalise

num2words = pytest.importorskip("num2words").num2words


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.integers(0, 9999), st.integers(0, 999_999_999_999)))
def test_cardinals(value: int) -> None:
    assert normalise(num2words(value).replace(",", ""), "en") == str(value)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 999_999))
def test_ordinals(value: int) -> None:
    assert normalise(num2words(value, to="ordinal").replace(",", ""), "en") == normalise(
        num2words(value, to="ordinal_num"), "en"
    )


def test_years_from_1000_to_2099() -> None:
    spoken = {year: normalise(num2words(year, to="year"), "en") for year in range(1000, 2100)}
    assert {year: text for year, text in spoken.items() if text != str(year)} == {}


@settings(max_examples=200, deadline=None)
@given(st.integers(-9999, 9999), st.integers(1, 99))
def test_decimals(whole: int, hundredths: int) -> None:
    text = f"{whole}.{hundredths:02d}"
    assert normalise(num2words(float(text)).replace(",", ""), "en") == normalise(text, "en")
