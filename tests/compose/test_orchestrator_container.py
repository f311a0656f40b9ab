"""The orchestrator's container: the user's files, the owner of what it writes, and the paths that it prints."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.compose.compose_project import call, compose, ids, refused, running_stack

pytestmark = [pytest.mark.compose, pytest.mark.timeout(3_600)]

OTHER_USER = 12_345
"""A user id that no user of the images has."""


@pytest.fixture(scope="module", autouse=True)
def stack() -> Iterator[None]:
    with running_stack():
        yield


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    """A study with its own items, and an empty folder for runs, both of a user who is not root."""
    study, runs = tmp_path / "study", tmp_path / "my-runs"
    study.mkdir()
    runs.mkdir()
    items = [
        {
            "id": f"q{n}",
            "task": "capitals",
            "language": "en",
            "question": question,
            "answers": [answer],
            "answer_type": "entity",
        }
        for n, (question, answer) in enumerate(
            [("What is the capital of France?", "Paris"), ("What is the capital of Italy?", "Rome")]
        )
    ]
    (study / "questions.jsonl").write_text("".join(f"{json.dumps(item)}\n" for item in items))
    (study / "mine.toml").write_text(
        '[items]\npath = "questions.jsonl"\n'
        '[[models]]\nname = "demo"\nendpoints = ["demo:50063"]\n'
        '[scorer]\nendpoints = ["asr:50062"]\n[tts]\nendpoints = ["espeak:50061"]\n'
    )
    if os.getuid() == 0:
        os.chown(runs, OTHER_USER, -1)
    return {"OMNIGAP_STUDY": str(study), "OMNIGAP_RUNS": str(runs)}


def test_a_study_of_the_host_runs_in_the_container(folders: dict[str, str]) -> None:
    runs = Path(folders["OMNIGAP_RUNS"])
    before = {name: ids(name) for name in ("espeak", "asr", "demo")}
    output = compose("run", "--rm", "-T", "orchestrator", "run", "--config", "study/mine.toml", "--quiet", **folders)
    results = pl.read_parquet(runs / "mine" / "results.parquet")
    assert results["outcome"].to_list() == ["answered"] * 12
    assert {path.stat().st_uid for path in runs.rglob("*")} == {runs.stat().st_uid}
    assert {name: ids(name) for name in before} == before
    # The host's path of the report, on one line of any width.
    assert f"{runs}/mine/report.html" in output.replace("\n", "")
    assert "/omnigap/runs" not in output


def test_the_study_is_read_only(folders: dict[str, str]) -> None:
    done = call("docker", "compose", "run", "--rm", "-T", "--entrypoint", "touch", "orchestrator", "study/x", **folders)
    assert done.returncode != 0 and "Read-only" in done.stderr
    assert not (Path(folders["OMNIGAP_STUDY"]) / "x").exists()


@pytest.mark.parametrize("variable", ["OMNIGAP_RUNS", "OMNIGAP_STUDY"])
def test_a_folder_that_does_not_exist_is_an_error_and_is_not_made(folders: dict[str, str], variable: str) -> None:
    missing = Path(folders[variable]) / "missing"
    message = refused("run", "--rm", "-T", "orchestrator", "models", **{**folders, variable: str(missing)})
    assert str(missing) in message and "does not exist" in message
    assert not missing.exists()


def test_output_can_be_piped(folders: dict[str, str]) -> None:
    """Without `quiet`, Compose reports its build on standard output."""
    output = compose(
        "--progress", "quiet", "run", "--rm", "-T", "orchestrator", "models", "--json", BUILDKIT_PROGRESS="", **folders
    )
    assert json.loads(output)
