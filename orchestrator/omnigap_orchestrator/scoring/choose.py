"""Which metric scores an item: its own, its task's, a benchmark preset's, or that of its answer type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.scoring.score import METRICS, metric_for

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
