"""Files that a user or an item names: FIFOs, devices, secrets that are not media, and texts beyond the parsers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli_w
from click.testing import CliRunner, Result

from omnigap.errors import OmnigapError
from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.config import load_config
from omnigap_orchestrator.extras.asr_correction.labels import read_labels
from omnigap_orchestrator.extras.importers.reading import read_table
from omnigap_orchestrator.items import load_items
from omnigap_orchestrator.judge import read_rubric
from tests.helpers.running import item
from tests.orchestrator.extras.asr_correction.spoken_answers import answers

Load = Callable[[Path], object]

SUFFIXES = {
    "items.jsonl": load_items,
    "items.json": load_items,
    "items.csv": load_items,
    "items.tsv": load_items,
    "items.parquet": load_items,
    "config.toml": load_config,
    "rubric.toml": lambda path: read_rubric(str(path)),
    "rubric.txt": lambda path: read_rubric(str(path)),
    "labels.csv": lambda path: read_labels(path, answers()),
    "results.csv": lambda path: read_table(path, []),
    "results.tsv": lambda path: read_table(path, []),
    "results.json": lambda path: read_table(path, []),
    "results.jsonl": lambda path: read_table(path, []),
    "results.parquet": lambda path: read_table(path, []),
}
"""Every file that a command reads by a name of the user."""

every_loader = pytest.mark.parametrize(("name", "load"), SUFFIXES.items(), ids=SUFFIXES.keys())


def fault(load: Load, path: Path) -> str:
    with pytest.raises(OmnigapError) as caught:
        load(path)
    return str(caught.value)


@pytest.mark.timeout(60)
@every_loader
@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "sparse"])
def test_only_regular_files_of_a_sane_size_are_read(tmp_path: Path, name: str, load: Load, kind: str) -> None:
    path = tmp_path / name
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)
    assert name.split(".")[0] in fault(load, path)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("modality", ["speech", "image"])
@pytest.mark.parametrize("target", ["fifo", "/dev/zero", "/dev/tty", "/proc/self/environ", "/etc/passwd", "."])
def test_a_carrier_is_a_regular_file_with_a_medium(tmp_path: Path, modality: str, target: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    path = tmp_path / "items.jsonl"
    path.write_text(json.dumps(item("q1", carriers={modality: target})))
    message = fault(load_items, path)
    assert f"line 1: carriers.{modality}: '{target}'" in message


SECRETS = {
    "passwords": "root:$6$Hunter2secret:19000:0:99999:7:::\ndaemon:*:19000,Hunter2:0:99999:7:::\n",
    "key": "-----BEGIN PRIVATE KEY-----\nMIIHunter2+secret/==\nMIIHunter2=second\n-----END PRIVATE KEY-----\n",
    "environment": "TOKEN=Hunter2\0PATH=/Hunter2/bin\0",
    "table": "a,b\nHunter2,1,Hunter2\n",
    "numbers": "score\n" + "1\n" * 200 + "Hunter2\n",
    "json": '{"token": Hunter2}\n',
    "settings": "token = Hunter2\n",
    "binary": "Hunter2\x00\x01",
}


@every_loader
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_messages_contain_no_bytes_of_a_file_that_is_something_else(
    tmp_path: Path, name: str, load: Load, secret: str
) -> None:
    path = tmp_path / name
    path.write_text(secret)
    try:
        load(path)
    except OmnigapError as error:
        assert "Hunter2" not in str(error)
        assert "Hunter2" not in str(error.__cause__ or "") or not isinstance(error.__cause__, OmnigapError)


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_a_carrier_that_is_no_medium_is_not_quoted(tmp_path: Path, secret: str) -> None:
    (tmp_path / "secret").write_text(secret)
    path = tmp_path / "items.jsonl"
    path.write_text(json.dumps(item("q1", carriers={"speech": "secret", "image": {"path": "secret"}})))
    message = fault(load_items, path)
    assert "Hunter2" not in message and secret[:6] not in message


DEEP = 100_000
BEYOND: dict[str, tuple[bytes, bytes]] = {
    "nesting": (b"a = " + b"[" * DEEP + b"]" * DEEP, b'{"a": ' + b"[" * DEEP + b"]" * DEEP + b"}"),
    "tables": (b"a = " + b"{a=" * 5_000 + b"1" + b"}" * 5_000, b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    "long dotted key": (b".".join([b"a"] * 20_000) + b" = 1", b'{"a": ["' + b"b" * 10_000_000 + b'"]}'),
    "digits": (b"[run]\nseed = " + b"9" * 50_000, b'{"a": ' + b"9" * 50_000 + b"}"),
    "hexadecimal": (b"[run]\nseed = 0x" + b"f" * 50_000, b'{"a": -' + b"9" * 5_000 + b"}"),
    "many digits": (b"[run]\nseed = " + b"9" * 4_000, b'{"score": ' + b"9" * 4_000 + b"}"),
    "mixed types": (b"a = [1, 'b']", b'{"a": 1}\n{"a": {"b": []}}\n{"a": "\\udfff"}'),
    "null": (b"a = 'b\0'", b'{"a": "\0"}'),
    "not UTF-8": (b"a = '\xff'", b'{"a": "\xff"}'),
    "UTF-16": ("a = 1".encode("utf-16"), '{"a": 1}'.encode("utf-16")),
    "half a pair": (b"a = '\\ud800'", b'{"id": "\\ud800", "question": "\\ud800"}'),
    "mark only": (b"\xef\xbb\xbf[", b"\xef\xbb\xbf["),
    "half": (b"a = ", b'{"a": '),
    "exponent": (b"[run]\nseed = 1e999999", b'{"score": 1e999999}'),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", [name for name in SUFFIXES if not name.endswith((".txt", ".csv", ".tsv"))])
@pytest.mark.parametrize(("toml", "text"), BEYOND.values(), ids=BEYOND.keys())
def test_what_a_parser_can_not_hold_is_a_sentence_that_names_the_file(
    tmp_path: Path, name: str, toml: bytes, text: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(toml if name.endswith(".toml") else text)
    try:
        SUFFIXES[name](path)  # type: ignore[operator]
    except OmnigapError as error:
        message = str(error)
        assert name.split(".")[0] in message
        assert len(message) < 2_000 and "sys.set_int_max_str_digits" not in message
    else:
        assert name.startswith("results")


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("path", ["a" * 5_000 + ".jsonl", "~no-such-user/items.jsonl", "a\0b.jsonl"])
def test_a_path_that_can_not_exist_is_a_sentence(tmp_path: Path, path: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(tomli_w.dumps({"items": {"path": path}, "run": {"dir": str(tmp_path / "run")}}))
    result = command("plan", "--config", config)
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("Error: ") and "Traceback" not in result.output


def test_a_message_of_a_file_can_not_control_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text(json.dumps(item("q1") | {"\x1b]52;c;eA==\x07\u202e": "x"}))
    result = command("plan", "--items", path, "--run-dir", tmp_path / "run")
    assert result.exit_code == 1
    assert "\x1b" not in result.stderr and "\u202e" not in result.stderr
    assert "unknown key" in result.stderr
