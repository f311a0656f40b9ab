"""The judged answers to number and date questions, read by all steps and not only by the reader of their type."""

from __future__ import annotations

from omnigap_orchestrator.score_text import score_text
from tests.orchestrator.scoring.reading.english import date_cases
from tests.orchestrator.scoring.reading.english.number_cases import CASES
from tests.orchestrator.scoring.reading.english.number_sentences import SENTENCES


def test_judged_numbers_and_dates_agree_through_all_steps() -> None:
    cases = [*(("number", *case) for case in (*CASES, *SENTENCES)), *(("date", *case) for case in date_cases.CASES)]
    wrong = []
    for kind, question, gold, right, others in cases:
        for text, expected in [*((text, 1.0) for text in right), *((text, 0.0) for text in others)]:
            row = {"text": text, "answers": [gold], "answer_type": kind, "question": question}
            if score_text(row).score != expected:
                wrong.append((text, gold, expected))
    assert not wrong
