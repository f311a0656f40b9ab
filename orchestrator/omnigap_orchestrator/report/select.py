"""The headline rows of the analysis, for the report and the terminal: item-weighted, on answered cells and pairs.

Spoken answers are scored by the model's own text where it has one (`source` of each row), else by the transcript.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

import polars as pl

from omnigap.vocabulary import CONDITIONS, Modality
from omnigap_orchestrator.analysis import Analysis, Tables
from omnigap_orchestrator.analysis.accuracy import ANSWERED_ONLY, HEADLINE_ACCURACY, HEADLINE_ACCURACY_BY_TASK
from omnigap_orchestrator.analysis.contrasts import ANSWERED_PAIRS, headline
from omnigap_orchestrator.analysis.denominators import CONDITION_COUNTS
from omnigap_orchestrator.analysis.gap import GAPS, HEADLINE_EFFECTS, HEADLINE_GAPS, HEADLINE_GAPS_BY_TASK
from omnigap_orchestrator.analysis.own_text import OWN_TEXT, TRANSCRIPT


class ConditionRowLike(Protocol):
    """A row of one condition."""

    @property
    def condition(self) -> str: ...


RowT = TypeVar("RowT", bound=ConditionRowLike)


def headline_gaps(tables: Tables, model: str | None = None) -> pl.DataFrame:
    """The gaps of the matrix and the forest plot."""
    return headline(tables.frame(HEADLINE_GAPS), ANSWERED_PAIRS, model)


def transcript_gaps(tables: Tables, model: str | None = None) -> pl.DataFrame:
    """The gaps of spoken answers by transcript, where the headline's are by own text: beside the headline."""
    found = headline_gaps(tables, model).filter(is_spoken() & (pl.col("source") == OWN_TEXT))
    key = ["model", "condition"]
    return headline(tables.frame(GAPS), ANSWERED_PAIRS, model).join(found, on=key, how="semi", maintain_order="left")


def is_spoken() -> pl.Expr:
    """True for a condition with spoken answers."""
    return pl.col("condition").is_in([c.name for c in CONDITIONS if c.output is Modality.SPEECH])


def spoken_sources(tables: Tables, model: str | None = None) -> dict[str, list[str]]:
    """The spoken conditions by the source of their scores, own_text or transcript; unknown sources are left out."""
    rows = headline_accuracy(tables, model).filter(is_spoken() & pl.col("source").is_not_null())
    found: dict[str, list[str]] = {}
    for source, condition in rows.select("source", "condition").unique(maintain_order=True).iter_rows():
        found.setdefault(source, []).append(condition)
    return {source: found[source] for source in (OWN_TEXT, TRANSCRIPT) if source in found}


def headline_task_gaps(tables: Tables, model: str | None = None) -> pl.DataFrame:
    return headline(tables.frame(HEADLINE_GAPS_BY_TASK), ANSWERED_PAIRS, model)


def headline_effects(tables: Tables, model: str | None = None) -> pl.DataFrame:
    return headline(tables.frame(HEADLINE_EFFECTS), ANSWERED_PAIRS, model)


def headline_accuracy(tables: Tables, model: str | None = None) -> pl.DataFrame:
    return headline(tables.frame(HEADLINE_ACCURACY), ANSWERED_ONLY, model)


def headline_task_accuracy(tables: Tables, model: str | None = None) -> pl.DataFrame:
    return headline(tables.frame(HEADLINE_ACCURACY_BY_TASK), ANSWERED_ONLY, model)


def models_of(tables: Tables) -> list[str]:
    """Every model that has planned cells, in the order of the table of denominators."""
    return tables.frame(CONDITION_COUNTS)["model"].unique(maintain_order=True).to_list()


def alpha(analysis: Analysis) -> float:
    """1 - level."""
    # Rounded: 1 - 0.95 is 0.050000000000000044 and would be printed like that.
    return round(1 - analysis.options.intervals.level, 10)


def level_words(analysis: Analysis) -> str:
    return f"{100 * analysis.options.intervals.level:g} %"


def by_condition(rows: Iterable[RowT]) -> dict[str, RowT]:
    """The rows of one model by condition."""
    return {row.condition: row for row in rows}
