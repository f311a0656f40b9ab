"""Containers that change in the middle of a study: options, voice, scorer, number of containers, kills."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.compose.compose_project import (
    ROOT,
    call,
    compose,
    docker,
    ids,
    inspect,
    requests,
    requests_by_container,
    running_stack,
    script,
    stored_answers,
)

pytestmark = [pytest.mark.compose, pytest.mark.timeout(3_600)]

ITEMS = 4
CELLS = ITEMS * 6


@pytest.fixture(scope="module", autouse=True)
def stack() -> Iterator[None]:
    with running_stack():
        yield


@pytest.fixture
def shipped(stack: None) -> None:
    """The services without settings. Tests that begin with their own do not wait for these."""
    _up()


@pytest.mark.usefixtures("shipped")
def test_a_process_that_dies_is_restarted_and_a_killed_container_is_not() -> None:
    (container,) = ids("demo")
    program = (
        "import os; [os.kill(int(p), 9) for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()"
        " and b'omnigap-serve\\0demo' in open(f'/proc/{p}/cmdline', 'rb').read() and int(p) != 1]"
    )
    call("docker", "exec", container, "python", "-c", program)
    _await(lambda: inspect(container)["RestartCount"] == 1)
    _up()

    call("docker", "kill", container)
    assert inspect(container)["State"]["Status"] == "exited"
    _up()
    assert ids("demo") == [container]
    assert inspect(container)["State"]["Health"]["Status"] == "healthy"


def test_an_edited_option_is_used_by_the_next_up_and_run(tmp_path: Path) -> None:
    settings = tmp_path / "settings"
    settings.write_text("")
    _up_with(settings)
    folder = tmp_path / "run"
    _run(folder)
    (before,) = ids("demo")
    settings.write_text("OMNIGAP_DEMO_OPTIONS='\n# edited\nmin_match = 0.95\n'\n")
    _up_with(settings)
    assert ids("demo") != [before]
    answers, digest = stored_answers(folder), _digests(folder)
    _run(folder)
    assert len(stored_answers(folder).keys() - answers.keys()) == CELLS
    assert _digests(folder) != digest


@pytest.mark.usefixtures("shipped")
def test_a_model_that_misses_its_health_checks_is_waited_for_with_the_same_scorer_and_voice(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    asked, heard = requests("demo"), requests("asr")
    (container,) = ids("demo")
    docker("pause", container)
    try:
        with subprocess.Popen(_command(folder), cwd=ROOT, stderr=subprocess.PIPE, text=True) as run:
            assert run.stderr
            # Compose's other services answer, so the run stays with them.
            notes = [next(line for line in run.stderr if "waiting up to" in line)]
            docker("unpause", container)
            notes += list(run.stderr)
    finally:
        if inspect(container)["State"]["Paused"]:
            docker("unpause", container)
    assert run.returncode == 0, "".join(notes)
    assert "child processes\n" not in "".join(notes)
    # All cells were answered by this container.
    assert len(stored_answers(folder)) == CELLS
    assert requests("demo") - asked >= CELLS
    assert requests("asr") > heard


@pytest.mark.usefixtures("shipped")
def test_a_model_whose_voice_is_replaced_behind_it_comes_back_with_another_digest(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    _run(folder)
    before, (container,) = _digests(folder), ids("demo")
    # Without its dependants: Compose alone would leave the model as it is.
    _up("espeak", options=("--no-deps",), OMNIGAP_ESPEAK_OPTIONS='voice = "en-us+f3"')
    assert ids("demo") == [container]
    _await(lambda: inspect(container)["RestartCount"] == 1)
    _await(lambda: inspect(container)["State"]["Health"]["Status"] == "healthy")
    assert "the TTS service at espeak:50061" in compose("logs", "--no-color", "demo")
    _run(folder, "--accept-voice")
    assert not _digests(folder) & before


def test_a_required_gpu_that_is_missing_ends_the_container_with_a_message() -> None:
    done = call("docker", "compose", "run", "--rm", "-T", "--no-deps", "-e", "OMNIGAP_REQUIRE_GPU=1", "asr")
    assert done.returncode == 1
    message = done.stdout + done.stderr
    assert "OMNIGAP_REQUIRE_GPU" in message and "device" in message and "container toolkit" in message


def test_wrong_options_end_the_container_with_a_message() -> None:
    compose("up", "--detach", "--no-build", "demo", OMNIGAP_DEMO_OPTIONS="min_mach = 0.95", timeout_s=600)
    (container,) = ids("demo")
    _await(lambda: inspect(container)["RestartCount"] > 0 or not inspect(container)["State"]["Running"])
    assert "min_mach" in compose("logs", "--no-color", "demo")


def test_a_run_in_a_container_uses_all_replicas_and_leaves_them_as_they_are(tmp_path: Path) -> None:
    _up(OMNIGAP_DEMO_REPLICAS="2", OMNIGAP_DEMO_PORT="", OMNIGAP_DEMO_OPTIONS="min_match = 0.45")
    before = ids("demo")
    assert len(before) == 2
    asked = requests_by_container("demo")
    runs = tmp_path / "runs"
    runs.mkdir()
    # In a shell without the variables of the replicas and the option.
    compose("run", "--rm", "-T", "orchestrator", "run", "--limit", "12", "--quiet", OMNIGAP_RUNS=str(runs))
    assert ids("demo") == before
    shares = [count - asked[container] for container, count in requests_by_container("demo").items()]
    assert sum(shares) == 12 * 6
    assert min(shares) > 0, f"one of two replicas was not asked: {shares}"


@pytest.mark.usefixtures("shipped")
def test_after_a_swapped_voice_recordings_and_spoken_cells_are_renewed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    _run(folder)
    before, demo = _digests(folder), ids("demo")
    variables = {"OMNIGAP_ESPEAK_OPTIONS": 'voice = "en-us+f3"'}
    _up(**variables)
    # The demo model speaks with that voice: it is started again, and waits for it.
    assert ids("demo") != demo or inspect(*demo)["RestartCount"] > 0
    answers = stored_answers(folder)
    message = _refused(folder)
    assert "--accept-voice" in message
    assert stored_answers(folder) == answers and _digests(folder) == before

    _run(folder, "--accept-voice")
    renewed = stored_answers(folder)
    assert len(renewed.keys() - answers.keys()) == CELLS
    assert _digests(folder) != before
    # The new voice is that of the folder now.
    _run(folder)
    assert stored_answers(folder) == renewed


@pytest.mark.usefixtures("shipped")
def test_after_a_swapped_scorer_no_model_is_asked(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    _run(folder)
    before, answers = _digests(folder), stored_answers(folder)
    _up(OMNIGAP_ASR_OPTIONS="beam_size = 1")
    heard = requests("asr")
    message = _refused(folder)
    assert "--accept-scorer" in message
    assert stored_answers(folder) == answers

    _run(folder, "--accept-scorer")
    assert requests("asr") > heard
    assert stored_answers(folder) == answers
    assert _digests(folder) == before


def _up(*services: str, options: tuple[str, ...] = (), **variables: str) -> None:
    """Starts what has changed, and waits until it is healthy.

    Args:
        services: none means all.
        options: of `up`.
    """
    compose("up", "--detach", "--no-build", "--wait", *options, *services, timeout_s=600, **variables)


def _up_with(settings: Path) -> None:
    compose("--env-file", str(settings), "up", "--detach", "--no-build", "--wait", timeout_s=600)


def _run(folder: Path, *arguments: str) -> str:
    """Output of a complete run on the host."""
    done = _orchestrate(folder, *arguments)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    results = pl.read_parquet(folder / "results.parquet")
    assert results["outcome"].to_list() == ["answered"] * CELLS
    return done.stdout + done.stderr


def _refused(folder: Path) -> str:
    """The message of a run that must be refused."""
    done = _orchestrate(folder)
    assert done.returncode not in (0, 3), f"not refused\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def _orchestrate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = _command(folder, *arguments)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)


def _command(folder: Path, *arguments: str) -> list[str]:
    return [
        *(script("omnigap-orchestrate"), "run", "--limit", str(ITEMS), "--quiet", "--run-dir", str(folder)),
        *arguments,
    ]


def _digests(folder: Path) -> set[str]:
    return set(pl.read_parquet(folder / "results.parquet")["model_digest"])


def _await(condition: object, timeout_s: float = 120) -> None:
    """Polls the engine, which sends no event to wait for that a test could rely on."""
    assert callable(condition)
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"not true within {timeout_s:g} s"
        time.sleep(0.5)
