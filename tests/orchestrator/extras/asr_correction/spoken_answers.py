"""A table of spoken and text answers for tests of samples and labels."""

from __future__ import annotations

import numpy as np
import polars as pl


def answers(n: int = 200, models: tuple[str, ...] = ("a", "b"), right: float = 0.8) -> pl.DataFrame:
    """Spoken and written answers; a share of each model's is right."""
    rng = np.random.default_rng(7)
    frames = [
        pl.DataFrame(
            {
                "model": model,
                "item_id": [f"q{i}" for i in range(n)],
                "task": "t",
                "cluster": [f"q{i}" for i in range(n)],
                "condition": condition,
                "output": "speech" if condition.endswith("s") else "text",
                "replicate": 0,
                "outcome": "answered",
                "score": (rng.random(n) < right).astype(float),
                "output_media": [f"{model}{condition}{i}" for i in range(n)],
            }
        )
        for model in models
        for condition in ("t2t", "t2s", "s2s")
    ]
    return pl.concat(frames)
