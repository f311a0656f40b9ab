"""The tables `levels` and `spreads`: gaps by voice, font and other carrier factors.

They show whether a gap belongs to the modality or to single voices or fonts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl
from scipy import stats

from omnigap_orchestrator.analysis.choose_interval import Sample, mean_interval
from omnigap_orchestrator.analysis.contrasts import ANSWERED_PAIRS, ITEM_WEIGHTED
from omnigap_orchestrator.analysis.gap import adjusted, gaps
from omnigap_orchestrator.analysis.options import IntervalOptions, MissingRule
from omnigap_orchestrator.analysis.pairs import FloatArray, IntArray, is_scored, item_scores, score_matrices
from omnigap_orchestrator.analysis.table import IntervalColumns, Table, schema_of


@dataclass(frozen=True)
class _LevelKey:
    model: str
    condition: str
    reference: str
    # voice, words_per_minute, font, font_size, colour, background or image_width.
    factor: str
    level: str


@dataclass(frozen=True, slots=True)
class LevelRow(IntervalColumns, _LevelKey):
    """The paired gap of one condition with the carriers of one level only."""

    lacking: int
    p: float | None
    # Holm over the levels of one factor in one condition of one model.
    p_adjusted: float | None
    reason: str | None


LEVELS_SCHEMA = schema_of(LevelRow)


@dataclass(frozen=True, slots=True)
class SpreadRow:
    """The gap of one condition over all levels of a factor."""

    model: str
    condition: str
    reference: str
    factor: str
    levels: int
    # Items with a score at every level, which the row is computed on, and items without.
    items: int
    left_out: int
    # Mean gap over the levels, with an interval for these levels (items random) and one beyond them, for a population
    # of levels (items and levels random).
    estimate: float
    low: float | None
    high: float | None
    low_beyond: float | None
    high_beyond: float | None
    # Smallest and largest gap of a level.
    lowest: float
    highest: float
    # Standard deviation between levels (0 for a negative variance component), and the p of the F test that it is 0.
    level_sd: float
    p_levels: float | None
    # Factors that are confounded with this one: not every combination of levels is equally frequent.
    mixed_with: str
    # A value of `Finding`.
    finding: str


SPREADS_SCHEMA = schema_of(SpreadRow)

FACTORS = ("voice", "words_per_minute", "font", "font_size", "colour", "background", "image_width")
"""Columns of the results that describe how a carrier was made."""

# Separates a condition from the index of a level; no condition contains it.
_SEPARATOR = "\x1f"

# Column of the reference's scores next to one column per level. A level may be called anything, such as "reference".
_BASE = f"{_SEPARATOR}reference"


class Finding(StrEnum):
    """What the levels of a factor say about a gap."""

    # The interval of the mean gap over these levels contains 0.
    NO_GAP = "no_gap"
    # A gap that holds beyond these levels: the interval for a population of levels excludes 0 as well.
    MODALITY = "modality"
    # A gap with these levels; they are too few or too different to generalise.
    THESE_LEVELS = "these_levels"
    # All items change by the same amount, so there is no interval.
    NO_INTERVAL = "no_interval"
    # The levels differ, and at least one of them has no significant gap: the level matters more than the modality.
    LEVEL = "level"


@dataclass(frozen=True, slots=True)
class TwoWay:
    """Two-way ANOVA of an items x levels table with one value per cell: grand mean and mean squares."""

    mean: float
    ms_item: float
    ms_level: float
    ms_residual: float
    items: int
    levels: int

    @classmethod
    def of(cls, values: FloatArray) -> TwoWay:
        """The ANOVA of `values`, shape (items, levels).

        Raises:
            ValueError: fewer than two items or levels.
        """
        items, levels = values.shape
        if items < 2 or levels < 2:
            raise ValueError(f"a two-way table needs at least 2 items and 2 levels, not {items} and {levels}")
        grand = values.mean()
        by_item, by_level = values.mean(axis=1), values.mean(axis=0)
        residual = np.square(values - by_item[:, None] - by_level[None, :] + grand).sum() / ((items - 1) * (levels - 1))
        item = levels * np.square(by_item - grand).sum() / (items - 1)
        level = items * np.square(by_level - grand).sum() / (levels - 1)
        return cls(float(grand), float(item), float(level), float(residual), items, levels)

    @property
    def level_variance(self) -> float:
        """Variance component of the levels, (MS_level - MS_residual) / items; can be negative."""
        return (self.ms_level - self.ms_residual) / self.items

    @property
    def p_levels(self) -> float:
        """p of the F test that the levels do not differ; NaN if nothing varies."""
        if self.ms_residual <= 0:
            return 0.0 if self.ms_level > 0 else math.nan
        degrees = self.levels - 1, (self.items - 1) * (self.levels - 1)
        return float(stats.f.sf(self.ms_level / self.ms_residual, *degrees))

    def half_width_beyond(self, level: float) -> float:
        """Half width of the interval of the mean for a population of items and levels.

        Var = (MS_item + MS_level - MS_residual) / (items x levels), which is s2_item / I + s2_level / L + s2_residual /
        IL (Searle, Casella and McCulloch, Variance Components, 1992, chapter 4). Each part takes the t quantile of its
        own degrees of freedom (Howe 1974, Journal of the American Statistical Association 69:789).
        """
        # Satterthwaite's single number of degrees of freedom covered only 86 to 93 % with two or three levels.
        # With two levels MS_residual is not subtracted: they may be close by chance, and 1 degree of freedom can't show
        # it. The interval is wide then.
        levels = self.ms_level if self.levels == 2 else max(0.0, self.ms_level - self.ms_residual)
        square = sum(
            float(stats.t.ppf((1 + level) / 2, count - 1)) ** 2 * part
            for count, part in ((self.items, self.ms_item), (self.levels, levels))
        )
        return math.sqrt(square / (self.items * self.levels))


def varying_factors(cells: pl.DataFrame) -> tuple[str, ...]:
    """The factors with at least two levels in these cells."""
    return tuple(f for f in FACTORS if f in cells.columns and cells[f].drop_nulls().n_unique() > 1)


def level_gaps(results: pl.DataFrame, reference: str, rule: MissingRule, options: IntervalOptions) -> pl.DataFrame:
    """The gap of each condition with the carriers of one level only, for each factor that varies.

    Returns:
        A frame of `LEVELS_SCHEMA`; empty if no factor varies.
    """
    frames = [pl.DataFrame(schema=LEVELS_SCHEMA)]
    for cells in _conditions(results, reference):
        model, condition = cells["model"][0], cells["condition"][0]
        against = results.filter((pl.col("model") == model) & (pl.col("condition") == reference))
        if against.is_empty():
            continue
        for factor in varying_factors(cells):
            # Each level becomes a separate condition, so that `gaps` computes the rest.
            levels = cells[factor].drop_nulls().unique().sort().to_list()
            places = {level: f"{condition}{_SEPARATOR}{place}" for place, level in enumerate(levels)}
            as_conditions = cells.filter(pl.col(factor).is_not_null()).with_columns(
                pl.col(factor).replace_strict(places, return_dtype=pl.String).alias("condition")
            )
            scores = score_matrices(item_scores(pl.concat([against, as_conditions])))
            rows = gaps(scores, reference, rule, options).filter(
                (pl.col("pooling") == ITEM_WEIGHTED) & (pl.col("missing") == ANSWERED_PAIRS)
            )
            names = {place: _level_text(level) for level, place in places.items()}
            rows = adjusted(rows, ("model",), "levels").with_columns(
                pl.lit(factor).alias("factor"),
                pl.col("condition").replace_strict(names, return_dtype=pl.String).alias("level"),
                pl.lit(condition).alias("condition"),
            )
            frames.append(rows.select(LEVELS_SCHEMA.names()).cast(LEVELS_SCHEMA))
    return pl.concat(frames)


def spreads(results: pl.DataFrame, reference: str, options: IntervalOptions, by_level: pl.DataFrame) -> pl.DataFrame:
    """Mean gap over the levels, spread and finding of each factor that varies.

    Args:
        by_level: result of `level_gaps`.

    Returns:
        A frame of `SPREADS_SCHEMA`, without a row for a factor with a refused level.
    """
    rows: list[tuple[object, ...]] = []
    for cells in _conditions(results, reference):
        model, condition = cells["model"][0], cells["condition"][0]
        against = results.filter((pl.col("model") == model) & (pl.col("condition") == reference) & is_scored())
        base = against.group_by("item_id").agg(pl.col("score").mean().alias(_BASE))
        factors = varying_factors(cells)
        for factor in factors:
            here = by_level.filter(
                (pl.col("model") == model) & (pl.col("condition") == condition) & (pl.col("factor") == factor)
            )
            found = _table(cells, base, factor)
            # If the gap of one level is refused, a mean over the levels would hide that.
            if found is None or here["estimate"].null_count():
                continue
            values, clusters, left_out = found
            # Items of a cluster are dependent: the rows of the ANOVA are cluster means.
            two_way = TwoWay.of(_by_cluster(values, clusters))
            mean = float(values.mean())
            low, high = _interval(values, clusters, options)
            half = two_way.half_width_beyond(options.level)
            # Never narrower than for these levels only, and a gap lies between -1 and 1.
            beyond = max(-1.0, min(low, mean - half)), min(1.0, max(high, mean + half))
            p_levels = two_way.p_levels
            rows.append(
                (
                    model,
                    condition,
                    reference,
                    factor,
                    values.shape[1],
                    values.shape[0],
                    left_out,
                    mean,
                    low,
                    high,
                    *beyond,
                    float(values.mean(axis=0).min()),
                    float(values.mean(axis=0).max()),
                    math.sqrt(max(0.0, two_way.level_variance)),
                    p_levels,
                    ", ".join(other for other in factors if other != factor and not _balanced(cells, factor, other)),
                    _finding((low, high), beyond, p_levels, here, 1 - options.level).value,
                )
            )
    return pl.DataFrame(rows, schema=SPREADS_SCHEMA, orient="row").fill_nan(None)


def _conditions(results: pl.DataFrame, reference: str) -> list[pl.DataFrame]:
    """The cells of each model and condition except the reference in which some factor varies."""
    if not varying_factors(results):
        return []
    others = results.filter(pl.col("condition") != reference)
    parts = others.partition_by("model", "condition", maintain_order=True)
    return [part for part in parts if varying_factors(part)]


def _table(cells: pl.DataFrame, base: pl.DataFrame, factor: str) -> tuple[FloatArray, IntArray, int] | None:
    """Gaps of items with a score at every level, shape (items, levels), their cluster codes, and the items left out.

    None with fewer than two clusters or levels.
    """
    made = cells.filter(pl.col(factor).is_not_null())
    scored = made.filter(is_scored())
    means = scored.group_by("item_id", "cluster", factor).agg(pl.col("score").mean())
    wide = means.sort(factor, "item_id").pivot(factor, index=["item_id", "cluster"], values="score")
    full = wide.drop_nulls().join(base, on="item_id")
    levels = [name for name in wide.columns if name not in ("item_id", "cluster")]
    if full["cluster"].n_unique() < 2 or len(levels) < 2:
        return None
    clusters = full["cluster"].rank("dense").to_numpy().astype(np.int64) - 1
    left_out = made["item_id"].n_unique() - full.height
    return full.select(pl.col(name) - pl.col(_BASE) for name in levels).to_numpy(), clusters, left_out


def _by_cluster(values: FloatArray, clusters: IntArray) -> FloatArray:
    sizes = np.bincount(clusters)
    return np.stack([np.bincount(clusters, weights=column) / sizes for column in values.T], axis=1)


def _interval(values: FloatArray, clusters: IntArray, options: IntervalOptions) -> tuple[float, float]:
    sample = Sample(values.mean(axis=1), clusters, np.zeros_like(clusters), binary=False, difference=True)
    found = mean_interval(sample, options)
    return found.low, found.high


def _balanced(cells: pl.DataFrame, one: str, other: str) -> bool:
    """Whether every combination of the levels of two factors is equally frequent."""
    counts = cells.drop_nulls([one, other]).group_by(one, other).len()
    pairs = counts[one].n_unique() * counts[other].n_unique()
    return counts.height == pairs and counts["len"].n_unique() == 1


def _finding(
    whole: tuple[float, float],
    beyond: tuple[float, float],
    p_levels: float,
    by_level: pl.DataFrame,
    alpha: float,
) -> Finding:
    shown = by_level.filter((pl.col("low") > 0) | (pl.col("high") < 0)).height
    differ = not math.isnan(p_levels) and p_levels < alpha
    if differ and 0 < shown < by_level.height:
        return Finding.LEVEL
    if math.isnan(whole[0]):
        return Finding.NO_INTERVAL
    if not _excludes_zero(whole):
        return Finding.NO_GAP
    return Finding.MODALITY if _excludes_zero(beyond) else Finding.THESE_LEVELS


def _excludes_zero(interval: tuple[float, float]) -> bool:
    return interval[0] > 0 or interval[1] < 0


def _level_text(level: object) -> str:
    """A level as text, 150 for 150.0."""
    return f"{level:g}" if isinstance(level, float) else str(level)


LEVELS = Table(
    name="levels",
    row=LevelRow,
    compute=lambda given: level_gaps(
        given.results, given.options.reference, given.options.missing, given.options.intervals
    ),
)

SPREADS = Table(
    name="spreads",
    row=SpreadRow,
    compute=lambda given: spreads(given.results, given.options.reference, given.options.intervals, given[LEVELS]),
)
