"""Tables of calibration clips for tests."""

from __future__ import annotations

import polars as pl


def clips(rows: list[tuple[str, str, str, bool]], answer_type: str = "entity") -> pl.DataFrame:
    """Clips of (item, clip_kind, text, scored right)."""
    frame = pl.DataFrame(rows, schema=["item_id", "clip_kind", "spoken", "scored_right"], orient="row")
    return frame.with_columns(
        answer_type=pl.lit(answer_type),
        language=pl.lit("en"),
        outcome=pl.lit("answered"),
        truly_right=pl.col("clip_kind") == "gold",
        truth=pl.col("spoken"),
        transcript=pl.col("spoken"),
        voice=pl.lit(None, pl.String),
    )


def typical_clips(errors: int = 4, n: int = 40) -> pl.DataFrame:
    """n clips of each kind: `errors` gold answers are scored wrong, and every fourth confusable right."""
    golds = [(f"q{i}", "gold", f"gold {i}", i >= errors) for i in range(n)]
    distractors = [(f"q{i}", "distractor", f"plain {i}", False) for i in range(n)]
    confusables = [(f"q{i}", "confusable", f"alike {i}", i % 4 == 0) for i in range(n)]
    return clips([*golds, *distractors, *confusables])
