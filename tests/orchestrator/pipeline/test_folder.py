"""The folder of a run: atomic writes, and the stored configuration."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from omnigap_orchestrator.config import load_config
from omnigap_orchestrator.pipeline.folder import FolderError, RunFolder, load_plan, replacing
from tests.helpers.damage import CONFIG, write_into_config


def broken() -> Iterator[str]:
    yield "new"
    raise OSError("disk full")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old")
    with (
        pytest.raises(FolderError, match="disk full"),
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


TOML = """
[run]
dir = "elsewhere"
conditions = ["t2t", "s2t"]
[carriers.image]
size = [28, 36]
[[models]]
name = "cascade"
endpoints = ["cascade:50063"]
"""


def test_a_stored_configuration_is_read_back_unchanged(tmp_path: Path) -> None:
    (tmp_path / "file.toml").write_text(TOML)
    config = load_config(tmp_path / "file.toml")
    folder = RunFolder(tmp_path)
    folder.journal.touch()
    folder.items.write_text("")
    folder.config.write_text(config.model_dump_json())
    assert load_plan(folder)[0] == config


def folder_of_0_1_0(root: Path, scoring: dict[str, object]) -> RunFolder:
    folder = RunFolder(root)
    folder.journal.touch()
    folder.items.write_text("")
    table = json.loads(load_config().model_dump_json())
    folder.config.write_text(json.dumps({**table, "scoring": {**table["scoring"], **scoring}}))
    return folder


def test_a_configuration_of_0_1_0_without_panda_is_read(tmp_path: Path) -> None:
    assert load_plan(folder_of_0_1_0(tmp_path, {"panda": None}))[0] == load_config()


@pytest.mark.parametrize(
    ("scoring", "key"),
    [({"panda": "/classifier"}, "scoring.panda"), ({"tasks": {"sd-qa": "voicebench_panda"}}, "scoring.tasks.sd-qa")],
)
def test_a_configuration_of_0_1_0_with_panda_is_refused_with_key_and_page(
    tmp_path: Path, scoring: dict[str, object], key: str
) -> None:
    with pytest.raises(FolderError, match=rf"config\.json: {key}: .*docs/scoring\.md"):
        load_plan(folder_of_0_1_0(tmp_path, scoring))


DAMAGED = {name: change for name, change in CONFIG.items() if not name.startswith("another")}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_configuration_is_an_error_that_names_it(name: str, tmp_path: Path) -> None:
    """Also in the folder of an earlier version, whose journal has no hash of it."""
    folder = RunFolder(tmp_path)
    folder.journal.touch()
    folder.items.touch()
    folder.config.write_text(load_config(None, {}).model_dump_json(indent=2), encoding="utf-8")
    load_plan(folder)
    write_into_config(DAMAGED[name])(tmp_path, random.Random(0))
    with pytest.raises(FolderError, match=re.escape(str(folder.config))):
        load_plan(folder)
