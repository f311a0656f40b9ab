"""In the orchestrator's container, people see paths of runs as on the host, and programs those of the container."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from omnigap_orchestrator.cli import terminal
from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.cli.terminal import CONTAINER_RUNS, SHOWN_RUNS, Terminal, as_on_host
from omnigap_services.adapter import Turn
from tests.helpers.running import Setting, item
from tests.helpers.served_doubles import Double, Serve, say

OTHERS = "/omnigap/runs2/a /omnigap/runs-old /srv/omnigap/runs/a"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("report: /omnigap/runs/a/report.html", "report: /data/my runs/a/report.html"),
        ("/omnigap/runs is full", "/data/my runs is full"),
        ("in /omnigap/runs.", "in /data/my runs."),
        ("'/omnigap/runs/a': gone", "'/data/my runs/a': gone"),
        (
            "/omnigap/runs2/a /omnigap/runs-old /srv/omnigap/runs/a",
            "/omnigap/runs2/a /omnigap/runs-old /srv/omnigap/runs/a",
        ),
        (
            "/omnigap/runs/a: run `omnigap-orchestrate report --run-dir /omnigap/runs/a`",
            "/data/my runs/a: run `omnigap-orchestrate report --run-dir /omnigap/runs/a`",
        ),
    ],
)
def test_paths_of_runs_are_shown_as_on_the_host(monkeypatch: pytest.MonkeyPatch, text: str, shown: str) -> None:
    assert as_on_host(text) == text
    monkeypatch.setenv(SHOWN_RUNS, "/data/my runs/")
    assert as_on_host(text) == shown


@given(text=st.text())
def test_other_text_is_unchanged(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SHOWN_RUNS, "elsewhere")
        assert as_on_host(text) == text


def test_styled_text_and_long_lines_are_shown_so_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(SHOWN_RUNS, "runs")
    monkeypatch.setenv("COLUMNS", "20")
    Terminal().print(Text.assemble(("1 s", "dim"), f" wrote {CONTAINER_RUNS}/a/report.html"), soft_wrap=True)
    Terminal().print(f"report: {CONTAINER_RUNS}/a/report.html", soft_wrap=True)
    assert capsys.readouterr().out == "1 s wrote runs/a/report.html\nreport: runs/a/report.html\n"


async def test_a_run_prints_the_host_path_of_its_report(
    tmp_path: Path, host: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def paris(turn: Turn) -> None:
        say(turn, "Paris")

    setting = Setting(tmp_path, {"omni": [await host(Double(paris))]}, items=[item("a")])
    setting.tables = {"run": {"conditions": ["t2t"]}}
    await setting.drive()
    here = str(tmp_path / "runs")
    monkeypatch.setattr(terminal, "CONTAINER_RUNS", here)
    monkeypatch.setattr(terminal, "_RUNS", terminal.runs_pattern(here))
    monkeypatch.setenv(SHOWN_RUNS, "/data/runs")
    monkeypatch.chdir(tmp_path)
    # Also if the command names the folder by a relative path.
    shown = CliRunner().invoke(main, ["report", "--run-dir", "runs/test"], env={"COLUMNS": "200"})
    assert "report: /data/runs/test/report.html" in shown.stdout
    assert here not in shown.stdout
    read = json.loads(CliRunner().invoke(main, ["report", "--run-dir", "runs/test", "--json"]).stdout)
    assert read["report"] == f"{here}/test/report.html"
    lost = CliRunner().invoke(main, ["report", "--run-dir", "runs/none"])
    assert "/data/runs/none holds no run" in lost.stderr
