"""The whole analysis on a simulated table of results: seconds of CPU and peak memory, by number of models and items.

    python benchmarks/analysis_scale.py [--models 10] [--items 16667]

The default is a million cells: 10 models x 16,667 items x six conditions, with own texts, transcripts, times and
missing answers. Prints the machine.
"""

from __future__ import annotations

import resource
import sys
import time

import click
import numpy as np
import polars as pl
from asr_batching import processor

from omnigap.vocabulary import CONDITIONS, Architecture, Modality
from omnigap_orchestrator.analysis import analyse
from omnigap_orchestrator.results import RESULTS_SCHEMA

_TASKS = ("places", "science", "language", "people_and_works", "numbers_and_dates", "multiple_choice", "counting")
_MISSING = 0.005


def made_up(models: int, items: int, seed: int = 0) -> pl.DataFrame:
    """A table with the columns of `RESULTS_SCHEMA`: items differ in difficulty, conditions in accuracy."""
    rng = np.random.default_rng(seed)
    difficulty = rng.normal(0, 1, items)
    types = tuple(Architecture)
    parts = []
    for model in range(models):
        for condition in CONDITIONS:
            spoken = condition.output is Modality.SPEECH
            skill = 0.9 - 0.1 * spoken - 0.15 * (condition.input is not Modality.TEXT) + 0.05 * model / models
            right = rng.normal(0, 1, items) < skill - 0.6 * difficulty
            own = right | (rng.random(items) < 0.05)
            there = rng.random(items) >= _MISSING
            said = pl.Series(np.where(right, "paris", "rome")).to_frame("text")["text"]
            parts.append(
                pl.DataFrame(
                    {
                        "item_id": [f"item-{number}" for number in range(items)],
                        "task": [_TASKS[number % len(_TASKS)] for number in range(items)],
                        "score": np.where(there, right.astype(float), np.nan),
                        "own_text_score": np.where(there & spoken, own.astype(float), np.nan),
                        "latency_s": rng.gamma(2.0, 0.4 + 0.6 * spoken, items),
                        "audio_seconds": rng.gamma(2.0, 0.5, items) if spoken else np.full(items, np.nan),
                        "compute_s": rng.gamma(2.0, 0.3, items),
                        "wer_words": np.full(items, 3 if spoken else 0),
                        "wer_errors": rng.binomial(3, 0.05, items),
                    },
                    nan_to_null=True,
                ).with_columns(
                    run=pl.lit("scale"),
                    model=pl.lit(f"model-{model}"),
                    architecture=pl.lit(types[model % len(types)].value),
                    language=pl.lit("en"),
                    cluster=pl.col("item_id"),
                    answer_type=pl.lit("entity"),
                    input=pl.lit(condition.input.value),
                    output=pl.lit(condition.output.value),
                    condition=pl.lit(condition.name),
                    replicate=pl.lit(0, pl.Int32),
                    outcome=pl.when(pl.Series(there)).then(pl.lit("answered")).otherwise(pl.lit("failed")),
                    support=pl.lit("native"),
                    flags=pl.lit([], dtype=pl.List(pl.String)),
                    own_text=said,
                    answer_used=said,
                    transcript=said if spoken else pl.lit(None, pl.String),
                    metric=pl.lit("containment"),
                )
            )
    frame = pl.concat(parts)
    missing = {name: pl.lit(None, kind) for name, kind in RESULTS_SCHEMA.items() if name not in frame.columns}
    return frame.with_columns(**missing).select(pl.col(name).cast(kind) for name, kind in RESULTS_SCHEMA.items())


@click.command()
@click.option("--models", default=10, show_default=True)
@click.option("--items", default=16_667, show_default=True)
def main(models: int, items: int) -> None:
    """Analyse a simulated table of MODELS x ITEMS x 6 cells."""
    table = made_up(models, items)
    before = _peak_mib()
    wall, cpu = time.perf_counter(), time.process_time()
    found = analyse(table)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"machine: {processor()}, Python {sys.version.split()[0]}, polars {pl.__version__}")
    print(f"{table.height:,} cells, {models} models: {cpu:.1f} s of CPU, {wall:.1f} s by the clock")
    print(f"peak memory {_peak_mib():,} MiB, of which the table itself took {before:,}")
    print(f"{sum(frame.height for frame in found.frames.values()):,} rows in {len(found.frames)} tables")


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
