"""The item browser of the report: which items it shows, and its data as one JSON document."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import polars as pl

from omnigap.vocabulary import CONDITIONS, REFERENCE, Control, Outcome
from omnigap_orchestrator.analysis.pairs import ordered_conditions
from omnigap_orchestrator.report.media import Catalogue, ReportMedia

RIGHT_FROM = 0.5
"""A score of at least this counts as right in the browser. Tables use the score itself."""

FLIP_SHARE = 0.75
"""Largest share of flips in a sample: answers that did not flip must be visible too."""

ENTRY = ("model", "item_id", "replicate")


@dataclass(frozen=True, slots=True)
class EntrySample:
    """The entries of the browser; an entry is one item, model and replicate: a cell per condition.

    Attributes:
        entries: columns model, item_id, replicate, flips (number of conditions that are wrong while the reference is
            right); most flips first.
        total: number of entries of the run.
        flipped: number of those with a flip.
    """

    entries: pl.DataFrame
    total: int
    flipped: int

    @property
    def is_partial(self) -> bool:
        return self.entries.height < self.total


SIX = tuple(condition.name for condition in CONDITIONS)


def browser_conditions(results: pl.DataFrame, reference: str) -> tuple[str, ...]:
    """The conditions of the browser, the reference first: the six, or those of results with other conditions."""
    names = results["condition"].unique().to_list()
    if set(names) <= set(SIX):
        return SIX
    return (reference, *(name for name in ordered_conditions(names) if name != reference))


def sample_entries(results: pl.DataFrame, limit: int, reference: str = REFERENCE.name) -> EntrySample:
    """Sorts all entries by their number of flips, and keeps `limit` of them, balanced over model x task.

    Args:
        reference: the condition that flips are counted against.
    """
    right = pl.col("score") >= RIGHT_FROM
    wrong = (pl.col("score") < RIGHT_FROM) & (pl.col("outcome") == Outcome.ANSWERED.value)
    is_reference = pl.col("condition") == reference
    entries = (
        results.group_by(*ENTRY)
        .agg(
            pl.col("task").first(),
            (right & is_reference).any().fill_null(False).alias("known"),
            wrong.fill_null(False).sum().alias("wrong"),
        )
        .with_columns(pl.when("known").then("wrong").otherwise(0).cast(pl.Int32).alias("flips"))
        # A seeded hash of the item id instead of a random draw: the same report from the same run, on every machine,
        # and independent of the order of the items file.
        .with_columns((pl.col("flips") > 0).alias("flipped"), pl.col("item_id").hash(seed=7).alias("draw"))
        # Rank within the stratum; taking entries by rank takes them round-robin over the strata.
        .with_columns(
            pl.struct(-pl.col("flips"), "draw", "item_id", "replicate")
            .rank("ordinal")
            .over("model", "task", "flipped")
            .alias("rank")
        )
    )
    total, flipped = entries.height, int(entries["flipped"].sum())
    ordered = entries.sort("rank", "task", "model", "item_id", "replicate")
    if total > limit:
        flips, others = ordered.filter("flipped"), ordered.filter(~pl.col("flipped"))
        # Each part may use the places that the other leaves empty.
        places = max(round(limit * FLIP_SHARE), limit - others.height)
        ordered = pl.concat([flips.head(places), others.head(limit - min(places, flips.height))])
    ordered = ordered.sort("flips", "rank", "task", "model", "item_id", "replicate", descending=[True] + [False] * 5)
    return EntrySample(ordered.select(*ENTRY, "flips"), total, flipped)


# The browser parses the whole document when the page opens, so its size has a bound.
TEXT_BUDGET = 16_000_000
"""Maximum number of characters of answers in the page; all answers are truncated further until they fit."""

# Answers are cut to the first length at most, and never below the second, which is enough to judge an answer by.
LONGEST_TEXT = 8_000
SHORTEST_TEXT = 200

_TEXTS = ("own_text", "transcript", "error_reason", "error_message", "finish_reason", "metric")
_NUMBERS = (
    "score",
    "own_text_score",
    "audio_seconds",
    "latency_s",
    "asr_avg_logprob",
    "asr_no_speech_prob",
    "asr_compression_ratio",
)
_MEDIA = ("input_media", "output_media")


@dataclass(frozen=True, slots=True)
class BrowserData:
    """The JSON that browser.js reads.

    Attributes:
        document: the JSON, safe inside a `<script>` element.
        longest_text: number of characters that answers were truncated to.
    """

    document: str
    longest_text: int


def chosen_cells(results: pl.DataFrame, entries: pl.DataFrame, conditions: Sequence[str] = SIX) -> pl.DataFrame:
    """The cells of the chosen entries, sorted by `entry` (index of the entry) and `place` (index of the condition)."""
    places = {name: place for place, name in enumerate(conditions)}
    return (
        results.join(entries.with_row_index("entry"), on=list(ENTRY), how="inner")
        .with_columns(pl.col("condition").replace_strict(places, default=None, return_dtype=pl.Int64).alias("place"))
        .filter(pl.col("place").is_not_null())
        .sort("entry", "place")
    )


def media_in_order(cells: pl.DataFrame) -> Iterator[str]:
    """Digests of the media, entry by entry: the order in which they are embedded until the budget is spent."""
    for row in cells.select(_MEDIA).iter_rows():
        yield from (digest for digest in row if digest)


def browser_data(
    cells: pl.DataFrame,
    entries: pl.DataFrame,
    catalogue: Catalogue,
    media: ReportMedia,
    controls: pl.DataFrame | None = None,
    conditions: Sequence[str] = SIX,
    names: Mapping[str, str] = MappingProxyType({}),
) -> BrowserData:
    """The JSON document of the browser.

    Cells are stored in flat columns: the cell of entry e in condition c is at index `n * e + c`, with n conditions; -1
    or null if there is no such cell. Flat columns take a fraction of the bytes of one JSON object per cell.

    Args:
        cells: from `chosen_cells`.
        media: the media of these cells.
        controls: control cells, from `chosen_cells`; only their texts and scores are shown.
        names: model -> the name that is shown; default: its name.
    """
    strings = _Strings()
    # Indexes are stored instead of names: with thousands of entries the same model, task and question repeat.
    longest = _fitting_length(cells)
    width = len(conditions)
    size = entries.height * width
    spread = _spread_over(cells, size, width)

    columns: dict[str, list[Any]] = {"outcome": spread((strings.add(v) for v in cells["outcome"]), -1)}
    for name in _TEXTS:
        columns[name] = spread((strings.add(_cut(v, longest)) for v in cells[name]), -1)
    for name in _NUMBERS:
        columns[name] = spread(map(_number, cells[name]), None)
    for name in _MEDIA:
        columns[name] = spread((media.index.get(v, -1) if v else -1 for v in cells[name]), -1)
    columns["flags"] = spread((strings.add(" ".join(v or ())) for v in cells["flags"].to_list()), -1)
    read = [_reading(catalogue, *row) for row in cells.select(_READ).iter_rows()]
    columns["parsed"] = spread((strings.add(_cut(parsed, longest)) for parsed, _ in read), -1)
    columns["step"] = spread((strings.add(step.replace("_", " ")) for _, step in read), -1)
    columns["support"] = spread((strings.add(v) for v in cells["support"]), -1)

    items = entries["item_id"].unique(maintain_order=True).to_list()
    item_place = {item: place for place, item in enumerate(items)}
    tasks = dict(cells.select("item_id", "task").unique("item_id", keep="first").iter_rows())
    # Voice and font belong to the carriers, so all cells of an entry that have one have the same.
    heads = cells.group_by("entry", maintain_order=True).agg(pl.col("voice", "font").drop_nulls().first()).sort("entry")
    words = [catalogue.get(item) for item in items]
    models = sorted(set(entries["model"]))
    document = {
        "conditions": list(conditions),
        # The six fill a grid of question and answer modalities; other conditions are listed.
        "grid": tuple(conditions) == SIX,
        "rightFrom": RIGHT_FROM,
        "models": models,
        "names": [names.get(model, model) for model in models],
        "tasks": sorted(set(tasks.values())),
        "items": {
            "id": items,
            "task": [tasks[item] for item in items],
            "question": [w.question for w in words],
            "choices": [list(w.choices) for w in words],
            "instruction": [w.instruction for w in words],
            "answers": [list(w.answers) for w in words],
        },
        "entries": {
            "model": [models.index(m) for m in entries["model"]],
            "item": [item_place[i] for i in entries["item_id"]],
            "replicate": entries["replicate"].to_list(),
            "flips": entries["flips"].to_list(),
            "voice": [strings.add(v) for v in heads["voice"]],
            "font": [strings.add(v) for v in heads["font"]],
        },
        "cells": columns,
        "controls": _control_columns(controls, size, width, strings, longest),
        "media": {
            "kind": [m.kind for m in media.media],
            "mime": [m.mime_type for m in media.media],
            "text": [m.text for m in media.media],
            "link": [m.link for m in media.media],
        },
        "strings": strings.values,
    }
    return BrowserData(script_json(document), longest)


_READ = ("item_id", "condition", "own_text", "transcript", "metric")


def _reading(
    catalogue: Catalogue, item: str, condition: str, own: str | None, transcript: str | None, metric: str | None
) -> tuple[str, str]:
    """What scoring read from the scored text of a cell, and by which step."""
    text = transcript if condition.endswith("s") else own
    return ("", "") if text is None or metric is None else catalogue.read(item, text, metric)


_Spread = Callable[[Iterable[Any], Any], list[Any]]


def _spread_over(cells: pl.DataFrame, size: int, width: int) -> _Spread:
    """A function that puts the values of these cells at their indexes in a column of `size` values."""
    places = (cells["entry"].cast(pl.Int64) * width + cells["place"]).to_list()

    def spread(values: Iterable[Any], nothing: Any) -> list[Any]:
        column = [nothing] * size
        for place, value in zip(places, values, strict=True):
            column[place] = value
        return column

    return spread


def _control_columns(
    controls: pl.DataFrame | None, size: int, width: int, strings: _Strings, longest: int
) -> dict[str, dict[str, list[Any]]]:
    """Flat columns of each kind of control: the scored answer, its score, and the text of a first pass."""
    columns: dict[str, dict[str, list[Any]]] = {}
    for control in Control:
        held = pl.DataFrame() if controls is None else controls.filter(pl.col("control") == control.value)
        if held.is_empty():
            continue
        spread = _spread_over(held, size, width)
        columns[control.value] = {
            "outcome": spread((strings.add(v) for v in held["outcome"]), -1),
            "answer": spread((strings.add(_cut(v, longest)) for v in held["answer_used"]), -1),
            "first": spread((strings.add(_cut(v, longest)) for v in held["first_pass"]), -1),
            "reason": spread((strings.add(v) for v in held["error_reason"]), -1),
            "score": spread(map(_number, held["score"]), None),
        }
    return columns


def script_json(document: object) -> str:
    """JSON that is safe inside a `<script>` element.

    `<`, `>` and `&` are escaped so that no text can close the element; U+2028 and U+2029 because JavaScript before
    ES2019 takes them for line ends inside a string.
    """
    # allow_nan=False: Python would write NaN, which JSON.parse rejects, and the page would have no browser at all.
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


class _Strings:
    """A table of distinct strings: models and replicates often give the same answer."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self._places: dict[str, int] = {}

    def add(self, value: str | None) -> int:
        if not value:
            return -1
        place = self._places.get(value)
        if place is None:
            place = self._places[value] = len(self.values)
            self.values.append(value)
        return place


def _cut(value: str | None, longest: int) -> str | None:
    return value if value is None or len(value) <= longest else value[:longest] + "\u2026"


def _number(value: float | None) -> float | None:
    # Four decimals are more than the page shows, and keep the document small.
    return None if value is None or not math.isfinite(value) else round(value, 4)


def _fitting_length(cells: pl.DataFrame) -> int:
    """The length to truncate answers to, halved until all of them fit the budget."""
    lengths: Sequence[pl.Series] = [cells[name].drop_nulls().unique().str.len_chars() for name in _TEXTS]
    longest = LONGEST_TEXT
    while longest > SHORTEST_TEXT and sum(int(s.clip(upper_bound=longest).sum()) for s in lengths) > TEXT_BUDGET:
        longest //= 2
    return longest
