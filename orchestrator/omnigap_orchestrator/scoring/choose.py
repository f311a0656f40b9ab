"""Which metric scores an item (its own, its task's, a preset's, its answer type's), and what it needs of the item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.scoring.instructions import AUDIBLE
from omnigap_orchestrator.scoring.score import METRICS, gold_letters, metric_for
from omnigap_orchestrator.scoring.voicebench_bbh import GOLDS, TASKS
from omnigap_orchestrator.scoring.voicebench_letters import LETTERS

if TYPE_CHECKING:
    from omnigap_orchestrator.items.item import Item

JUDGE = "judge"
"""Not computed here: a language model gives it, by a rubric."""

METRIC_NAMES = (*METRICS, JUDGE)
AUDIBLE_METRIC = "ifeval_audible"
NEEDS_CHECKS = frozenset({"ifeval", "ifeval_loose", "ifeval_share", AUDIBLE_METRIC, "voicebench_ifeval"})
NEEDS_NO_GOLD = frozenset({JUDGE, "refusal", "voicebench_refusal", *NEEDS_CHECKS})

PRESETS: Mapping[str, Mapping[str, str]] = {
    # Subset names and scorers: README.md and src/evaluator of github.com/MatthewCYM/VoiceBench, commit 5338154.
    "voicebench": {
        "alpacaeval": JUDGE,
        "alpacaeval_full": JUDGE,
        "alpacaeval_speaker": JUDGE,
        "commoneval": JUDGE,
        "wildvoice": JUDGE,
        "sd-qa": JUDGE,
        "mmsu": "voicebench_mcq",
        "openbookqa": "voicebench_mcq",
        "bbh": "voicebench_bbh",
        "ifeval": "voicebench_ifeval",
        "advbench": "voicebench_refusal",
    }
}
"""Benchmarks whose own scorers can be chosen by task, where a task is the benchmark's subset."""


@dataclass(frozen=True, slots=True)
class MetricRules:
    """What a configuration says of metrics.

    Attributes:
        preset: a key of `PRESETS`; None for none.
        tasks: task -> metric, before the preset.
        judged: whether there is a judge: `open` answers then go to it.
    """

    preset: str | None = None
    tasks: Mapping[str, str] = field(default_factory=dict)
    judged: bool = False


def metric_of(item: Item, rules: MetricRules) -> str:
    """The metric of an item, the same in all six conditions.

    The first of these that says something decides: the item's own metric, its task's, the preset's, its answer type's.
    """
    if item.metric is not None:
        return item.metric
    if item.task in rules.tasks:
        return rules.tasks[item.task]
    if rules.preset is not None and (metric := PRESETS[rules.preset].get(item.task)) is not None:
        return metric
    return JUDGE if item.answer_type is AnswerType.OPEN and rules.judged else metric_for(item.answer_type)


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
