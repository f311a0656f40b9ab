"""Draws spoken answers for human ears: evenly over model, condition and right or wrong, with known probabilities."""

from __future__ import annotations

import numpy as np
import polars as pl

from omnigap_orchestrator.analysis.instrument.human import RIGHT_FROM
from omnigap_orchestrator.extras.asr_correction.labels import clip_ids

MIN_PER_STRATUM = 2
"""Fewer labels than this in a stratum tell nothing of how much they vary."""


def draw_clips(results: pl.DataFrame, n: int, seed: int) -> pl.DataFrame:
    """A stratified sample without replacement, in an order that tells nothing.

    Strata are model x condition x scored right or wrong. Each gets an even share, a small one all that it has, and what
    it leaves goes to the others; wrong answers are few where a model is good, and they are where the scorer errs.

    Returns:
        The sampled rows of the results, with `clip`, `stratum` (a number), `stratum_size` and `inclusion_probability`.
    """
    held = clip_ids(results).with_columns(right=pl.col("score") >= RIGHT_FROM)
    if held.is_empty():
        return held.with_columns(stratum=pl.lit(0), stratum_size=pl.lit(0), inclusion_probability=pl.lit(1.0)).drop(
            "right"
        )
    keys = ["model", "condition", "right"]
    held = held.with_columns(stratum=(pl.struct(keys).rank("dense") - 1).cast(pl.Int64))
    rng = np.random.default_rng([seed, 4])
    codes = held["stratum"].to_numpy()
    sizes = np.bincount(codes)
    shares = even_shares(sizes.tolist(), n)
    rows = [rng.choice(np.flatnonzero(codes == code), share, replace=False) for code, share in enumerate(shares)]
    chosen = rng.permutation(np.concatenate(rows))
    size = sizes[codes]
    probability = np.array(shares)[codes] / size
    held = held.with_columns(stratum_size=pl.Series(size), inclusion_probability=pl.Series(probability))
    return held.select(pl.all().gather(chosen.tolist())).drop("right")


def even_shares(sizes: list[int], n: int) -> list[int]:
    """How many of each stratum: as even as the sizes allow, at least two of each where there are two."""
    least = [min(size, MIN_PER_STRATUM) for size in sizes]
    shares, left = least, max(0, n - sum(least))
    while left > 0:
        open_strata = [code for code, size in enumerate(sizes) if shares[code] < size]
        if not open_strata:
            break
        # The emptiest first, so that the last few go where they even things out.
        for code in sorted(open_strata, key=lambda code: (shares[code], code))[:left]:
            shares[code] += 1
            left -= 1
    return shares
