"""Writes the public files of a run: results, controls, summary, report and manifest; each is replaced atomically."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import tomli_w

import omnigap
from omnigap.digest import Hashable, digest_of, sha256_hex
from omnigap_orchestrator.analysis import (
    ANALYSIS_VERSION,
    AnalysisOptions,
    IntervalOptions,
    MissingRule,
    analyse,
)
from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.sections import AnalysisConfig
from omnigap_orchestrator.export.run_info import collect_run_info
from omnigap_orchestrator.export.summary import Summary
from omnigap_orchestrator.extension import Selection, extras
from omnigap_orchestrator.journal import Records
from omnigap_orchestrator.journal.tables import MetaRow
from omnigap_orchestrator.pipeline.cells import PlannedCells
from omnigap_orchestrator.pipeline.damage import unused_rows
from omnigap_orchestrator.pipeline.folder import RUBRICS_META, RunFolder, replacing
from omnigap_orchestrator.pipeline.identity import outdated_cards
from omnigap_orchestrator.pipeline.idle_latency import read_idle_answers
from omnigap_orchestrator.pipeline.results import ResultsTable
from omnigap_orchestrator.pipeline.score import reading_of, scoring_version
from omnigap_orchestrator.pipeline.stored_files import fault_of, forget, is_known, remember
from omnigap_orchestrator.plan import Plan
from omnigap_orchestrator.report import Catalogue, RunInfo, ServiceInfo, write_report

FINGERPRINT = "outputs_of"
"""Key of the journal's metadata: the fingerprint of what the files were written from."""


def write_outputs(
    folder: RunFolder,
    cells: PlannedCells,
    records: Records,
    *,
    single_file: bool | None = None,
    allow_missing: bool | None = None,
    given: Mapping[str, Any] | None = None,
) -> Summary:
    """Computes all tables, writes the public files of the run, and returns the content of summary.json.

    Args:
        single_file: embed all media in the report; None: as configured.
        allow_missing: compute gaps however many answers are missing; None: as configured.
        given: values of the options that extras add to `report`, by name.

    Raises:
        FolderError: a file can't be written (for example, the disk is full); existing files are kept unchanged.
    """
    # Cleared first and set last: if the process is killed between two files, the next command writes all of them
    # again instead of trusting a mix of old and new files.
    records.journal.set_meta(FINGERPRINT, "")
    table = ResultsTable(folder.name, cells, records)
    results, controls = table.frame(), table.control_frame() if cells.plan.controls else None
    section = cells.config.analysis
    if allow_missing is not None:
        section = section.model_copy(update={"allow_missing": allow_missing})
    options = analysis_options(section)
    evidence = {extra.name: extra.evidence(folder, cells, results, options) for extra in extras()}
    selected = _selected(folder, results, controls, given or {})
    idle = read_idle_answers(folder, results)
    analysis = analyse(selected.results, options, selected.controls, evidence, idle=idle)
    info = collect_run_info(folder, cells, records, results, controls, table.misfiled.messages())
    if selected.note:
        info = replace(info, notes=(*info.notes, selected.note))
    summary = Summary.of(folder.name, info, analysis)
    with replacing(folder.results) as path:
        results.write_parquet(path)
    if controls is None:
        # An earlier plan of this folder may have had control cells.
        folder.controls.unlink(missing_ok=True)
        forget(records.journal, folder.controls)
    else:
        with replacing(folder.controls) as path:
            controls.write_parquet(path)
    with replacing(folder.summary) as path:
        summary.write(path)
    with replacing(folder.manifest) as path:
        path.write_text(tomli_w.dumps(_manifest(cells, info)), encoding="utf-8")
    # The report uses the selected results; results.parquet and the manifest always cover the whole run.
    store = MediaStore(folder.media)
    write_report(
        folder.report,
        selected.results,
        analysis,
        Catalogue.of(cells.plan.items, reading_of(cells.plan.items)),
        info,
        media_path=lambda sha: str(store.path(sha).relative_to(folder.root)) if store.exists(sha) else None,
        single_file=cells.config.report.single_file if single_file is None else single_file,
        media_budget=int(cells.config.report.embed_mb * 1e6),
        controls=selected.controls,
    )
    remember(records.journal, *output_files(folder, cells.config))
    # Files written with overriding options are not marked as current, so that the next command writes them again as
    # configured.
    as_configured = single_file is None and allow_missing is None and selected.results is results
    if as_configured:
        records.journal.set_meta(FINGERPRINT, fingerprint(folder, records, cells.config))
    return summary


def _selected(
    folder: RunFolder, results: pl.DataFrame, controls: pl.DataFrame | None, given: Mapping[str, Any]
) -> Selection:
    """The part of the results that the analysis uses: all rows, unless an option of an extra selects some."""
    for extra in extras():
        if (selection := extra.select(folder, results, controls, given)) is not None:
            return selection
    return Selection(results, controls)


def output_files(folder: RunFolder, config: Config) -> list[Path]:
    """The public files of a run."""
    files = [folder.results, folder.summary, folder.report, folder.manifest]
    return [*files, folder.controls] if config.run.controls else files


def current_summary(folder: RunFolder, records: Records, config: Config) -> Summary | None:
    """summary.json, if all public files are as they were written and none of their inputs changed; otherwise None."""
    before = records.journal.meta(FINGERPRINT)
    if not before or before != fingerprint(folder, records, config):
        return None
    files = output_files(folder, config)
    meta = {row.key: row.value for row in records.journal.all(MetaRow)}
    if not all(path.is_file() and is_known(path, meta) and not fault_of(path, meta) for path in files):
        return None
    try:
        return Summary.read(folder.summary)
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
        return None


def measured_files(folder: RunFolder) -> list[Path]:
    """Files that other commands than `run` add to a run, and that its report reads."""
    return [folder.idle_latency, *(path for extra in extras() for path in extra.files(folder))]


def fingerprint(folder: RunFolder, records: Records, config: Config) -> str:
    """A digest of all inputs of the public files: plan, configuration, services, rows, files of extras, versions."""
    # Rows are stored under content keys, so their number shows whether there are new ones. Only a row that another
    # service wrote is replaced, so they are counted by digest.
    # Failures are not: a retried cell can fail for another reason, so they are listed.
    counts = [
        *_counted(row.model_digest for row in records.answers.values()),
        *_counted(row.asr_digest for row in records.transcripts.values()),
        *_counted(row.judge_digest for row in records.verdicts.values()),
        len(records.scores),
    ]
    failures = sorted(
        f"{f.stage} {f.model} {f.item_id} {f.condition} {f.replicate} {f.reason} {f.message}"
        for f in records.failures.values()
    )
    services = sorted(f"{row.role} {row.name} {row.digest}" for row in records.services.values())
    # The results of a scorer or judge count only if it is the configured one.
    services += sorted(outdated_cards(records, config))
    evidence = [[path.name, sha256_hex(path.read_bytes())] for path in measured_files(folder) if path.is_file()]
    # Without its file, a carrier that can't be made again leaves its cells pending.
    store = MediaStore(folder.media)
    lost = sum(not store.path(row.media_sha, row.extension).is_file() for row in records.carriers.values())
    versions = f"{omnigap.__version__} {ANALYSIS_VERSION} {scoring_version()}"
    return digest_of(
        [
            records.journal.meta("plan"),
            records.journal.meta(RUBRICS_META),
            config.model_dump_json(),
            [*counts, lost],
            failures,
            services,
            evidence,
            versions,
            # Named in the report until other rows replace them.
            *sorted(map(str, unused_rows(records))),
        ]
    )


def _counted(digests: Iterable[str]) -> list[Hashable]:
    return [f"{digest} {count}" for digest, count in sorted(Counter(digests).items())]


def _manifest(cells: PlannedCells, info: RunInfo) -> dict[str, object]:
    """Everything needed to repeat the run."""
    seen = {"scorer": info.asr, "second_scorer": info.second_asr, "tts": info.tts, "judge": info.judge}
    services = {role: service for role, service in seen.items() if service is not None}
    return {
        "run": info.name,
        "started": info.started or "",
        "finished": info.finished or "",
        "command": info.command,
        "machine": info.machine,
        "incomplete": info.incomplete,
        "items": {"source": info.items_source, "count": len(cells.plan.items)},
        "plan": {
            "cells": len(cells.plan),
            **_planned_controls(cells.plan),
            "conditions": [condition.name for condition in cells.plan.conditions],
            "replicates": cells.plan.replicates,
        },
        "versions": {**info.versions, "normaliser": info.normaliser},
        "models": {model.name: _identity(model) for model in info.models},
        "services": {role: {"name": service.name, **_identity(service)} for role, service in services.items()},
        "config": _without_nulls(json.loads(cells.config.model_dump_json())),
    }


def _identity(service: ServiceInfo) -> dict[str, object]:
    return {
        "digest": service.digest,
        "revision": service.revision,
        "settings": service.detail,
        "random_weights": service.random_weights,
    }


def _planned_controls(plan: Plan) -> dict[str, object]:
    """Kinds and number of control cells; empty if the run plans none."""
    if not plan.controls:
        return {}
    return {"controls": [control.value for control in plan.controls], "control_cells": plan.control_count}


def _without_nulls(value: object) -> object:
    """Removes unset values: TOML has no null."""
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value if inner is not None]
    return value


def analysis_options(section: AnalysisConfig) -> AnalysisOptions:
    """Converts the section `[analysis]` of the configuration to options of the analysis."""
    return AnalysisOptions(
        intervals=IntervalOptions(level=1 - section.alpha, seed=section.bootstrap_seed),
        missing=MissingRule(allow=section.allow_missing),
        margin=section.margin,
        target_gap=section.target_gap,
        power=section.power,
        chance=section.chance,
    )
