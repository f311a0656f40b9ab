"""Text for voices that know letters only: numbers and signs as words, and the voice's alphabet."""

from __future__ import annotations

import pytest

from omnigap.errors import ContractError
from omnigap_services.hf.tts.text import fit_to_alphabet, spell_out


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
        ("What is 15-7?", "What is fifteen minus seven?"),
        ("Calculate: 1969-5", "Calculate: one thousand, nine hundred and sixty-nine minus five"),
        ("15-7", "fifteen minus seven"),
        ("10-3-2 = 5 and 9–4", "ten minus three minus two equals five and nine minus four"),
        ("He had 15 - 7 left.", "He had fifteen minus seven left."),
        ("What is the war of 1914-1918?", "What is the war of nineteen fourteen to nineteen eighteen?"),
        ("1914 – 1918", "nineteen fourteen to nineteen eighteen"),
        ("They won 3-1, in 10–15 minutes.", "They won three to one, in ten to fifteen minutes."),
        ("It costs $10-$15, or €2-3.", "It costs ten dollars to fifteen dollars, or two euros to three."),
        ("Open 7:30-9:00.", "Open seven thirty to nine o'clock."),
        (
            "A 50-50 chance, call 555-0123.",
            "A fifty-fifty chance, call five hundred and fifty-five-one hundred and twenty-three.",
        ),
        ("From -5 to 5", "From minus five to five"),
        ("12 000 people", "twelve thousand people"),
        ("1\u2009969 and 12\u202f000\u00a0000", "one thousand, nine hundred and sixty-nine and twelve million"),
        ("€1 200 in 1969", "one thousand, two hundred euros in nineteen sixty-nine"),
        ("3 100-metre races", "three one hundred-metre races"),
        ("555 123 45", "five hundred and fifty-five one hundred and twenty-three forty-five"),
        ("At −5 degrees in 1969", "At minus five degrees in nineteen sixty-nine"),
        ("12 34", "twelve thirty-four"),
        ("No digits, no change: and/or.", "No digits, no change: and/or."),
    ],
)
def test_english_numbers_and_signs_are_written_as_read(text: str, spoken: str) -> None:
    assert spell_out(text, "en-GB") == spoken


def test_numbers_of_other_languages() -> None:
    assert spell_out("Wie viel ist 12?", "de") == "Wie viel ist zwölf?"
    assert spell_out("12 000", "de") == "zwölftausend"
    assert spell_out("사과 3 개", "ko") == "사과 삼 개"
    with pytest.raises(LookupError, match="'xx'"):
        spell_out("3", "xx")
    assert spell_out("none", "xx") == "none"


def test_a_text_is_fitted_to_the_alphabet() -> None:
    known = set("abcdefghijklmnopqrstuvwxyz' ").__contains__
    assert fit_to_alphabet("café, “naïve”—it’s", known) == "cafe   naive  it's"


def test_unknown_letters_are_refused_by_name() -> None:
    known = set("abcdefghijklmnopqrstuvwxyz ").__contains__
    with pytest.raises(ContractError, match="for 7 € ß"):
        fit_to_alphabet("7 € groß", known)
