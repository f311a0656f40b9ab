"""Writes report.html: everything a run found, in one file that opens from disk and asks the network for nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.pipeline.folder import replacing
from omnigap_orchestrator.report import formatting, select
from omnigap_orchestrator.report.browser import LONGEST_TEXT, browser_data, chosen_cells, media_in_order
from omnigap_orchestrator.report.glossary import GLOSSARY
from omnigap_orchestrator.report.media import Catalogue, MediaPath, ReportMedia, collect_media
from omnigap_orchestrator.report.methods import methods_paragraphs, provenance
from omnigap_orchestrator.report.overview import model_views
from omnigap_orchestrator.report.run_info import RunInfo
from omnigap_orchestrator.report.sampling import Picked, pick_entries
from omnigap_orchestrator.report.sections import all_sections

MEDIA_BUDGET = 50_000_000
BROWSER_ENTRIES = 2_000


@dataclass(frozen=True, slots=True)
class ReportWritten:
    """What became of a report: for the last lines that a command prints."""

    path: Path
    bytes: int
    embedded: int
    linked: int
    missing: int
    shown: int
    entries: int


def write_report(
    target: Path,
    results: pl.DataFrame,
    analysis: Analysis,
    catalogue: Catalogue,
    info: RunInfo,
    *,
    media_path: MediaPath,
    single_file: bool = False,
    media_budget: int = MEDIA_BUDGET,
    browser_entries: int = BROWSER_ENTRIES,
    controls: pl.DataFrame | None = None,
) -> ReportWritten:
    """Writes the report of a run beside its media.

    Args:
        target: the HTML file; media are read from, and linked relative to, its folder.
        results: a frame of `RESULTS_SCHEMA`.
        media_path: SHA-256 of a medium -> its path relative to that folder, None where it is not stored.
        single_file: embed all media of the item browser, whatever they weigh.
        media_budget: bytes of base64 that embedded media may add; flips come first, the rest is linked.
        browser_entries: how many (item, model, replicate) the item browser holds at most.
        controls: a frame of `CONTROLS_SCHEMA`, whose answers the item browser shows beside the others.

    Raises:
        FolderError: where the file cannot be written; a report that was there before stays as it was.
    """
    picked = pick_entries(results, browser_entries)
    cells = chosen_cells(results, picked.entries)
    media = collect_media(media_in_order(cells), target.parent, media_path, _budget(media_budget, single_file))
    beside = None if controls is None else chosen_cells(controls, picked.entries)
    data = browser_data(cells, picked.entries, catalogue, media, beside)

    def collect(digests: Iterable[str], budget: int) -> ReportMedia:
        return collect_media(digests, target.parent, media_path, _budget(budget, single_file))

    page = (
        _environment()
        .get_template("report.html")
        .generate(
            info=info,
            analysis=analysis,
            level=select.level_words(analysis),
            counts=_run_counts(results),
            models=model_views(analysis, info.models),
            sections=all_sections(analysis, results, collect),
            definitions=GLOSSARY,
            methods=methods_paragraphs(results, analysis, info),
            provenance=provenance(info, results),
            picked=picked,
            browser_note=_browser_note(picked, media, data.longest_text),
            browser_json=Markup(data.document),
            payloads=_payloads(media),
        )
    )
    with replacing(target) as path, path.open("w", encoding="utf-8") as file:
        file.writelines(page)
    size = target.stat().st_size
    return ReportWritten(target, size, media.embedded, media.linked, media.missing, picked.entries.height, picked.total)


def _budget(size: int, single_file: bool) -> int | None:
    return None if single_file else size


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("omnigap_orchestrator.report"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    loader = environment.loader
    assert loader is not None

    def asset(name: str) -> Markup:
        # Our own files, so no escaping; none of them holds what would end its element.
        return Markup(loader.get_source(environment, name)[0])

    environment.globals["asset"] = asset
    environment.filters["short"] = formatting.short
    return environment


@dataclass(frozen=True, slots=True)
class RunCounts:
    """The sizes in the page's head."""

    items: str
    tasks: str
    models: str
    conditions: str
    cells: str


def _run_counts(results: pl.DataFrame) -> RunCounts:
    def distinct(column: str, word: str) -> str:
        return formatting.plural(results[column].n_unique(), word)

    return RunCounts(
        distinct("item_id", "item"),
        distinct("task", "task"),
        distinct("model", "model"),
        distinct("condition", "condition"),
        formatting.plural(results.height, "cell"),
    )


def _browser_note(picked: Picked, media: ReportMedia, longest: int) -> str:
    parts = []
    if picked.cut:
        flips = picked.entries.filter(pl.col("flips") > 0).height
        parts.append(
            f"The page holds {picked.entries.height:,} of {picked.total:,}, drawn evenly over models and tasks, flips "
            f"first: {flips:,} of the {picked.flipped:,} that have one. The whole table is beside this file:"
        )
    else:
        parts.append(f"The page holds all {picked.total:,}.")
    if media.linked:
        inside = formatting.plural(media.embedded, "medium is", "media are")
        parts.insert(
            0,
            f"{inside} in the page ({formatting.human_bytes(media.embedded_bytes)}); {media.linked:,} are linked, and "
            "play while the run folder lies beside it.",
        )
    if media.missing:
        found = formatting.plural(media.missing, "medium was", "media were")
        parts.insert(0, f"{found} not found in the run folder.")
    if longest < LONGEST_TEXT:
        parts.insert(0, f"Answers longer than {longest:,} characters are cut here.")
    return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Payload:
    place: int
    base64: str


def _payloads(media: ReportMedia) -> Iterator[Payload]:
    for place, medium in enumerate(media.media):
        if medium.embedded:
            yield Payload(place, medium.base64())
