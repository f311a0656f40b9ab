"""The public files of a run: results.parquet, summary.json, report.html, manifest.toml, each replaced whole."""

from __future__ import annotations

import json
from dataclasses import dataclass

import polars as pl
import tomli_w

from omnigap_orchestrator.analysis import Analysis, AnalysisOptions, IntervalOptions, MissingRule, analyse, to_json
from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.config.sections import AnalysisConfig
from omnigap_orchestrator.journal import Journal
from omnigap_orchestrator.report import Catalogue, RunFacts, write_report
from omnigap_orchestrator.run.atomic import replacing
from omnigap_orchestrator.run.book import Book
from omnigap_orchestrator.run.facts import run_facts
from omnigap_orchestrator.run.folder import RunFolder
from omnigap_orchestrator.run.table import ResultsTable


@dataclass(frozen=True, slots=True)
class Outputs:
    """What was written, for who prints it."""

    results: pl.DataFrame
    analysis: Analysis
    facts: RunFacts

    @property
    def whole(self) -> bool:
        return not self.facts.incomplete


def write_outputs(
    folder: RunFolder,
    book: Book,
    journal: Journal,
    *,
    single_file: bool | None = None,
    allow_missing: bool | None = None,
) -> Outputs:
    """Computes the table and everything that follows from it, and writes the four files.

    Raises:
        FolderError: where the disk is full; the files that were there stay as they were.
    """
    results = ResultsTable(folder.name, book, journal).frame()
    section = book.config.analysis
    if allow_missing is not None:
        section = section.model_copy(update={"allow_missing": allow_missing})
    analysis = analyse(results, analysis_options(section))
    facts = run_facts(folder, book, journal, results)
    with replacing(folder.results) as path:
        results.write_parquet(path)
    with replacing(folder.summary) as path:
        path.write_text(json.dumps(_summary(folder, facts, analysis), indent=1, ensure_ascii=False), encoding="utf-8")
    with replacing(folder.manifest) as path:
        path.write_text(tomli_w.dumps(_manifest(book, facts)), encoding="utf-8")
    store = MediaStore(folder.media)
    write_report(
        folder.report,
        results,
        analysis,
        Catalogue.of(book.plan.items),
        facts,
        media_path=lambda sha: str(store.path(sha).relative_to(folder.root)) if store.exists(sha) else None,
        single_file=book.config.report.single_file if single_file is None else single_file,
        media_budget=int(book.config.report.embed_mb * 1e6),
    )
    return Outputs(results, analysis, facts)


def analysis_options(section: AnalysisConfig) -> AnalysisOptions:
    return AnalysisOptions(
        intervals=IntervalOptions(level=1 - section.alpha, seed=section.bootstrap_seed),
        missing=MissingRule(allow=section.allow_missing),
    )


def _summary(folder: RunFolder, facts: RunFacts, analysis: Analysis) -> dict[str, object]:
    head = {
        "run": folder.name,
        "whole": not facts.incomplete,
        "incomplete": facts.incomplete,
        "models": {model.name: model.digest for model in facts.models},
        "asr": facts.asr.digest if facts.asr is not None else None,
        "normaliser": facts.normaliser,
        "versions": dict(facts.versions),
    }
    return {**head, **to_json(analysis)}


def _manifest(book: Book, facts: RunFacts) -> dict[str, object]:
    """All that is needed to run it again, readable; TOML knows no null, so what is not set is left out."""
    services = {service.name: service for service in (facts.asr, facts.tts) if service is not None}
    return {
        "run": facts.name,
        "started": facts.started or "",
        "finished": facts.finished or "",
        "command": facts.command,
        "machine": facts.machine,
        "incomplete": facts.incomplete,
        "items": {"source": facts.items_source, "count": len(book.plan.items)},
        "plan": {
            "cells": len(book.plan),
            "conditions": [condition.name for condition in book.plan.conditions],
            "replicates": book.plan.replicates,
        },
        "versions": {**facts.versions, "normaliser": facts.normaliser},
        "models": {m.name: {"digest": m.digest, "revision": m.revision, "settings": m.detail} for m in facts.models},
        "services": {
            n: {"digest": s.digest, "revision": s.revision, "settings": s.detail} for n, s in services.items()
        },
        "config": _without_nulls(json.loads(book.config.model_dump_json())),
    }


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value if inner is not None]
    return value
