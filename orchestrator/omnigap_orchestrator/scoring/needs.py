"""What a metric needs of an item: a configuration may choose one that has nothing to look at there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omnigap_orchestrator.scoring.choose import AUDIBLE_METRIC, NEEDS_CHECKS
from omnigap_orchestrator.scoring.instructions import AUDIBLE
from omnigap_orchestrator.scoring.score import gold_letters
from omnigap_orchestrator.scoring.voicebench_bbh import GOLDS, TASKS
from omnigap_orchestrator.scoring.voicebench_letters import LETTERS

if TYPE_CHECKING:
    from omnigap_orchestrator.items.item import Item


def lacks(item: Item, metric: str) -> str:
    """What a metric would look for in an item and not find; empty where it finds all.

    Without it every answer would be right (no instruction, so none that is not followed) or every one wrong.
    """
    golds = [gold.strip() for gold in item.answers]
    if metric in NEEDS_CHECKS and not item.checks:
        return "has no checks"
    if metric == AUDIBLE_METRIC and not any(check.kind in AUDIBLE for check in item.checks):
        return "has no check that can be heard"
    if metric == "letter" and not gold_letters(item):
        return "has no letter, and none of its choices, as gold answer"
    if metric == "voicebench_mcq" and not any(gold.lower() in LETTERS for gold in golds if len(gold) == 1):
        return f"has none of the letters {', '.join(LETTERS.upper())} as gold answer"
    if metric == "voicebench_bbh":
        if not any(task in item.id for task in TASKS):
            return f"names none of VoiceBench's bbh tasks ({', '.join(TASKS)}) in its id"
        if not any(gold.lower() in GOLDS for gold in golds):
            return f"has none of {', '.join(GOLDS)} as gold answer"
    return ""
