"""Joins digits that an answer reads out one by one."""

from __future__ import annotations

import re
from collections.abc import Sequence

from omnigap_orchestrator.scoring.reading.english.question import Asked


def read_out(text: str, question: Asked, golds: Sequence[str], *, has_commas: bool) -> str | None:
    """Digits that are read out one by one: "five, five, zero, one" is 5501."""
    lengths = {len(digits) for gold in golds if (digits := gold.replace(" ", "")).isdigit()}
    runs = [match[0].split() for match in re.finditer(r"(?<!\S)\d+(?: \d+)+(?!\S)", text)]
    for run in runs:
        number = "".join(run)
        single = all(len(part) == 1 for part in run)
        if question.is_code and (len(run) > 2 or single or len(number) in lengths):
            return number
        if single and len(number) in lengths and len(run) > 2:
            return number
        # "four four" is 44 and "one thirty two" 132 where nothing else is said.
        if len(number) in lengths and text == " ".join(run) and not has_commas:
            return number
        if len(number) in lengths and len(number) > 4 and text.endswith(" ".join(run)):
            return number
    return None
