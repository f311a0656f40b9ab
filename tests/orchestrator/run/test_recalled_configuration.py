"""The configuration that a run's folder holds is the one that the run was started with."""

from __future__ import annotations

from pathlib import Path

from omnigap_orchestrator.config import load_config
from omnigap_orchestrator.run.folder import RunFolder
from omnigap_orchestrator.run.record import recall

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


def test_paths_conditions_and_lists_survive_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file.toml").write_text(TOML)
    config = load_config(tmp_path / "file.toml")
    folder = RunFolder(tmp_path)
    folder.journal.touch()
    folder.items.write_text("")
    folder.config.write_text(config.model_dump_json())
    assert recall(folder)[0] == config
