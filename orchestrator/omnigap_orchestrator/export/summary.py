"""What summary.json holds: head of the run, notes, the check of its carriers, and the tables of the analysis."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from omnigap_orchestrator.analysis import Analysis, Tables
from omnigap_orchestrator.analysis.summary import TABLES, AnalysisHead
from omnigap_orchestrator.extras.readback.check import COUNTS_SCHEMA
from omnigap_orchestrator.extras.readback.check import counts as carrier_counts
from omnigap_orchestrator.extras.readback.report_section import CarrierCheck
from omnigap_orchestrator.extras.readback.select import KEPT_GAPS_SCHEMA
from omnigap_orchestrator.report import RunInfo


@dataclass(frozen=True, slots=True)
class CarrierSummary:
    """`counts`: carriers by verdict (`COUNTS_SCHEMA`). `gaps`: on what the check leaves (`KEPT_GAPS_SCHEMA`)."""

    counts: pl.DataFrame
    gaps: pl.DataFrame

    @classmethod
    def of(cls, check: CarrierCheck | None) -> CarrierSummary | None:
        """None where no carrier was read back."""
        return None if check is None else cls(carrier_counts(check.table), check.gaps)


@dataclass(frozen=True, slots=True)
class Summary:
    """summary.json as a value; fields in the order of the file, where the tables come last.

    Attributes:
        incomplete: why the run is not whole; empty when it is.
        embedded: the services ship with omnigap.
        models: digest by name.
        carriers: None where no carrier was read back.
        analysis: version and options of the analysis.
    """

    run: str
    whole: bool
    incomplete: str
    embedded: bool
    models: Mapping[str, str]
    normaliser: str
    versions: Mapping[str, str]
    notes: tuple[str, ...]
    carriers: CarrierSummary | None
    analysis: AnalysisHead
    tables: Tables

    @classmethod
    def of(cls, run: str, info: RunInfo, analysis: Analysis, check: CarrierCheck | None) -> Summary:
        return cls(
            run=run,
            whole=not info.incomplete,
            incomplete=info.incomplete,
            embedded=info.embedded,
            models={model.name: model.digest for model in info.models},
            normaliser=info.normaliser,
            versions=dict(info.versions),
            notes=info.notes,
            carriers=CarrierSummary.of(check),
            analysis=analysis.head(),
            tables=analysis,
        )

    @classmethod
    def read(cls, path: Path) -> Summary:
        """A summary.json that this version wrote.

        Raises:
            OSError: the file can't be read.
            ValueError, KeyError: it is none, or lacks a key.
        """
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        frames = {table.name: pl.DataFrame(data[table.name], schema=table.schema) for table in TABLES}
        found = data["carriers"]
        carriers = None
        if found is not None:
            carriers = CarrierSummary(
                pl.DataFrame(found["counts"], schema=COUNTS_SCHEMA),
                pl.DataFrame(found["gaps"], schema=KEPT_GAPS_SCHEMA),
            )
        head = {name: data[name] for name in _HEAD}
        head["notes"] = tuple(head["notes"])
        return cls(**head, carriers=carriers, analysis=AnalysisHead.from_json(data), tables=Tables(frames))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values, in the order of the file."""
        carriers = None
        if self.carriers is not None:
            carriers = {"counts": self.carriers.counts.to_dicts(), "gaps": self.carriers.gaps.to_dicts()}
        head = {name: getattr(self, name) for name in _HEAD}
        data = {
            **head,
            "notes": list(self.notes),
            "carriers": carriers,
            **self.analysis.to_json(),
            **self.tables.tables_json(),
        }
        return {**dict.fromkeys(_ORDER), **data}

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(self.to_json(), indent=1, ensure_ascii=False), encoding="utf-8")


_HEAD = ("run", "whole", "incomplete", "embedded", "models", "normaliser", "versions", "notes")
"""The fields that the file has as they are."""

_ORDER = ("run", "whole", "incomplete", "embedded", "models", "asr", "normaliser", "versions", "notes", "carriers")
"""The first keys of the file. The table `asr` is among them, since 0.1.0 wrote it there."""
