"""Reads an answer: the steps in their order, for letters, numbers, dates, labels and gold answers alike.

1. Thinking is removed (`thinking`). An answer that is nothing but thinking is unparsable.
2. Explicit final statements decide, the last one first (`statements`).
3. Then a marked first or last line; if both state something and differ, the answer is unparsable.
4. Then the rules for a terse answer, applied to the whole text.
5. Otherwise the answer is unparsable: another candidate is never taken.
"""

from __future__ import annotations

from omnigap.vocabulary import Flag
from omnigap_orchestrator.scoring.reading.found import Found, Reader, Reading, Step
from omnigap_orchestrator.scoring.reading.statements import passages
from omnigap_orchestrator.scoring.reading.thinking import remove_thinking

NO_READING = Reading(None, Step.UNPARSABLE)


def read(text: str, reader: Reader, language: str = "en") -> Reading:
    """Reads the answer with the reader of its type.

    Args:
        text: the raw answer.
        reader: returns what a passage states; None if it states nothing.
    """
    first_line: Found | None = None
    for passage in passages(remove_thinking(text), language):
        if first_line is not None and passage.step is Step.TERSE:
            return Reading(first_line.value, Step.FIRST_LINE, first_line.flags)
        found = reader(passage) if passage.text.strip() else None
        if found is None or (found.flags and passage.step in (Step.FIRST_LINE, Step.LAST_LINE)):
            continue
        if passage.step is Step.FIRST_LINE:
            # The last line may contradict it.
            first_line = found
            continue
        if first_line is not None and found.value != first_line.value:
            return Reading(None, Step.UNPARSABLE, (Flag.HEDGED,))
        return Reading(found.value, passage.step, found.flags)
    return NO_READING
