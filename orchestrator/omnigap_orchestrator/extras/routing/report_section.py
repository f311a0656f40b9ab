"""The section of routing: which form to choose for which task, and what that is worth on items not used to choose."""

from __future__ import annotations

import math

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.extras.routing.constraints import either_of
from omnigap_orchestrator.extras.routing.routing import (
    POLICIES,
    ROUTES,
    RouteRow,
    ShownPolicyRow,
    options_of,
    policies_shown,
    routes_shown,
)
from omnigap_orchestrator.report import select, tables
from omnigap_orchestrator.report.sections.section import Section, model_column
from omnigap_orchestrator.report.tables import make_table

POLICY_WORDS = {
    "best_single": "one form for all",
    "per_task": "the best form of each task",
    "oracle": "the best form of each item (ceiling)",
}


def routing_section(analysis: Analysis) -> Section | None:
    """Policies with their held-out accuracy, regret and cost; nothing where none could be judged."""
    if analysis.frame(POLICIES).is_empty():
        return None
    level = f"{select.level_words(analysis)} interval"
    policies = make_table(
        policies_shown(analysis.frame(POLICIES)),
        ShownPolicyRow,
        "policies",
        "What a policy is worth",
        [
            *model_column(analysis),
            tables.text(
                "policy", "Policy", write=lambda p: POLICY_WORDS.get(p, p.replace("_", " ")), definition="routing"
            ),
            tables.percent("accuracy", "Accuracy, %"),
            tables.interval("low", "high", level, difference=False),
            tables.points("regret", "Regret", definition="routing"),
            tables.interval("regret_low", "regret_high", f"Regret {level}"),
            tables.points("gain", "Gain", definition="routing"),
            tables.interval("gain_low", "gain_high", f"Gain {level}"),
            tables.number("mean_latency_s", "Latency, s"),
            tables.optional(tables.number("mean_audio_seconds", "Audio, s")),
            tables.optional(tables.number("mean_compute_s", "Device, s")),
            tables.count("n", "n", definition="n"),
            tables.optional(tables.percent("wrong", "Missing as wrong, %", definition="missing")),
            tables.optional(tables.interval("wrong_low", "wrong_high", level, difference=False)),
            tables.method(label="Accuracy's interval by"),
        ],
        small="held out, cross-validated; cost is the mean of an answer",
        note=_left_out(analysis),
    )
    routes = make_table(
        routes_shown(analysis.frame(ROUTES)),
        RouteRow,
        "routes",
        "The form chosen for each task",
        [
            *model_column(analysis),
            tables.text("task", "Task", write=lambda t: t.replace("_", " ")),
            tables.condition(),
            tables.percent("accuracy", "Accuracy, %"),
            tables.percent("votes", "Splits that agree, %", definition="routing", digits=0),
            tables.count("n", "n"),
        ],
        note="Chosen on all items, so the accuracy here is optimistic; the table above is not.",
    )
    ruled_out = make_table(
        analysis.frame(ROUTES).filter(pl.col("task").is_null()),
        RouteRow,
        "ruled_out",
        "Forms that are ruled out",
        [*model_column(analysis), tables.condition(), tables.text("reason", "Why")],
        small="by the constraints of [routing]",
    )
    return Section(
        "routing",
        "Which form to choose",
        "Routing",
        "A product may choose the form by the kind of question. Whether that pays is judged on items "
        "that took no part in choosing." + _demands(analysis),
        after="variance",
        tables=(policies,),
        folded=tuple(table for table in (routes, ruled_out) if table.rows),
    )


def _left_out(analysis: Analysis) -> str:
    """Of each model that lacks scores, how many items were left out, or why nothing was judged on the answered ones."""
    several = analysis.frame(POLICIES)["model"].n_unique() > 1
    told = policies_shown(analysis.frame(POLICIES)).select("model", "reason").drop_nulls().unique(maintain_order=True)
    return " ".join(
        f"{f'{model}: ' if several else ''}{reason[0].upper()}{reason[1:]}." for model, reason in told.iter_rows()
    )


def _demands(analysis: Analysis) -> str:
    """The constraints of this run as a sentence; nothing where there are none."""
    constraints = options_of(analysis).constraints
    sides = (("questions", constraints.inputs), ("answers", constraints.outputs))
    demands = [f"{side} in {either_of(letters)}" for side, letters in sides if letters]
    if constraints.max_p95_latency_s < math.inf:
        demands.append(f"95 of 100 answers within {constraints.max_p95_latency_s:g} s")
    return f" Demanded here: {'; '.join(demands)}." if demands else ""
