"""`doctor RUN`: what it finds, that it changes nothing, and what --repair brings back."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.pipeline.folder import RunFolder
from tests.helpers.damage import (
    SQL,
    cut,
    dangling,
    delete,
    empty,
    flip,
    foreign,
    garbage,
    halve,
    header,
    referenced,
    sql,
    swap,
)
from tests.helpers.damage import folder as directory
from tests.helpers.running import Setting, served_trio, without_times
from tests.helpers.served_doubles import Serve

TABLES = {"run": {"conditions": ["t2t", "s2s"]}}


@pytest.fixture
async def setting(tmp_path: Path, host: Serve) -> Setting:
    """A finished run."""
    setting, _, _, _ = await served_trio(host, tmp_path, tables=TABLES)
    assert (await setting.drive())["complete"]
    return setting


def doctor(folder: RunFolder, *flags: str, code: int = 0) -> list[dict[str, str]]:
    result = CliRunner().invoke(main, ["doctor", str(folder.root), *flags, "--json"])
    assert result.exit_code == code, result.output
    found: list[dict[str, str]] = json.loads(result.stdout)
    return found


def failed(found: list[dict[str, str]]) -> dict[str, str]:
    return {each["check"]: each["message"] for each in found if each["status"] == "failed"}


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


async def test_an_undamaged_run_has_only_ok_findings(setting: Setting) -> None:
    before = content(setting.folder.root)
    found = doctor(setting.folder)
    assert {each["check"] for each in found} == {"journal", "plan", "media", "outputs"}
    assert {each["status"] for each in found} == {"ok"}
    assert content(setting.folder.root) == before


def _in(name: str, spoil: Callable[[Path, random.Random], str]) -> Callable[[Path, random.Random], str]:
    return lambda root, chance: spoil(root / name, chance)


def _medium(table: str, spoil: Callable[[Path, random.Random], str]) -> Callable[[Path, random.Random], str]:
    return lambda root, chance: spoil(referenced(root, table)[0], chance)


CASES: dict[str, tuple[Callable[[Path, random.Random], str], str, str]] = {
    "an edited answer": (sql(SQL["an answer's text edited"]), "journal", "omni"),
    "an edited score": (sql(SQL["all scores edited"]), "journal", "scored again"),
    "half a journal": (_in("journal.sqlite", halve), "journal", "--repair"),
    "a damaged header": (header, "journal", "--repair"),
    "a dropped table": (sql(SQL["table of answers dropped"]), "journal", "no table answers"),
    "half a configuration": (_in("config.json", halve), "plan", "config.json"),
    "a flipped item": (_in("items.jsonl", flip), "plan", "items.jsonl"),
    "a cut carrier": (_medium("carriers", cut), "media", "do not match"),
    "a deleted answer": (_medium("answers", delete), "media", "missing"),
    "swapped media": (swap, "media", "2 media do not match"),
    "flipped results": (_in("results.parquet", flip), "outputs", "report --run-dir"),
    "half a summary": (_in("summary.json", halve), "outputs", "summary.json"),
    "a cut report": (_in("report.html", cut), "outputs", "report.html"),
    "no manifest": (_in("manifest.toml", delete), "outputs", "is missing"),
}


@pytest.mark.parametrize("case", CASES)
async def test_damage_is_named_unchanged_without_repair_and_repaired_with_it(case: str, setting: Setting) -> None:
    damage, check, words = CASES[case]
    results = without_times(setting.table())
    damage(setting.folder.root, random.Random(3))
    before = content(setting.folder.root)
    assert words in failed(doctor(setting.folder, code=1))[check]
    assert content(setting.folder.root) == before
    if case != "a flipped item":
        doctor(setting.folder, "--repair")
        assert failed(doctor(setting.folder)) == {}
    await setting.drive()
    assert without_times(setting.table()).equals(results)
    assert failed(doctor(setting.folder)) == {}


async def test_foreign_files_are_named_and_no_failure(setting: Setting) -> None:
    foreign(setting.folder.root, random.Random(0))
    (warning,) = [each for each in doctor(setting.folder) if each["status"] == "warning"]
    assert "holiday.wav" in warning["message"]


async def test_the_damaged_journal_is_kept(setting: Setting) -> None:
    halve(setting.folder.journal, random.Random(0))
    damaged = setting.folder.journal.read_bytes()
    doctor(setting.folder, "--repair")
    (kept,) = setting.folder.root.glob("journal.sqlite.damaged-*")
    assert kept.read_bytes() == damaged


async def test_a_run_in_use_is_not_checked(setting: Setting) -> None:
    with setting.folder.locked():
        (found,) = doctor(setting.folder, "--repair", code=1)
    assert "in use" in found["message"]


async def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["doctor", str(tmp_path)])
    assert result.exit_code == 1
    assert "holds no run" in result.output
    result = CliRunner().invoke(main, ["doctor", "--repair"])
    assert result.exit_code == 2
    assert "doctor RUN --repair" in result.output


@pytest.fixture
def read_only(setting: Setting) -> Iterator[Path]:
    root = setting.folder.root
    mounting = [["mount", "--bind", str(root), str(root)], ["mount", "-o", "remount,ro,bind", str(root)]]
    if os.geteuid() != 0 or any(subprocess.run(command, capture_output=True).returncode for command in mounting):
        pytest.skip("nothing can be mounted here: only root may")
    yield root
    subprocess.run(["umount", "-l", str(root)], check=True)


async def test_a_read_only_folder_is_checked(setting: Setting, read_only: Path) -> None:
    found = doctor(setting.folder)
    assert {each["status"] for each in found} == {"ok"}, found
    result = CliRunner().invoke(main, ["doctor", str(read_only), "--repair"])
    assert result.exit_code == 1
    assert "Traceback" not in result.output


READERS = {
    "results.parquet": (["compare", "FOLDER", "FOLDER"], ["route", "FOLDER"], ["analyse", "FOLDER"]),
    "config.json": (["report", "--run-dir", "FOLDER"], ["score", "--run-dir", "FOLDER"]),
    "items.jsonl": (["report", "--run-dir", "FOLDER"], ["score", "--run-dir", "FOLDER"]),
}
"""File of a run -> commands that read it."""


@pytest.mark.parametrize("name", READERS)
async def test_commands_end_with_one_clear_error_about_a_damaged_file(name: str, setting: Setting) -> None:
    folder, path = str(setting.folder.root), setting.folder.root / name
    whole = path.read_bytes()
    for spoil in (flip, cut, empty, garbage, delete, directory, dangling):
        spoil(path, random.Random(1))
        for command in READERS[name]:
            arguments = [folder if part == "FOLDER" else part for part in command]
            # In a thread, since the command starts an event loop of its own.
            result = await asyncio.to_thread(CliRunner().invoke, main, arguments)
            assert isinstance(result.exception, SystemExit), (command, spoil, result.output)
            assert result.exit_code == 1, (command, spoil, result.output)
            assert folder in result.output.replace("\n", ""), (command, spoil)
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.write_bytes(whole)
