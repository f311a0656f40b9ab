"""report.html of results of other tools: the page of a run, without its services, media and files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from omnigap.vocabulary import Condition, Outcome
from omnigap_orchestrator.analysis import Analysis
from omnigap_orchestrator.export.run_info import versions
from omnigap_orchestrator.pipeline.folder import FolderError
from omnigap_orchestrator.report import Catalogue, CatalogueItem, RunInfo, ServiceInfo, write_report
from omnigap_orchestrator.report.statements import random_text
from omnigap_orchestrator.results import RESULTS_SCHEMA

PAGE = "report.html"


def report_path(given: Path) -> Path:
    """The file that --report names: the path itself if it ends in .html or .htm, else report.html in that folder.

    Raises:
        FolderError: its folder can't be made.
    """
    target = given if given.suffix.lower() in (".html", ".htm") and not given.is_dir() else given / PAGE
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FolderError(
            f"--report {given}: the folder can't be made ({error.strerror}): choose another path"
        ) from error
    return target


def write_page(
    target: Path, results: pl.DataFrame, analysis: Analysis, source: str, notes: Sequence[str], command: str
) -> None:
    """Writes the page.

    Args:
        source: where the results are from, for methods and provenance.
        notes: remarks on the results, shown on top.

    Raises:
        FolderError: the file can't be written.
    """
    random = analysis.random_weights
    # A random instrument is no service of this page, so a note says it.
    spoiled = [random_text(model, roles) for model, roles in random.items() if "model" not in roles]
    # Without random models, the page has no services at all.
    models = sorted(set(results["model"])) if any("model" in roles for roles in random.values()) else []
    info = RunInfo(
        name=source,
        models=tuple(ServiceInfo(model, random_weights="model" in random.get(model, ())) for model in models),
        command=command,
        versions=versions(),
        items_source=source,
        notes=(*notes, *spoiled, *_missing(results)),
        imported=True,
    )
    write_report(
        target,
        as_results(results),
        analysis,
        Catalogue(_texts(results)),
        info,
        media_path=lambda _: None,
    )


def _missing(results: pl.DataFrame) -> list[str]:
    """A sentence on the answers that are missing; none if all are there."""
    scored = (pl.col("outcome") == Outcome.ANSWERED.value) & pl.col("score").is_not_null()
    counts = results.group_by("model", "condition").agg(planned=pl.len(), lacking=(~scored).sum())
    several = counts["model"].n_unique() > 1
    if several:
        # One number per model: with many models and conditions the rest is in the tables.
        counts = counts.group_by("model").agg(pl.col("planned", "lacking").sum())
    counts = counts.filter(pl.col("lacking") > 0).sort("model", *(() if several else ("condition",)))
    if counts.is_empty():
        return []
    name = "model" if several else "condition"
    parts = [
        f"{name} {lacking:,} of {planned:,}"
        for name, lacking, planned in counts.select(name, "lacking", "planned").iter_rows()
    ]
    return [f"Answers are missing: {', '.join(parts)}. They count neither as right nor as wrong."]


def as_results(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame of `RESULTS_SCHEMA`; columns that the results lack are null."""
    known = {name: frame[name] for name in frame.columns if name in RESULTS_SCHEMA}
    lacking = {
        name: pl.Series(name, [None], dtype).new_from_index(0, frame.height)
        for name, dtype in RESULTS_SCHEMA.items()
        if name not in known
    }
    full = pl.DataFrame({**known, **lacking})
    if "replicate" not in known:
        # Repeated rows of an item are numbered, so that the item browser shows them one by one.
        order = pl.int_range(pl.len()).over("model", "item_id", "condition")
        full = full.with_columns(replicate=order)
    elif full.schema["replicate"] != pl.Int32:
        dense = pl.col("replicate").rank("dense").over("model", "item_id", "condition") - 1
        full = full.with_columns(replicate=dense.fill_null(0))
    names = {name: _parsed(name) for name in full["condition"].unique()}
    inputs = {name: c.input.value if c else None for name, c in names.items()}
    outputs = {name: c.output.value if c else None for name, c in names.items()}
    own_text = pl.coalesce("own_text", "answer_used")
    return full.with_columns(
        pl.col("flags").fill_null([]),
        input=pl.coalesce("input", pl.col("condition").replace_strict(inputs, return_dtype=pl.String)),
        output=pl.coalesce("output", pl.col("condition").replace_strict(outputs, return_dtype=pl.String)),
        # The text that was scored is all that other tools keep of an answer.
        own_text=own_text,
        transcript=pl.coalesce("transcript", "answer_used"),
    ).select(pl.col(name).cast(dtype) for name, dtype in RESULTS_SCHEMA.items())


def _parsed(condition: str) -> Condition | None:
    try:
        return Condition.parse(condition)
    except ValueError:
        return None


def _texts(results: pl.DataFrame) -> dict[str, CatalogueItem]:
    """Question and gold answer of the items, if the results have them."""
    names = [name for name in ("question", "gold") if name in results.columns and results.schema[name] == pl.String]
    if not names:
        return {}
    items = results.select("item_id", *names).unique("item_id", keep="first", maintain_order=True)
    return {
        row["item_id"]: CatalogueItem(
            question=row.get("question") or row["item_id"], answers=(row["gold"],) if row.get("gold") else ()
        )
        for row in items.iter_rows(named=True)
    }
