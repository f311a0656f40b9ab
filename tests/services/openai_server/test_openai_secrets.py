"""The key is sent to the server only: it is not in logs, Describe, answers or errors."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from omnigap.errors import ContractError
from omnigap.vocabulary import Modality
from omnigap_services.openai_server.adapter import OpenaiAdapter
from omnigap_services.options import OptionsError
from tests.helpers.chat_server import MODEL, PATIENCE_S, ChatServer, Handler, cut_off, failing, reset
from tests.helpers.serve_process import Served
from tests.services.openai_server.through import Through

KEY = "sk-test-8f3a91c07d"
QUESTION = "What is the capital of France?"


@pytest.fixture
def keyed(monkeypatch: pytest.MonkeyPatch, chat: ChatServer, through: Through) -> Served:
    """A service that holds the key."""
    monkeypatch.setenv("TEST_OMNI_KEY", KEY)
    return through(api_key_env="TEST_OMNI_KEY")


def echoing(handler: Handler, body: dict[str, Any]) -> None:
    """A server that echoes the key in its error and in a header."""
    key = handler.headers["Authorization"]
    handler.send(json.dumps({"error": {"message": f"no access with {key}"}}).encode(), 401, {"X-Echo": key})


def echoing_text(handler: Handler, body: dict[str, Any]) -> None:
    """A server that echoes the key in invalid JSON with status 200."""
    handler.send(f"welcome {handler.headers['Authorization']}".encode())


def test_the_server_gets_the_key(chat: ChatServer, keyed: Served) -> None:
    keyed.ask(QUESTION)
    assert chat.asked[-1].headers["authorization"] == f"Bearer {KEY}"


def test_describe_and_answers_do_not_have_the_key(chat: ChatServer, keyed: Served) -> None:
    assert KEY not in str(keyed.describe())
    assert KEY not in str(keyed.ask(QUESTION, output=Modality.SPEECH).complete)


@pytest.mark.parametrize("fault", [echoing, echoing_text, failing(500), cut_off, reset])
def test_errors_do_not_have_the_key(chat: ChatServer, keyed: Served, fault: Callable[..., None]) -> None:
    chat.then(fault)
    with pytest.raises(ContractError) as failed:
        keyed.ask(QUESTION)
    assert KEY not in str(failed.value)
    assert len(failed.value.message) > 20


@pytest.fixture
def logged(chat: ChatServer, tmp_path: Path) -> Iterator[Callable[..., tuple[Served, Path]]]:
    """Starts `omnigap-serve openai` as a process at log level debug."""
    started: list[Served] = []

    def start() -> tuple[Served, Path]:
        config, log = tmp_path / "options.toml", tmp_path / "log"
        options = {"base_url": chat.url, "model": MODEL, "max_retries": 0, "api_key_env": "TEST_OMNI_KEY"}
        config.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in options.items()))
        program = str(Path(sys.executable).with_name("omnigap-serve"))
        with log.open("w") as stderr:
            process = subprocess.Popen(
                [program, "openai", "--config", str(config), "--log-level", "debug", "--exit-with-parent"],
                env={**os.environ, "TEST_OMNI_KEY": KEY, "OPENAI_LOG": "debug"},
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            process.wait(PATIENCE_S)
            return Served("", process), log
        ready = json.loads(line)
        started.append(Served(f"{ready['host']}:{ready['port']}", process))
        return started[-1], log

    yield start
    for served in started:
        served.stop()


def test_debug_logs_do_not_have_the_key(chat: ChatServer, logged: Callable[..., tuple[Served, Path]]) -> None:
    service, log = logged()
    service.ask(QUESTION)
    for fault in (echoing, echoing_text, failing(500), cut_off, reset):
        chat.then(fault)
        with contextlib.suppress(ContractError):
            service.ask(QUESTION)
    assert chat.asked[-1].headers["authorization"] == f"Bearer {KEY}"
    text = log.read_text()
    assert "DEBUG" in text
    assert KEY not in text


def test_a_failed_start_does_not_log_the_key(chat: ChatServer, logged: Callable[..., tuple[Served, Path]]) -> None:
    chat.line.append(echoing)
    service, log = logged()
    assert service.process.returncode == 1
    assert "401" in log.read_text()
    assert KEY not in log.read_text()


def test_a_key_written_into_the_options_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("hf_abcdef", raising=False)
    for options in (
        {"model": "m", "api_key": KEY},
        {"model": "m", "api_key_env": KEY},
        {"model": "m", "api_key_env": "hf_abcdef"},
        {"model": "m", "base_url": f"http://user:{KEY}@localhost/v1"},
        {"model": "m", "base_url": f"http://localhost/v1?key={KEY}"},
    ):
        with pytest.raises(OptionsError, match=r"api_key|base_url") as refused:
            OpenaiAdapter(options)
        assert KEY not in str(refused.value)
        assert "hf_abcdef" not in str(refused.value)


@pytest.mark.parametrize(
    "option",
    [{"launch": f"vllm serve m --api-key {KEY}"}, {"extra_body": {"token": {"is": KEY}}}],
    ids=["launch", "body"],
)
def test_a_key_in_an_option_that_describe_shows_is_refused(
    option: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_OMNI_KEY", KEY)
    with pytest.raises(OptionsError, match=rf"option {next(iter(option))} holds the key") as refused:
        OpenaiAdapter({"model": "m", "api_key_env": "TEST_OMNI_KEY", **option})
    assert KEY not in str(refused.value)
