"""The headline rows of the analysis, for the report and the terminal: item-weighted, on answered cells and pairs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

import polars as pl

from omnigap_orchestrator.analysis import Analysis, Tables
from omnigap_orchestrator.analysis.accuracy import ACCURACY, ACCURACY_BY_TASK, ANSWERED_ONLY
from omnigap_orchestrator.analysis.contrasts import ANSWERED_PAIRS, headline
from omnigap_orchestrator.analysis.denominators import CONDITION_COUNTS
from omnigap_orchestrator.analysis.gap import EFFECTS, GAPS, GAPS_BY_TASK


class ConditionRowLike(Protocol):
    """A row of one condition."""

    @property
    def condition(self) -> str: ...


RowT = TypeVar("RowT", bound=ConditionRowLike)


def headline_gaps(tables: Tables, model: str | None = None) -> pl.DataFrame:
    """The gaps of the matrix and the forest plot."""
    return headline(tables.frame(GAPS), ANSWERED_PAIRS, model)


def headline_task_gaps(tables: Tables, model: str | None = None) -> pl.DataFrame:
    return headline(tables.frame(GAPS_BY_TASK), ANSWERED_PAIRS, model)


def headline_effects(tables: Tables, model: str | None = None) -> pl.DataFrame:
    return headline(tables.frame(EFFECTS), ANSWERED_PAIRS, model)


def headline_accuracy(tables: Tables, model: str | None = None) -> pl.DataFrame:
    return headline(tables.frame(ACCURACY), ANSWERED_ONLY, model)


def headline_task_accuracy(tables: Tables, model: str | None = None) -> pl.DataFrame:
    return headline(tables.frame(ACCURACY_BY_TASK), ANSWERED_ONLY, model)


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
