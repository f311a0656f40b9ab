"""Writes report.html: one file with all results of a run, which opens from disk without network access."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.pipeline.folder import replacing
from omnigap_orchestrator.report import formatting, select
from omnigap_orchestrator.report.browser import (
    LONGEST_TEXT,
    EntrySample,
    browser_conditions,
    browser_data,
    chosen_cells,
    media_in_order,
    sample_entries,
)
from omnigap_orchestrator.report.glossary import GLOSSARY
from omnigap_orchestrator.report.media import Catalogue, MediaPath, ReportMedia, collect_media
from omnigap_orchestrator.report.methods import methods_paragraphs, provenance
from omnigap_orchestrator.report.overview import model_views, overview_conditions
from omnigap_orchestrator.report.run_info import RunInfo
from omnigap_orchestrator.report.sections import all_sections
from omnigap_orchestrator.report.sections.section import marked
from omnigap_orchestrator.report.statements import across_models_text, spoken_models_text
from omnigap_orchestrator.report.warnings import RANDOM_WEIGHTS, run_warnings

MEDIA_BUDGET = 50_000_000
BROWSER_ENTRIES = 2_000


@dataclass(frozen=True, slots=True)
class ReportWritten:
    """Size of a report, and how many media and entries it contains."""

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
    """Writes the report of a run.

    Args:
        target: the HTML file; media are read from its folder, and linked relative to it.
        results: a frame of `RESULTS_SCHEMA`.
        media_path: SHA-256 of a medium -> its path relative to that folder, None if it is not stored.
        single_file: embed all media, regardless of their size.
        media_budget: bytes of base64 that embedded media may add; flips are embedded first, the rest is linked.
        browser_entries: maximum number of (item, model, replicate) entries in the item browser.
        controls: a frame of `CONTROLS_SCHEMA`; the item browser shows these answers too.

    Raises:
        FolderError: the file can't be written; an existing report is kept unchanged.
    """
    conditions = browser_conditions(results, analysis.options.reference)
    sample = sample_entries(results, browser_entries, conditions[0])
    cells = chosen_cells(results, sample.entries, conditions)
    media = collect_media(media_in_order(cells), target.parent, media_path, _budget(media_budget, single_file))
    control_cells = None if controls is None else chosen_cells(controls, sample.entries, conditions)
    names = {model: marked(analysis, model) for model in analysis.random_weights}
    data = browser_data(cells, sample.entries, catalogue, media, control_cells, conditions, names)

    # Sections of extras have a separate budget, so that they can't take that of the item browser.
    def collect(digests: Iterable[str], budget: int) -> ReportMedia:
        return collect_media(digests, target.parent, media_path, _budget(budget, single_file))

    models = model_views(analysis, info.models, imported=info.imported)
    page = (
        _environment()
        .get_template("report.html")
        .generate(
            info=info,
            policy=content_policy(_environment(), PAGE_SCRIPTS, PAGE_STYLES),
            analysis=analysis,
            level=select.level_words(analysis),
            counts=_run_counts(results),
            models=models,
            overview_conditions=overview_conditions(models),
            warnings=run_warnings(info, analysis),
            alarm=RANDOM_WEIGHTS,
            across_models=" ".join(
                (
                    spoken_models_text(analysis),
                    across_models_text(analysis, analysis.options.intervals.level, analysis.random_weights),
                )
            ).strip(),
            sections=all_sections(analysis, results, collect),
            definitions=GLOSSARY,
            methods=methods_paragraphs(results, analysis, info),
            provenance=provenance(info, results),
            sample=sample,
            browser_conditions=conditions,
            browser_note=_browser_note(sample, media, data.longest_text, stored=not info.imported),
            browser_json=Markup(data.document),
            payloads=_payloads(media),
        )
    )
    # `generate` streams: embedded media are read one at a time while the page is written.
    with replacing(target) as path, path.open("w", encoding="utf-8") as file:
        file.writelines(page)
    size = target.stat().st_size
    return ReportWritten(target, size, media.embedded, media.linked, media.missing, sample.entries.height, sample.total)


PAGE_SCRIPTS, PAGE_STYLES = ("page.js", "browser.js"), ("style.css", "browser.css")


def content_policy(environment: Environment, scripts: Sequence[str], styles: Sequence[str]) -> Markup:
    """The Content-Security-Policy of a page whose inline scripts and style sheets are these files of the package.

    No other script runs, whatever the texts of services and items contain, and nothing is loaded or sent by network.
    `style` attributes stay allowed: cells of tables and shapes of charts have one each.
    """
    loader = environment.loader
    assert loader is not None

    def hashes(names: Sequence[str]) -> str:
        digests = (hashlib.sha256(loader.get_source(environment, name)[0].encode()).digest() for name in names)
        return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)

    sources = {
        "default-src": "'none'",
        "script-src": hashes(scripts),
        "style-src": hashes(styles),
        "style-src-attr": "'unsafe-inline'",
        "img-src": "data: file: 'self'",
        "media-src": "data: file: 'self'",
        "connect-src": "'none'",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return Markup("; ".join(f"{name} {value}" for name, value in sources.items()))


def _budget(size: int, single_file: bool) -> int | None:
    return None if single_file else size


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("omnigap_orchestrator.report"),
        # Questions, answers and error messages come from data sets and models, so everything is escaped.
        autoescape=select_autoescape(["html"]),
        # A wrong name in a template raises instead of rendering as nothing.
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    loader = environment.loader
    assert loader is not None

    def asset(name: str) -> Markup:
        # These are files of this package, so they are not escaped; none contains `</script>` or `</style>`.
        return Markup(loader.get_source(environment, name)[0])

    environment.globals["asset"] = asset
    environment.filters["short"] = formatting.short
    environment.filters["code"] = formatting.with_code
    return environment


@dataclass(frozen=True, slots=True)
class RunCounts:
    """Counts in the head of the page, each with its unit."""

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


def _browser_note(sample: EntrySample, media: ReportMedia, longest: int, *, stored: bool = True) -> str:
    """What the page leaves out: entries, media files, ends of long answers.

    Args:
        stored: results.parquet is next to the page; the template then adds a link to it.
    """
    parts = []
    if sample.is_partial:
        flips = sample.entries.filter(pl.col("flips") > 0).height
        parts.append(
            f"This page shows {sample.entries.height:,} of {sample.total:,} entries, balanced over models and tasks, "
            f"including {flips:,} of the {sample.flipped:,} entries with a flip."
            + (" All entries are in" if stored else "")
        )
    else:
        parts.append(f"This page shows all {sample.total:,} entries.")
    if media.linked:
        embedded = formatting.plural(media.embedded, "media file is", "media files are")
        parts.insert(
            0,
            f"{embedded} embedded in the page ({formatting.human_bytes(media.embedded_bytes)}); {media.linked:,} are "
            "linked, and need the run folder next to it.",
        )
    if media.missing:
        missing = formatting.plural(media.missing, "media file is", "media files are")
        parts.insert(0, f"{missing} missing from the run folder, or damaged.")
    if longest < LONGEST_TEXT:
        parts.insert(0, f"Answers are truncated to {longest:,} characters.")
    return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Payload:
    """The base64 of one embedded medium, and its position in `ReportMedia.media`."""

    place: int
    base64: str


def _payloads(media: ReportMedia) -> Iterator[Payload]:
    # A generator: each file is read and encoded when the template reaches it.
    for place, medium in enumerate(media.media):
        if medium.embedded:
            yield Payload(place, medium.base64())
