"""Content of summary.json: run, notes, keys of extras, options and tables of the analysis."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from omnigap_orchestrator.analysis import Analysis, Tables
from omnigap_orchestrator.analysis.summary import AnalysisHead, all_tables
from omnigap_orchestrator.extension import extras
from omnigap_orchestrator.report import RunInfo
from omnigap_orchestrator.report.warnings import RunWarning, run_warnings


@dataclass(frozen=True, slots=True)
class Summary:
    """The content of summary.json; fields in the order of the file.

    Attributes:
        complete: whether every planned cell is answered or unsupported.
        incomplete: why it is not complete; empty otherwise.
        embedded: all models ship with omnigap, except those with random weights.
        models: model name -> digest.
        random_weights: model name -> what had random weights of all that its figures depend on: as in the column
            `random_weights` of results.parquet. Models without are left out.
        warnings: as the report shows them (`report.warnings`): key, title, text.
        extras: keys that extras add.
        analysis: version and options of the analysis.
    """

    run: str
    complete: bool
    incomplete: str
    embedded: bool
    models: Mapping[str, str]
    random_weights: Mapping[str, tuple[str, ...]]
    normaliser: str
    versions: Mapping[str, str]
    notes: tuple[str, ...]
    warnings: tuple[RunWarning, ...]
    extras: Mapping[str, Any]
    analysis: AnalysisHead
    tables: Tables

    @classmethod
    def of(cls, run: str, info: RunInfo, analysis: Analysis) -> Summary:
        added: dict[str, Any] = {}
        for extra in extras():
            added |= extra.summary(analysis.evidence.get(extra.name))
        return cls(
            run=run,
            complete=not info.incomplete,
            incomplete=info.incomplete,
            embedded=info.embedded,
            models={model.name: model.digest for model in info.models},
            random_weights=analysis.random_weights,
            normaliser=info.normaliser,
            versions=dict(info.versions),
            notes=info.notes,
            warnings=run_warnings(info, analysis),
            extras=added,
            analysis=analysis.head(),
            tables=analysis,
        )

    @classmethod
    def read(cls, path: Path) -> Summary:
        """Reads a summary.json of this version.

        Raises:
            OSError: the file can't be read.
            ValueError, KeyError: the file is not JSON, or lacks a key.
        """
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        # With the declared schema: JSON has no types for empty tables and columns of nulls.
        frames = {table.name: pl.DataFrame(data[table.name], schema=table.schema) for table in all_tables()}
        head = {name: data[name] for name in _HEAD}
        head["notes"] = tuple(head["notes"])
        head["random_weights"] = {model: tuple(roles) for model, roles in head["random_weights"].items()}
        head["warnings"] = tuple(RunWarning(**given) for given in head["warnings"])
        analysis = AnalysisHead.from_json(data)
        # Every other key belongs to an extra, also to one that is not installed here.
        known = {*_HEAD, *analysis.to_json(), *frames}
        added = {key: value for key, value in data.items() if key not in known}
        return cls(**head, extras=added, analysis=analysis, tables=Tables(frames))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, in the order of the file."""
        head = {name: getattr(self, name) for name in _HEAD}
        head["notes"] = list(self.notes)
        head["random_weights"] = {model: list(roles) for model, roles in self.random_weights.items()}
        head["warnings"] = [warning.to_json() for warning in self.warnings]
        return {**head, **self.extras, **self.analysis.to_json(), **self.tables.tables_json()}

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(self.to_json(), indent=1, ensure_ascii=False), encoding="utf-8")


_HEAD = (
    "run",
    "complete",
    "incomplete",
    "embedded",
    "models",
    "random_weights",
    "normaliser",
    "versions",
    "notes",
    "warnings",
)
"""Fields that are top-level keys of the file, unchanged."""
