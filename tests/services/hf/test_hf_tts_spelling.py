"""Numbers and signs as words, for voices that know letters alone."""

from __future__ import annotations

import pytest

from omnigap.errors import ContractError
from omnigap_services.hf.tts.alphabet import fitted
from omnigap_services.hf.tts.spelling import spelled_out


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("What is 12 + 7?", "What is twelve plus seven?"),
        ("5 - 3 = 2", "five minus three equals two"),
        ("6/3 * 4 ÷ 2 × 1", "six over three times four divided by two times one"),
        ("x = -2 (-3)", "x equals minus two (minus three)"),
        ("It costs $5.50, or €1,200!", "It costs five point five dollars, or one thousand, two hundred euros!"),
        ("100% at 50°", "one hundred percent at fifty degrees"),
        ("In 1969, at 7:30.", "In nineteen sixty-nine, at seven thirty."),
        ("From 12:00 to 9:05?", "From twelve o'clock to nine oh five?"),
        ("1969 + 1", "one thousand, nine hundred and sixty-nine plus one"),
        ("The 3rd of the 21st", "The third of the twenty-first"),
        ("A well-known 12-year-old & co.", "A well-known twelve-year-old and co."),
        ("No digits, no change: and/or.", "No digits, no change: and/or."),
    ],
)
def test_english_is_written_as_it_is_read(text: str, spoken: str) -> None:
    assert spelled_out(text, "en-GB") == spoken


def test_other_languages_have_their_own_numbers() -> None:
    assert spelled_out("Wie viel ist 12?", "de") == "Wie viel ist zwölf?"
    assert spelled_out("사과 3 개", "ko") == "사과 삼 개"
    with pytest.raises(LookupError, match="'xx'"):
        spelled_out("3", "xx")
    assert spelled_out("none", "xx") == "none"


def test_a_text_is_fitted_to_the_alphabet() -> None:
    known = set("abcdefghijklmnopqrstuvwxyz' ").__contains__
    assert fitted("café, “naïve”—it’s", known) == "cafe   naive  it's"


def test_what_would_be_left_out_silently_is_named() -> None:
    known = set("abcdefghijklmnopqrstuvwxyz ").__contains__
    with pytest.raises(ContractError, match="for 7 € ß"):
        fitted("7 € groß", known)
