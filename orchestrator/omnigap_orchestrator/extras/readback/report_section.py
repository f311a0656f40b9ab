"""What the report is told of the carriers: who read them back, what became of each, and the gaps that this leaves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.analysis.table import rows_of
from omnigap_orchestrator.extras.readback.check import Verdict, counts, found
from omnigap_orchestrator.extras.readback.select import LISTED, CarrierCheck
from omnigap_orchestrator.report import formatting, select, tables
from omnigap_orchestrator.report.charts import Chart, Span, in_points, interval_plot, modality_of
from omnigap_orchestrator.report.media import ReportMedia
from omnigap_orchestrator.report.sections.section import Section, model_column
from omnigap_orchestrator.report.tables import Cell, Column, Table, make_table

KEPT_WORDS = {"all": "all items", "not_lost": "without lost ones", "verified": "verified items"}


@dataclass(frozen=True, slots=True)
class _CountRow:
    """Carriers by verdict, of one modality, language and way of making."""

    modality: str
    language: str
    made_as: str
    made: int
    kept: int
    doubtful: int
    lost: int
    unread: int
    own: int
    word_error: float | None
    readers: str


@dataclass(frozen=True, slots=True)
class _CarrierRow:
    """One carrier with its best reading."""

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
    """A gap on one choice of items."""

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
    """What became of every carrier that was read back, and the gaps on the items that this leaves.

    Args:
        media: the media of `check.media()`.
    """
    charts = tuple(
        chart
        for number, model in enumerate(select.models_of(analysis))
        if (chart := _chart(check.gaps, model, number, select.level_words(analysis))) is not None
    )
    lost = _listed(check.listed(Verdict.LOST), "lost", "Carriers that lost their content", media)
    doubtful = _listed(check.listed(Verdict.DOUBTFUL), "doubtful", "Doubtful carriers", media)
    unread = _listed(check.listed(Verdict.UNREAD), "unread", "Carriers that nobody read", media)
    return Section(
        "verification",
        "Do the carriers say their questions?",
        "Carriers",
        _lead(check),
        after="asr",
        charts=charts,
        tables=tuple(table for table in (_counts(check), lost, _gaps(analysis, check)) if table.rows),
        folded=tuple(table for table in (doubtful, unread) if table.rows),
    )


def _lead(check: CarrierCheck) -> str:
    total = found(check.table)
    made = total.kept + total.doubtful + total.lost + total.unread
    parts = [f"{total.kept:,} were read back whole"]
    parts += [f"{total.doubtful:,} {_are(total.doubtful)} doubtful"] if total.doubtful else []
    parts += [f"{total.lost:,} lost content" if total.lost else "none is known to have lost content"]
    parts += [f"{total.unread:,} {_are(total.unread)} unread"] if total.unread else []
    own = f" {formatting.plural(total.own, 'carrier')} came with the items and were not converted." if total.own else ""
    verified = check.verified.verified.len()
    return (
        f"Every drawn question was read back by OCR and every recording by ASR, and compared with what it should say. "
        f"Of {formatting.plural(made, 'made carrier')}, {formatting.listed(parts)}.{own} {verified:,} of "
        f"{formatting.plural(check.verified.items.height, 'item')} are verified: every carrier of theirs came back whole. A "
        "reader's error is not a carrier's: where one reader misread, the carrier is doubtful, and lost only where a "
        "reader that reads most others finds no trace of much of it, or two readers miss the same piece."
    )


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _counts(check: CarrierCheck) -> Table:
    frame = counts(check.table).with_columns((pl.col("carriers") - pl.col("own")).alias("made"))
    return make_table(
        frame,
        _CountRow,
        "carriers",
        "Carriers by verdict",
        [
            tables.text("modality", "Modality"),
            tables.text("language", "Language"),
            tables.optional(tables.text("made_as", "Made as", css="soft")),
            tables.count("made", "Made"),
            tables.count("kept", "Kept", definition="verified"),
            tables.count("doubtful", "Doubtful", zero_soft=True),
            tables.count("lost", "Lost", zero_soft=True),
            tables.count("unread", "Unread", zero_soft=True),
            tables.count("own", "The item's own", zero_soft=True),
            tables.percent("word_error", "Word error, %", definition="wer"),
            tables.text("readers", "Read by", css="soft"),
        ],
        small="a carrier for each item and voice or font; word error of its best reading",
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
            Column("To see and hear", lambda row: _medium(row, media)),
            tables.text("said", "Should say", css="words"),
            tables.optional(tables.text("read", "Was read as", css="words")),
            tables.text("why", "Why", css="soft words"),
        ],
        note=f"The first {LISTED}; the rest are in verification.parquet." if frame.height == LISTED else "",
    )


def _carrier(row: _CarrierRow) -> Cell:
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
        "Gaps on all and on verified items",
        [
            tables.text("items_kept", "Items", write=lambda name: KEPT_WORDS[name]),
            *model_column(analysis),
            tables.condition(),
            tables.points("estimate", "Gap", definition="gap"),
            tables.interval("low", "high", f"{select.level_words(analysis)} interval"),
            tables.count("n", "n", definition="n"),
            tables.optional(tables.count("lacking", "Lacking", definition="missing", zero_soft=True)),
            tables.method(),
        ],
        small="points of accuracy; item-weighted, on answered pairs",
        note="An item is in all conditions or in none. What a reader reads back easily a model may read easily too, "
        "most of all where both are of one kind: verified items can be the easier ones.",
    )


def _chart(gaps: pl.DataFrame, model: str, number: int, level: str) -> Chart | None:
    """Each condition with spoken or shown questions: the gap on all items, and on what the check leaves."""
    rows = gaps.filter((pl.col("model") == model) & ~pl.col("condition").str.starts_with("t"))
    if rows["items_kept"].n_unique() < 2 or rows["estimate"].is_null().all():
        return None
    spans: list[Span] = []
    for condition in rows["condition"].unique(maintain_order=True):
        modality = modality_of(condition)
        spans.append(Span(condition, heading=True))
        for row in rows_of(rows.filter(pl.col("condition") == condition), _KeptGapRow):
            spans.append(_span(row, modality))
    title = f"{model}: gaps on all and on verified items, {level} intervals"
    return interval_plot(spans, f"verified{number + 1}", title, "gap, points of accuracy", row=28, left=124)


def _span(row: _KeptGapRow, modality: str) -> Span:
    label = KEPT_WORDS[row.items_kept]
    if row.estimate is None:
        return Span(label, note="refused")
    note = f"{formatting.points(row.estimate)}  {formatting.interval(row.low, row.high, difference=True)}"
    estimate, low, high = in_points(row.estimate), in_points(row.low), in_points(row.high)
    return Span(label, estimate, low, high, note, modality, hollow=row.items_kept != "verified")
