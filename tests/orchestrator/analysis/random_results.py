"""Random tables of results for property tests: few or many items, clusters, tasks, replicates, missing answers."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import strategies as st

from tests.orchestrator.analysis.made_up_results import drawn

_ACCURACIES = st.sampled_from([0.001, 0.3, 0.7, 0.98, 0.999])


@st.composite
def random_results(draw: st.DrawFn, models: tuple[str, ...] = ("alpha",)) -> pl.DataFrame:
    """Six conditions of accuracies from floor to ceiling; an answer is missing by chance."""
    seed = draw(st.integers(0, 10_000))
    frame = drawn(
        draw(st.integers(2, 60)),
        models=models,
        cluster_size=draw(st.sampled_from([1, 1, 3, 10])),
        replicates=draw(st.sampled_from([1, 1, 2])),
        graded=draw(st.booleans()),
        accuracies=draw(st.tuples(*[_ACCURACIES] * 6)),
        tasks=draw(st.sampled_from([("places",), ("places", "science"), ("places", "science", "language")])),
        seed=seed,
    )
    rng = np.random.default_rng(seed)
    missing = pl.Series(rng.random(frame.height) < draw(st.sampled_from([0.0, 0.02, 0.3])))
    answers = pl.Series(rng.choice(["paris", "rome", "oslo", ""], frame.height))
    return frame.with_columns(
        score=pl.when(~missing).then("score"),
        outcome=pl.when(missing).then(pl.lit("failed")).otherwise(pl.lit("answered")),
        answer_used=answers,
        normalised_answer=answers,
        chance=pl.lit(draw(st.sampled_from([None, 0.0, 0.25])), pl.Float64),
    )
