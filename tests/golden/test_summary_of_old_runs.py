"""Folders of 0.1.0 give the same summary.json as then, and `Summary.read` inverts `Summary.write`."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from omnigap_orchestrator.export.summary import Summary
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.run import report
from tests.golden.folders import summary_of
from tests.golden.numbers import differences
from tests.helpers.running import Silent

RUNS = Path(__file__).parent / "runs"


@pytest.fixture(params=["plain", "controls"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> RunFolder:
    with tarfile.open(RUNS / f"{request.param}.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return RunFolder(tmp_path / request.param)


def loaded(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


def test_summary_read_keeps_every_number(folder: RunFolder) -> None:
    before = summary_of(folder.root.name, folder.root)
    report(folder, Silent())
    assert not differences(before, loaded(folder.summary))


def test_reading_a_summary_gives_what_was_written(folder: RunFolder) -> None:
    written = report(folder, Silent())
    read = Summary.read(folder.summary)
    assert json.dumps(read.to_json()) == json.dumps(written.to_json())
    assert (read.complete, read.analysis.level, read.analysis.reference) == (True, 0.95, "t2t")
    assert {name: frame.schema for name, frame in read.tables.frames.items()} == {
        name: frame.schema for name, frame in written.tables.frames.items()
    }
