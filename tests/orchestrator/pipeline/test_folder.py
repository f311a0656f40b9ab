"""A file of a run is replaced whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from omnigap_orchestrator.pipeline.folder import FolderError, replacing


def broken() -> Iterator[str]:
    yield "new"
    raise OSError("disk full")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old")
    with (
        pytest.raises(FolderError, match=r"disk full.*free space"),
        replacing(target) as path,
        path.open("w", encoding="utf-8") as file,
    ):
        file.writelines(broken())
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_finished_write_replaces_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "summary.json"
    target.write_text("old")
    with replacing(target) as path:
        path.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]
