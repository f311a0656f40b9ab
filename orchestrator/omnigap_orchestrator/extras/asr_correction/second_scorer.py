"""A second ASR scorer beside the first: both on the same answers, paired by item, and the difference between them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.choose_interval import Sample, mean_interval
from omnigap_orchestrator.analysis.options import IntervalOptions
from omnigap_orchestrator.analysis.pairs import FloatArray, is_scored
from omnigap_orchestrator.config import ScorerConfig
from omnigap_orchestrator.extras.asr_correction.corrected import CALIBRATED, CalibratedRow
from omnigap_orchestrator.fleet import Role
from omnigap_orchestrator.pipeline.cells import SECOND_SCORER, PlannedCells
from omnigap_orchestrator.pipeline.context import RunContext, ServiceCalls, call_for_each
from omnigap_orchestrator.pipeline.requests import transcribe_request
from omnigap_orchestrator.pipeline.scope import RunScope
from omnigap_orchestrator.pool import Unavailable, CallFailed
from omnigap_orchestrator.report import tables
from omnigap_orchestrator.report.sections.section import model_column
from omnigap_orchestrator.report.tables import Table, make_table


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """Both scorers on the cells that both have heard, replicates averaged within the item; NaN where there are none.

    Attributes:
        score, first_score, n: mean over items by the second and by the first scorer, and the number of items.
        cells: answers that both have heard.
        difference: second minus first on these, with its interval and the method of that.
        gap, first_gap, gap_n: mean gap by each, over the items that have the reference as well.
    """

    score: float = np.nan
    first_score: float = np.nan
    n: int = 0
    cells: int = 0
    difference: float = np.nan
    low: float = np.nan
    high: float = np.nan
    method: str | None = None
    gap: float = np.nan
    first_gap: float = np.nan
    gap_n: int = 0


def second_opinions(
    results: pl.DataFrame, reference: str, spoken: Iterable[tuple[str, str]], options: IntervalOptions
) -> dict[tuple[str, str], SecondOpinion]:
    """By model and spoken condition; empty where the table has no `second_score`.

    A reference that is spoken is the second scorer's own in its gaps, and both scorers' gaps stand on the items of
    which both have heard both ends; a written one is the same for both.

    Args:
        spoken: the (model, condition) pairs whose answers the scorers hear.
    """
    if "second_score" not in results.columns:
        return {}
    scored = results.filter(is_scored()).with_columns(pl.col("cluster").fill_null(pl.col("item_id")))
    both = _by_item(scored.filter(pl.col("second_score").is_not_null()))
    written = _by_item(scored.filter(condition=reference).with_columns(second_score=pl.col("score")))
    pairs = set(spoken)
    out: dict[tuple[str, str], SecondOpinion] = {}
    for model, condition in sorted(pairs):
        held = both.filter(model=model, condition=condition)
        if held.is_empty():
            continue
        ends = (both if (model, reference) in pairs else written).filter(model=model, condition=reference)
        paired = held.join(ends.select("item_id", base="score", second_base="second_score"), on="item_id")
        out[model, condition] = _opinion(held, paired.clear() if condition == reference else paired, options)
    return out


def _by_item(cells: pl.DataFrame) -> pl.DataFrame:
    return (
        cells.group_by("model", "condition", "item_id", "task", "cluster")
        .agg(pl.col("score").mean(), pl.col("second_score").mean(), cells=pl.len())
        .sort("model", "condition", "item_id")
    )


def _opinion(held: pl.DataFrame, paired: pl.DataFrame, options: IntervalOptions) -> SecondOpinion:
    first, second = _values(held, "score"), _values(held, "second_score")
    apart = second - first
    binary = bool((held["cells"] == 1).all() and np.isin(np.concatenate([first, second]), (0.0, 1.0)).all())
    sample = Sample(apart, _codes(held["cluster"]), _codes(held["task"]), binary, difference=True)
    interval = mean_interval(sample, options, "second scorer", held["model"][0], held["condition"][0])
    base, second_base = _values(paired, "base"), _values(paired, "second_base")
    return SecondOpinion(
        score=float(second.mean()),
        first_score=float(first.mean()),
        n=held.height,
        cells=int(held["cells"].sum()),
        difference=float(apart.mean()),
        low=interval.low,
        high=interval.high,
        method=interval.method,
        gap=_mean(_values(paired, "second_score") - second_base),
        first_gap=_mean(_values(paired, "score") - base),
        gap_n=paired.height,
    )


def _values(frame: pl.DataFrame, name: str) -> FloatArray:
    return frame[name].cast(pl.Float64).to_numpy()


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _codes(labels: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    _, codes = np.unique(labels.to_numpy().astype(str), return_inverse=True)
    return np.asarray(codes, dtype=np.int64)


# A second scorer transcribes the same answers: its scores beside the first's show how much depends on the choice.


@dataclass(frozen=True, slots=True)
class _Job:
    key: str
    media_sha: str
    language: str


async def transcribe_again(context: RunContext, cells: PlannedCells, scope: RunScope, second: ScorerConfig) -> None:
    """Has every stored spoken answer transcribed by the second scorer; what it did is not repeated.

    A run is whole without it: what it has not transcribed is only missing from the comparison.

    Raises:
        JournalError: where the disk is full.
        ServiceError: where its replicas differ.
    """
    config, note = cells.config, context.observer.note
    if not second.endpoints:
        return
    service = await context.connect("second scorer", second.endpoints, config)
    if service is None:
        note(f"the second scorer is away ({', '.join(second.endpoints)}): its transcripts can be had later")
        return
    await context.save_service(Role.SCORER, SECOND_SCORER, service)
    cells.meet_second_scorer(service.card)
    if cells.scorers_are_the_same:
        note("the second scorer is the same service as the first: it can tell nothing new")

    def away(gone: Unavailable) -> None:
        note(f"the second scorer: {gone}; what it has not heard can be had later")

    await _transcribe(context, cells, scope, second, ServiceCalls(service, config.run.request_timeout_s, away))


async def _transcribe(
    context: RunContext, cells: PlannedCells, scope: RunScope, config: ScorerConfig, calls: ServiceCalls
) -> None:
    jobs = list(dict.fromkeys(_jobs(context, cells, scope)))
    todo = [job for job in jobs if job.key not in context.records.transcripts]
    failures: list[CallFailed] = []

    async def transcribe(job: _Job) -> None:
        data = await asyncio.to_thread(context.store.read, job.media_sha)
        request_id = f"{context.run_id}-{job.key}"
        answer = await calls.call(transcribe_request(data, request_id, config.decoding, job.language, calls.digest))
        await context.save_transcript(job.key, answer)

    def failed(_: _Job, failure: CallFailed) -> None:
        failures.append(failure)
        if len(failures) == 1:
            context.observer.note(f"the second scorer: {failure.error.message}")

    progress = (context.observer, "transcripts by the second scorer", len(jobs))
    await call_for_each(todo, transcribe, calls, progress, failed)
    if failures:
        text = f"the second scorer could not hear {len(failures)} answers: the same command asks it again"
        context.observer.note(text)


def _jobs(context: RunContext, cells: PlannedCells, scope: RunScope) -> Iterator[_Job]:
    for planned in cells:
        cell, answer = planned.cell, context.records.answers.get(planned.key or "")
        if answer is None or answer.media_sha is None or not planned.is_spoken:
            continue
        if scope.covers(cell.model, cell.condition) and context.store.exists(answer.media_sha):
            key = cells.second_transcript_key(answer.media_sha, planned.item)
            assert key is not None
            yield _Job(key, answer.media_sha, cells.second_language(planned.item))


# The table of two ASR scorers on the same answers: what each makes of them, and how far they lie apart.


def second_scorer_table(analysis: Analysis, level: str) -> Table:
    """One row a spoken condition that the second scorer has heard; no rows without one."""
    return make_table(
        analysis.frame(CALIBRATED).filter(pl.col("second_n") > 0),
        CalibratedRow,
        "second-scorer",
        "Two scorers on the same answers",
        [
            *model_column(analysis),
            tables.condition(),
            tables.percent("second_first", "First scorer, raw, %", definition="second_scorer"),
            tables.percent("second_scorer", "Second scorer, raw, %", definition="second_scorer"),
            tables.points("second_difference", "Second minus first", definition="second_scorer"),
            tables.interval("second_low", "second_high", f"{level} interval"),
            tables.count("second_n", "n", definition="n"),
            tables.count("second_cells", "Answers both heard"),
            tables.optional(tables.points("second_first_gap", "Gap by the first", definition="gap")),
            tables.optional(tables.points("second_gap", "Gap by the second", definition="gap")),
            tables.optional(tables.count("second_gap_n", "Pairs", definition="n")),
            tables.method("second_method"),
        ],
        small="both on the answers that both have heard, paired by item; differences and gaps in points",
    )
