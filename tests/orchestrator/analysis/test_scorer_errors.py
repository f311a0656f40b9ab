"""The table of the scorer's word errors: pooled over what can be compared, with an interval over items."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigap_orchestrator.analysis.scorer_errors import (
    KNOWN_ERRORS_SCHEMA,
    SCORER_ERRORS_SCHEMA,
    ScorerErrorsRow,
    scorer_errors,
)
from omnigap_orchestrator.analysis.table import rows_of


def answers(counts: list[tuple[int | None, int | None]], **columns: object) -> pl.DataFrame:
    """Transcribed answers with errors and words."""
    frame = pl.DataFrame(counts, schema={"wer_errors": pl.Int64, "wer_words": pl.Int64}, orient="row")
    values: dict[str, object] = {"model": "m", "outcome": "answered", "output": "speech", "transcript": "x", **columns}
    clusters = pl.Series("cluster", [f"q{number}" for number in range(len(counts))], pl.String)
    return frame.with_columns(clusters, *(pl.lit(value).alias(name) for name, value in values.items()))


def row(frame: pl.DataFrame) -> ScorerErrorsRow:
    (found,) = rows_of(frame, ScorerErrorsRow)
    return found


def test_errors_are_pooled_over_the_transcripts_that_have_an_own_text() -> None:
    found = row(scorer_errors(answers([(1, 4), (0, 6), (None, None), (3, 0)])))
    assert (found.against, found.model, found.wer) == ("own_text", "m", pytest.approx(0.1))
    assert (found.clips, found.clusters, found.errors, found.words) == (2, 2, 1, 10)


@pytest.mark.parametrize(
    "columns",
    [{"outcome": "failed"}, {"output": "text"}, {"transcript": None}, {"flags": ["silent"]}],
    ids=lambda columns: next(iter(columns)),
)
def test_other_cells_do_not_count(columns: dict[str, object]) -> None:
    others = answers([(5, 5)] * 4).with_columns(
        pl.lit(value, pl.String if value is None else None).alias(name) for name, value in columns.items()
    )
    assert scorer_errors(others).is_empty()


def test_a_model_without_own_text_has_a_row_without_a_rate() -> None:
    found = row(scorer_errors(answers([(None, None)] * 3)))
    assert (found.wer, found.low, found.clips) == (None, None, 0)


def test_tables_of_other_tools_have_no_rows() -> None:
    found = scorer_errors(pl.DataFrame({"model": ["m"], "item_id": ["a"], "score": [1.0]}))
    assert found.schema == SCORER_ERRORS_SCHEMA
    assert found.is_empty()


def test_few_texts_do_not_make_a_rate_certain() -> None:
    # Two items, both wrong: no evidence that a fifth of the words are.
    assert (row(scorer_errors(answers([(1, 1), (1, 1)]))).low or 0) < 0.2
    assert row(scorer_errors(answers([(1, 1)]))).low is None
    # No error in 100 words does not exclude one in 100.
    assert (row(scorer_errors(answers([(0, 5)] * 20))).high or 0) > 0.01


def test_voices_of_a_calibration_are_kept_apart() -> None:
    known = pl.DataFrame(
        [("joe", f"text {n}", 0, 2) for n in range(20)] + [(None, f"text {n}", 3, 2) for n in range(20)],
        schema=KNOWN_ERRORS_SCHEMA,
        orient="row",
    )
    found = rows_of(scorer_errors(answers([]), known), ScorerErrorsRow)
    assert [(r.against, r.voice, r.wer) for r in found] == [("calibration", "joe", 0.0), ("calibration", None, 1.5)]
    assert (found[1].low or 0) > 1


@given(
    counts=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=2, max_size=30),
    repeated=st.integers(1, 3),
)
def test_the_interval_contains_the_rate_and_replicates_do_not_narrow_it(
    counts: list[tuple[int, int]], repeated: int
) -> None:
    one = row(scorer_errors(answers(counts)))
    assert one.low is not None and one.high is not None and one.wer is not None
    # Two words are added to the interval, not to the rate.
    slack = 2 * max(1.0, one.high) / (one.words + 2)
    assert 0 <= one.low <= one.wer + slack
    assert one.high >= one.wer - slack
    several = row(scorer_errors(pl.concat([answers(counts)] * repeated)))
    assert several.wer == pytest.approx(one.wer)
    assert several.clusters == one.clusters


def test_the_interval_covers_the_true_rate_of_clustered_errors() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(300):
        rates = rng.beta(1, 4, 60)
        words = rng.integers(1, 9, 60)
        counts = [(int(rng.binomial(n, p)), int(n)) for n, p in zip(words, rates, strict=True)]
        found = row(scorer_errors(answers(counts)))
        covered += (found.low or 0) <= 0.2 <= (found.high or 0)
    assert covered >= 270
