"""Degenerate answers, as a model that repeats itself writes them, are read in bounded time and never fail."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnigap_orchestrator.score_text import score_text
from omnigap_orchestrator.scoring.reading.english.date import find_date
from omnigap_orchestrator.scoring.reading.english.number import find_number
from omnigap_orchestrator.scoring.reading.found import Passage, Step


@pytest.mark.parametrize(
    "piece", ["1", "1 ", "1,", "1-", "1=", "not ", "\\frac{", "2^2", "5 – ", "\n- 3", "$", "seven "]
)
def test_repetition_is_read(piece: str) -> None:
    for reader in (find_number, find_date):
        reader(Passage(piece * 5000, Step.TERSE), "How many?", "en")


@pytest.mark.parametrize("piece", ["(", "A ", "A, ", "The answer is B. ", "\n", "Mars, Venus. "])
@pytest.mark.parametrize("language", ["en", "ko", "ja", "de"])
def test_repetition_is_read_as_a_letter(piece: str, language: str) -> None:
    row = {"text": piece * 2000, "answers": ["B"], "answer_type": "letter", "choices": ["Mars", "Venus"]}
    assert score_text({**row, "language": language}).score in (0, 1)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=40), st.text("0123456789 ./,-–=^$()'\\n%xMe+stndrh", max_size=30)))
def test_any_text_is_read(text: str) -> None:
    for reader in (find_number, find_date):
        reader(Passage(text, Step.TERSE), text, "en", golds=(text,))
