"""The table `waterfall`: a gap as a chain of paired differences from the reference to a condition, which add up to it.

The two-pass control (arXiv 2603.09095) separates perception from reasoning, and the own text of a speech answer (OMG,
arXiv 2609.15313) the choice of words from speech synthesis and ASR.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import polars as pl

from omnigap.vocabulary import Control
from omnigap_orchestrator.analysis.choose_interval import Sample, bootstrap_interval
from omnigap_orchestrator.analysis.options import IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.pairs import (
    NEEDED_COLUMNS,
    ModelScores,
    item_scores,
    own_text_scored,
    score_matrices,
)
from omnigap_orchestrator.analysis.table import IntervalColumns, Table, schema_of


@dataclass(frozen=True)
class _StepKey:
    model: str
    condition: str
    order: int
    # Name of the step; last "gap", the sum of the steps.
    step: str
    formula: str


@dataclass(frozen=True, slots=True)
class StepRow(IntervalColumns, _StepKey):
    """One step of the chain from the reference to a condition."""

    lacking: int
    reason: str | None


WATERFALL_SCHEMA = schema_of(StepRow)

OWN = " own text"
TWO_PASS = " two-pass"

PERCEPTION, INPUT_REASONING, INPUT = "perception", "input_reasoning", "input"
OUTPUT_MODE, SYNTHESIS_AND_ASR, OUTPUT = "output_mode", "synthesis_and_asr", "output"
GAP = "gap"


@dataclass(frozen=True, slots=True)
class Step:
    """One difference of the chain: its name, and the conditions or pseudo-conditions that it is computed from."""

    name: str
    start: str
    end: str


def waterfall(
    results: pl.DataFrame,
    rule: MissingRule,
    options: IntervalOptions,
    controls: pl.DataFrame | None = None,
    reference: str = "t2t",
) -> pl.DataFrame:
    """The steps of every gap of every model, on the items that have all scores of the chain.

    - perception: the model's text answer to its own transcript or reading of the carrier, minus the reference
    - input_reasoning: the direct answer minus that (both together are `input` without a two-pass control)
    - output_mode: the own text of the speech answer minus the text answer to the same input
    - synthesis_and_asr: the transcribed answer minus its own text (both together are `output` without own texts)

    Args:
        results: with `own_text_score`, which separates the last two steps. An empty own text is wrong if the model
            gives own texts (`own_text`); a null one is missing.
        controls: control cells, with the same columns and `control`; the two-pass cells are used.

    Returns:
        A frame of `WATERFALL_SCHEMA`: the steps in order and then the gap, which is their sum.
    """
    parts = [results.select(NEEDED_COLUMNS)]
    if "own_text_score" in results.columns:
        speech = own_text_scored(results.filter(pl.col("condition").str.ends_with("2s")))
        parts.append(_renamed(speech.with_columns(score=pl.col("own_text_score")), OWN))
    if controls is not None:
        parts.append(_renamed(controls.filter(pl.col("control") == Control.TWO_PASS.value), TWO_PASS))
    rows: list[tuple[object, ...]] = []
    for scores in score_matrices(item_scores(pl.concat(parts))):
        for condition in scores.conditions:
            if condition != reference and len(condition) == 3 and condition[1] == "2":
                rows += _chain_rows(scores, condition, chain(scores, condition, reference), rule, options)
    return pl.DataFrame(rows, schema=WATERFALL_SCHEMA, orient="row").fill_nan(None)


def _renamed(frame: pl.DataFrame, suffix: str) -> pl.DataFrame:
    return frame.with_columns(pl.col("condition") + suffix).select(NEEDED_COLUMNS)


def chain(scores: ModelScores, condition: str, reference: str) -> list[Step]:
    """The steps from the reference to a condition, as fine as the scores allow; empty if an end is missing."""
    # From a spoken reference, the input step would change the output as well.
    if reference[1:] != "2t":
        return []

    def is_available(name: str) -> bool:
        return name in scores.conditions and bool((scores.scored[:, scores.column(name)] > 0).any())

    text = f"{condition[0]}2t"
    points = [("", reference)]
    if text != reference:
        # Only the same words as typed text (t2t) isolate perception.
        if reference == "t2t" and is_available(text + TWO_PASS):
            points += [(PERCEPTION, text + TWO_PASS), (INPUT_REASONING, text)]
        else:
            points.append((INPUT, text))
    if condition != text:
        if is_available(condition + OWN):
            points += [(OUTPUT_MODE, condition + OWN), (SYNTHESIS_AND_ASR, condition)]
        else:
            points.append((OUTPUT, condition))
    if not all(name in scores.conditions for _, name in points):
        return []
    return [Step(name, start, end) for (_, start), (name, end) in itertools.pairwise(points)]


def _chain_rows(
    scores: ModelScores, condition: str, steps: list[Step], rule: MissingRule, options: IntervalOptions
) -> list[tuple[object, ...]]:
    if not steps:
        return []
    columns = [scores.column(name) for name in (steps[0].start, *(step.end for step in steps))]
    planned = scores.where(np.all(scores.planned[:, columns] > 0, axis=1))
    lacking = int(planned.lacking(columns).sum())
    # One set of items for all steps: on different items they would not add up to the gap.
    held = planned.where(~np.any(np.isnan(planned.score[:, columns]), axis=1))
    n, clusters = len(held.task), len(np.unique(held.cluster))
    reason = None
    if n == 0:
        reason = f"none of {len(planned.task)} planned items has all the scores of the chain"
    elif rule.refuses(lacking, len(planned.task)):
        reason = f"refused: {lacking} of {len(planned.task)} planned items lack a score of the chain"
    rows: list[tuple[object, ...]] = []
    for index, step in enumerate((*steps, Step(GAP, steps[0].start, steps[-1].end))):
        formula = f"{step.end} - {step.start}"
        head = (scores.model, condition, index, step.name, formula)
        tail = (n, clusters, len(planned.task), lacking, reason)
        if reason is not None:
            rows.append((*head, None, None, None, None, *tail))
            continue
        ends = held.score[:, [held.column(step.end), held.column(step.start)]]
        binary = bool((held.planned[:, columns] == 1).all() and np.isin(ends, (0.0, 1.0)).all())
        sample = Sample(ends[:, 0] - ends[:, 1], held.cluster, held.task, binary, difference=True)
        interval = bootstrap_interval(sample, options)
        # Difference of means, not mean of differences: the steps then add up to the last digit.
        estimate = float(ends[:, 0].mean()) - float(ends[:, 1].mean())
        rows.append((*head, estimate, interval.low, interval.high, interval.method, *tail))
    return rows


WATERFALL = Table(
    name="waterfall",
    row=StepRow,
    compute=lambda given: waterfall(
        given.results, given.options.missing, given.options.intervals, given.controls, given.options.reference
    ),
)
