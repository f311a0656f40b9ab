"""The report section on routing: the condition chosen for each task, and its evaluation on held-out items."""

from __future__ import annotations

import math

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.latency import IDLE_LATENCY
from omnigap_orchestrator.extras.routing.constraints import NOT_MEASURED, either_of
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
    "best_single": "best single condition",
    "per_task": "best condition per task",
    "oracle": "best condition per item (oracle)",
}


def routing_section(analysis: Analysis) -> Section | None:
    """Policies with held-out accuracy, regret and cost; None without any policy."""
    # Of random weights, only the note under the table says that nothing is chosen.
    evaluated = analysis.frame(POLICIES).filter(~pl.col("model").is_in(list(analysis.random_weights)))
    if evaluated.is_empty():
        return None
    level = f"{select.level_words(analysis)} interval"
    policies = make_table(
        policies_shown(evaluated),
        ShownPolicyRow,
        "policies",
        "Routing policies",
        [
            *model_column(analysis),
            tables.text(
                "policy", "Policy", write=lambda p: POLICY_WORDS.get(p, p.replace("_", " ")), definition="routing"
            ),
            tables.percent("accuracy", "Accuracy, %"),
            tables.interval("low", "high", level, difference=False),
            tables.points("regret", "Regret", definition="routing", signed=False),
            tables.interval("regret_low", "regret_high", f"Regret {level}", difference=False),
            tables.points("gain", "Gain", definition="routing"),
            tables.interval("gain_low", "gain_high", f"Gain {level}"),
            tables.optional(tables.number("mean_latency_s", "Latency, s")),
            tables.optional(tables.number("mean_audio_seconds", "Audio, s")),
            tables.optional(tables.number("mean_compute_s", "Device, s")),
            tables.count("n", "n", definition="n"),
            tables.optional(tables.percent("wrong", "Missing as wrong, %", definition="missing")),
            tables.optional(tables.interval("wrong_low", "wrong_high", level, difference=False)),
            tables.method(label="Accuracy's interval by"),
        ],
        small="on held-out items, cross-validated; costs are means per answer, times on an idle service",
        note=" ".join(part for part in (_left_out(analysis), _not_timed(analysis)) if part),
    )
    routes = make_table(
        routes_shown(analysis.frame(ROUTES)),
        RouteRow,
        "routes",
        "The condition chosen for each task",
        [
            *model_column(analysis),
            tables.text("task", "Task", write=lambda t: t.replace("_", " ")),
            tables.condition(),
            tables.percent("accuracy", "Accuracy, %"),
            tables.percent("votes", "Agreeing splits, %", definition="routing", digits=0),
            tables.count("n", "n"),
        ],
        note="Chosen on all items, so this accuracy is optimistic; the table above has the held-out one.",
    )
    ruled_out = make_table(
        analysis.frame(ROUTES).filter(pl.col("task").is_null()),
        RouteRow,
        "ruled_out",
        "Excluded conditions",
        [*model_column(analysis), tables.condition(), tables.text("reason", "Reason")],
        small="by the constraints of [routing]",
    )
    return Section(
        "routing",
        "Which condition to use",
        "Routing",
        "A product may choose the condition by task. What that gains is measured on items that took no part in the "
        "choice." + _constraints(analysis),
        after="variance",
        tables=(policies,),
        folded=tuple(table for table in (routes, ruled_out) if table.rows),
    )


def _left_out(analysis: Analysis) -> str:
    """For each model that lacks scores: the number of items left out, or the reason why it was refused."""
    several = analysis.frame(POLICIES)["model"].n_unique() > 1
    reasons = (
        policies_shown(analysis.frame(POLICIES)).select("model", "reason").drop_nulls().unique(maintain_order=True)
    )
    return " ".join(
        f"{f'{model}: ' if several else ''}{reason[0].upper()}{reason[1:]}." for model, reason in reasons.iter_rows()
    )


def _not_timed(analysis: Analysis) -> str:
    return NOT_MEASURED.replace("`", "") if analysis.frame(IDLE_LATENCY).is_empty() else ""


def _constraints(analysis: Analysis) -> str:
    """The constraints as a sentence; empty without constraints."""
    constraints = options_of(analysis).constraints
    sides = (("questions", constraints.inputs), ("answers", constraints.outputs))
    parts = [f"{side} in {either_of(letters)}" for side, letters in sides if letters]
    if constraints.max_p95_latency_s < math.inf:
        parts.append(f"p95 latency up to {constraints.max_p95_latency_s:g} s")
    return f" Constraints: {'; '.join(parts)}." if parts else ""
