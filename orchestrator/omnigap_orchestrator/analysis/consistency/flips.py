"""The list of flips: items right in one condition and wrong in the reference, or the reverse, with what was said."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from omnigap_orchestrator.analysis.consistency.rates import RIGHT_AT
from omnigap_orchestrator.analysis.rows import schema_of
from omnigap_orchestrator.analysis.scores.pairs import is_scored


@dataclass(frozen=True, slots=True)
class FlipRow:
    """One cell that is right where the reference is wrong, or the reverse."""

    model: str
    item_id: str
    task: str | None
    condition: str
    replicate: int
    # lost: right in the reference only; gained: right here only.
    direction: str
    score: float | None
    reference_score: float | None
    answer_used: str | None
    reference_answer: str | None
    own_text: str | None
    transcript: str | None
    input_media: str | None
    output_media: str | None
    reference_input_media: str | None


FLIPS_SCHEMA = schema_of(FlipRow)


def flips(results: pl.DataFrame, reference: str) -> pl.DataFrame:
    """Cells that are right where the reference is wrong (gained) or wrong where it is right (lost), with what was said.

    Replicates are matched by number, the reference's first one standing in where it has no such replicate.

    Returns:
        A frame of `FLIPS_SCHEMA`, lost ones first.
    """
    said = ("answer_used", "own_text", "transcript", "input_media", "output_media")
    lacking = [pl.lit(None, pl.String).alias(name) for name in said if name not in results.columns]
    if "replicate" not in results.columns:
        lacking.append(pl.lit(0, pl.Int32).alias("replicate"))
    cells = results.lazy().filter(is_scored()).with_columns(lacking)
    reference_cells = (
        cells.filter(pl.col("condition") == reference)
        .sort("replicate")
        .unique(subset=["model", "item_id"], keep="first", maintain_order=True)
        .select(
            "model",
            "item_id",
            reference_score="score",
            reference_answer="answer_used",
            reference_input_media="input_media",
        )
    )
    right, reference_right = pl.col("score") >= RIGHT_AT, pl.col("reference_score") >= RIGHT_AT
    return (
        cells.filter(pl.col("condition") != reference)
        .join(reference_cells, on=["model", "item_id"])
        .filter(right != reference_right)
        .with_columns(direction=pl.when(right).then(pl.lit("gained")).otherwise(pl.lit("lost")))
        .sort("model", "direction", "condition", "item_id", "replicate", descending=[False, True, False, False, False])
        .select(FLIPS_SCHEMA.names())
        .collect()
        .cast(FLIPS_SCHEMA)
    )
