"""The edge to the terminal: hostile texts, markup, JSON, and streams that are closed, full or in another encoding."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from omnigap.terminal import visible
from omnigap_orchestrator.cli.progress import observer_for
from omnigap_orchestrator.cli.tables import print_table
from omnigap_orchestrator.cli.terminal import Terminal, print_json
from tests.helpers.running import COMMAND

HOSTILE = "\x1b]52;c;eA==\x07[red]\u202ereversed[/red][link=http://x]y[/link]\r\x9b2J:smile:"


def printed(monkeypatch: pytest.MonkeyPatch, *objects: object) -> str:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("COLUMNS", "500")
    terminal = Terminal()
    for each in objects:
        if isinstance(each, list):
            print_table(terminal, each[0], ("a", "b"), [each, each])
        else:
            terminal.print(each)
    monkeypatch.undo()
    return out.getvalue()


def _table(text: str) -> Table:
    table = Table(text, title=text)
    table.add_row(text)
    table.add_row(Text(text))
    return table


@pytest.mark.parametrize("wrap", [str, Text, _table, lambda text: [text, text]], ids=["str", "Text", "Table", "ours"])
def test_hostile_text_is_shown_in_every_form(monkeypatch: pytest.MonkeyPatch, wrap: object) -> None:
    found = printed(monkeypatch, wrap(HOSTILE))  # type: ignore[operator]
    assert visible(found) == found
    assert "[red]" in found and "[link=http://x]y" in found and ":smile:" in found
    assert "\\u202e" in found and "\\x1b" in found


@given(st.text())
def test_no_text_reaches_the_terminal_with_its_control_characters(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        found = printed(patch, text, Text(text), [text or "-", text])
    assert visible(found) == found


@given(st.recursive(st.text() | st.floats(allow_nan=False) | st.none(), lambda inner: st.lists(inner, max_size=3)))
def test_json_keeps_every_value_and_no_control_character(data: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        out = io.StringIO()
        patch.setattr(sys, "stdout", out)
        print_json(data)
    assert json.loads(out.getvalue()) == data
    assert visible(out.getvalue()) == out.getvalue()


def test_notes_and_their_brackets_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    with observer_for(quiet=True) as observer:
        observer.note(f"service [bold]x[/bold]: {HOSTILE}\nsecond")
    found = capsys.readouterr().err
    assert visible(found) == found
    assert "[bold]x[/bold]" in found and "\n    second" in found


class _Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def test_progress_survives_a_broken_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", _Broken())
    with observer_for(quiet=False) as observer:
        observer.note("the run goes on")


def shell(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a line of bash in which $RUN is the command."""
    run = " ".join((sys.executable, *COMMAND))
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={**os.environ, **environment, "RUN": run},
        capture_output=True,
        timeout=120,
    )


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.jsonl"
    row = {"text": "It is Zürich \x1b[31m \u202e한국", "answers": ["Zürich"], "answer_type": "entity"}
    path.write_text("\n".join([json.dumps(row)] * 2_000))
    return tmp_path


LOST = {
    "full device": "$RUN score-text texts.jsonl > /dev/full",
    "full device, JSON": "$RUN score-text texts.jsonl --json > /dev/full",
    "full device, help": "$RUN --help > /dev/full",
    "closed": "$RUN score-text texts.jsonl --json >&-",
    "closed, table": "$RUN score-text texts.jsonl >&-",
    "read-only": "$RUN score-text texts.jsonl 1< /dev/null",
}


@pytest.mark.parametrize("line", LOST.values(), ids=LOST.keys())
def test_lost_output_is_one_sentence_and_an_exit_code(texts: Path, line: str) -> None:
    ended = shell(line, texts)
    assert ended.returncode == 1
    assert b"standard output can't be written" in ended.stderr
    assert b"Traceback" not in ended.stderr and b"Exception" not in ended.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("options", ["", "--json"])
def test_a_reader_that_leaves_is_no_error_to_report(texts: Path, options: str, unbuffered: str) -> None:
    line = f"$RUN score-text texts.jsonl {options} | head -c 1; echo ${{PIPESTATUS[0]}} >&2"
    ended = shell(line, texts, PYTHONUNBUFFERED=unbuffered)
    assert ended.stderr.strip() == b"1"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("line", ["$RUN score-text none.jsonl 2>&-", "$RUN run --config none.toml 2> /dev/full"])
def test_errors_keep_their_exit_code_without_standard_error(texts: Path, line: str, unbuffered: str) -> None:
    ended = shell(line, texts, PYTHONUNBUFFERED=unbuffered)
    assert ended.returncode in (1, 2)
    assert ended.stdout == b""


def test_a_closed_standard_input_is_a_sentence(texts: Path) -> None:
    ended = shell("$RUN score-text - <&-", texts)
    assert ended.returncode == 1
    assert ended.stderr.startswith(b"Error: standard input can't be read")


def test_standard_input_by_its_names(texts: Path) -> None:
    for line in ("$RUN score-text - < texts.jsonl", "cat texts.jsonl | $RUN score-text /dev/stdin --json"):
        assert shell(line, texts).returncode == 0


C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("options", ["", "--json"])
def test_any_text_is_printed_in_an_ascii_locale(texts: Path, options: str) -> None:
    ended = shell(f"$RUN score-text texts.jsonl {options}", texts, **C_LOCALE)
    assert ended.returncode == 0, ended.stderr
    if options:
        assert len(json.loads(ended.stdout)) == 2_000


@pytest.mark.parametrize("name", ["é.toml", "$'\\xff.toml'"])
def test_a_command_with_arguments_outside_the_locale_is_stored_and_reported(tmp_path: Path, name: str) -> None:
    line = f"printf '[items]\\nlimit = 1\\n' > {name}; $RUN run --config {name} --run-dir run --conditions t2t --quiet"
    ended = shell(f"{line} --stages generate", tmp_path, **C_LOCALE)
    assert ended.returncode == 3, ended.stderr
    report = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert ("--config é.toml" if name == "é.toml" else "--config \\xff.toml") in report


@pytest.mark.parametrize("command", ["run", "plan", "doctor", "report", "score"])
@pytest.mark.parametrize(("name", "environment"), [("ko é", C_LOCALE), ("$'\\xff'", {"LC_ALL": "C.UTF-8"})])
def test_a_run_folder_outside_the_locale_is_a_sentence(
    tmp_path: Path, command: str, name: str, environment: dict[str, str]
) -> None:
    given_name = name if name.startswith("$") else f"'{name}'"
    ended = shell(f"$RUN {command} --run-dir {given_name}", tmp_path, **environment)
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr.startswith(b"Error: the path ") and b"--run-dir" in ended.stderr
    assert b"Traceback" not in ended.stderr
