"""Report section on read-back: carriers by verdict, lost and doubtful carriers, gaps over verified items."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.table import rows_of
from omnigap_orchestrator.extras.readback.check import Verdict, count_all, count_by_rendering
from omnigap_orchestrator.extras.readback.select import LISTED, CarrierCheck
from omnigap_orchestrator.report import formatting, select, tables
from omnigap_orchestrator.report.charts import Chart, Span, in_points, interval_plot, modality_of
from omnigap_orchestrator.report.media import ReportMedia
from omnigap_orchestrator.report.sections.section import Section, marked, model_column
from omnigap_orchestrator.report.tables import Cell, Column, Table, make_table

SELECTIONS = {"all": "all items", "not_lost": "without lost ones", "verified": "verified items"}


@dataclass(frozen=True, slots=True)
class _CountRow:
    """Carriers by verdict, of one modality, language and rendering."""

    modality: str
    language: str
    made_as: str
    generated: int
    kept: int
    doubtful: int
    lost: int
    unread: int
    own: int
    word_error: float | None
    readers: str


@dataclass(frozen=True, slots=True)
class _CarrierRow:
    """One carrier with its best readback."""

    item_id: str
    modality: str
    voice: str | None
    font: str | None
    media: str | None
    said: str | None
    read: str | None
    why: str | None


@dataclass(frozen=True, slots=True)
class _KeptGapRow:
    """A gap over one selection of items."""

    items_kept: str
    model: str
    condition: str
    estimate: float | None
    low: float | None
    high: float | None
    method: str | None
    n: int
    lacking: int
    reason: str | None


def verification_section(analysis: Analysis, check: CarrierCheck, media: ReportMedia) -> Section:
    """The section on read-back.

    Args:
        media: the media of `check.media()`.
    """
    charts = tuple(
        chart
        for number, model in enumerate(select.models_of(analysis))
        if (chart := _chart(analysis, check.gaps, model, number)) is not None
    )
    lost = _listed(check.listed(Verdict.LOST), "lost", "Lost carriers", media)
    doubtful = _listed(check.listed(Verdict.DOUBTFUL), "doubtful", "Doubtful carriers", media)
    unread = _listed(check.listed(Verdict.UNREAD), "unread", "Unread carriers", media)
    return Section(
        "verification",
        "Read-back of the carriers",
        "Carriers",
        _lead(check),
        after="asr",
        charts=charts,
        tables=tuple(table for table in (_counts(check), lost, _gaps(analysis, check)) if table.rows),
        folded=tuple(table for table in (doubtful, unread) if table.rows),
    )


def _lead(check: CarrierCheck) -> str:
    total = count_all(check.table)
    parts = [f"{total.kept:,} {_are(total.kept)} kept"]
    parts += [f"{total.doubtful:,} {_are(total.doubtful)} doubtful"] if total.doubtful else []
    parts += [f"{total.lost:,} lost content" if total.lost else "none is known to have lost content"]
    parts += [f"{total.unread:,} {_are(total.unread)} unread"] if total.unread else []
    own = f" {formatting.plural(total.own, 'carrier')} came with the items and were not read back." if total.own else ""
    verified = check.verified.verified.len()
    return (
        "Every image question was read back with OCR and every spoken question with ASR, and compared with its text. "
        f"Of {formatting.plural(total.generated, 'generated carrier')}, {formatting.listed(parts)}.{own} "
        f"{verified:,} of {formatting.plural(check.verified.items.height, 'item')} {_are(verified)} verified: all "
        "their carriers are kept. A carrier that was misread is doubtful, because the error may be the reader's. It is "
        "lost only if a reliable reader finds no trace of half of its words or of several consecutive words, or if two "
        "reliable readers miss the same key piece."
    )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _counts(check: CarrierCheck) -> Table:
    frame = count_by_rendering(check.table).with_columns((pl.col("carriers") - pl.col("own")).alias("generated"))
    return make_table(
        frame,
        _CountRow,
        "carriers",
        "Carriers by verdict",
        [
            tables.text("modality", "Modality"),
            tables.text("language", "Language"),
            tables.optional(tables.text("made_as", "Rendering", css="soft")),
            tables.count("generated", "Generated"),
            tables.count("kept", "Kept", definition="verified"),
            tables.count("doubtful", "Doubtful", zero_soft=True),
            tables.count("lost", "Lost", zero_soft=True),
            tables.count("unread", "Unread", zero_soft=True),
            tables.count("own", "From the item", zero_soft=True),
            tables.percent("word_error", "Word error rate, %"),
            tables.text("readers", "Read by", css="soft"),
        ],
        small="one carrier for each item and voice or font; word error rate of its best readback",
    )


def _listed(frame: pl.DataFrame, key: str, caption: str, media: ReportMedia) -> Table:
    return make_table(
        frame,
        _CarrierRow,
        f"carriers-{key}",
        caption,
        [
            tables.text("item_id", "Item"),
            Column("Carrier", _carrier),
            Column("Media", lambda row: _medium(row, media)),
            tables.text("said", "Expected text", css="words"),
            tables.optional(tables.text("read", "Text read", css="words")),
            tables.text("why", "Reason", css="soft words"),
        ],
        note=f"The first {LISTED} carriers; verification.parquet has all." if frame.height == LISTED else "",
    )


def _carrier(row: _CarrierRow) -> Cell:
    # A font can be given by its path.
    how = row.voice if row.modality == "speech" else Path(row.font).name if row.font else None
    return Cell(f"{row.modality}, {how}" if how else row.modality, css="soft")


def _medium(row: _CarrierRow, media: ReportMedia) -> Cell:
    place = media.index.get(row.media or "")
    if place is None or media.media[place].kind == "missing":
        return Cell(formatting.NOTHING, exact=row.media or "")
    return Cell("", exact=row.media, medium=media.media[place])


def _gaps(analysis: Analysis, check: CarrierCheck) -> Table:
    return make_table(
        check.gaps,
        _KeptGapRow,
        "gaps-verified",
        "Gaps over all and over verified items",
        [
            tables.text("items_kept", "Items", write=lambda name: SELECTIONS[name]),
            *model_column(analysis),
            tables.condition(),
            tables.points("estimate", "Gap", definition="gap"),
            tables.interval("low", "high", f"{select.level_words(analysis)} interval"),
            tables.count("n", "n", definition="n"),
            tables.optional(tables.count("lacking", "Missing", definition="missing", zero_soft=True)),
            tables.method(),
        ],
        small="points of accuracy; item-weighted, on answered pairs",
        note="An item is kept in all conditions or in none. What a reader reads back easily may be easy for a model "
        "too, especially if both are of the same kind, so verified items can be easier than others.",
    )


def _chart(analysis: Analysis, gaps: pl.DataFrame, model: str, number: int) -> Chart | None:
    """The gap of each condition with spoken or image questions, over each selection of items."""
    # Text questions are not rendered, so t2s is not affected by lost carriers.
    rows = gaps.filter((pl.col("model") == model) & ~pl.col("condition").str.starts_with("t"))
    if rows["items_kept"].n_unique() < 2 or rows["estimate"].is_null().all():
        return None
    spans: list[Span] = []
    for condition in rows["condition"].unique(maintain_order=True):
        modality = modality_of(condition)
        spans.append(Span(condition, heading=True))
        for row in rows_of(rows.filter(pl.col("condition") == condition), _KeptGapRow):
            spans.append(_span(row, modality))
    level = select.level_words(analysis)
    title = f"{marked(analysis, model)}: gaps over all and over verified items, {level} intervals"
    return interval_plot(spans, f"verified{number + 1}", title, "gap, points of accuracy", row=28, left=124)


def _span(row: _KeptGapRow, modality: str) -> Span:
    label = SELECTIONS[row.items_kept]
    if row.estimate is None:
        return Span(label, note="refused")
    note = f"{formatting.points(row.estimate)}  {formatting.interval(row.low, row.high, difference=True)}"
    estimate, low, high = in_points(row.estimate), in_points(row.low), in_points(row.high)
    return Span(label, estimate, low, high, note, modality, hollow=row.items_kept != "verified")
