"""Bodies without an end: they are cut off while they arrive, asked for once, and end as TOO_LARGE."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from omnigap.errors import ContractError
from omnigap.vocabulary import Modality, Reason
from omnigap_services.openai_server import body_limit
from omnigap_services.openai_server.speech import SpeechAdapter
from omnigap_services.openai_server.transcription import TranscriptionAdapter
from tests.helpers.chat_server import MODEL, PATIENCE_S, ChatServer, Handler, choice, completion, whole
from tests.helpers.in_process import Host
from tests.services.openai_server.audio_server import audio_server
from tests.services.openai_server.test_openai_transcription import CLIP
from tests.services.openai_server.through import Through

QUESTION = "What is the capital of France?"
LIMIT = 1024 * 1024
PIECE = 64 * 1024


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limit, "MAX_BODY_BYTES", LIMIT)
    monkeypatch.setattr(body_limit, "_MAX_LINE_BYTES", LIMIT // 4)
    monkeypatch.setattr(body_limit, "_MAX_VALUES", 10_000)


class Endless:
    """A reply that goes on until the caller closes the connection; `sent` counts its bytes then."""

    def __init__(self, beginning: bytes, piece: bytes, status: int = 200, **headers: str) -> None:
        self._beginning, self._piece, self._status = beginning, piece, status
        self._headers = {"Content-Type": "application/json", "Connection": "close", **headers}
        self.sent = 0
        self.left = threading.Event()

    def __call__(self, handler: Handler, body: dict[str, Any]) -> None:
        handler.send_response(self._status)
        for name, value in self._headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        try:
            handler.wfile.write(self._beginning)
            while True:
                handler.wfile.write(self._piece)
                self.sent += len(self._piece)
        except OSError:
            self.left.set()
        handler.close_connection = True


def refusal(
    through: Through, chat: ChatServer, reply: Any, output: Modality = Modality.TEXT, **options: Any
) -> ContractError:
    service = through(max_retries=3, **options)
    chat.then(reply, whole())
    with pytest.raises(ContractError) as caught:
        service.ask(QUESTION, output=output)
    return caught.value


def spaces() -> Endless:
    return Endless(b'{"choices": [', b" " * PIECE)


def base64_audio() -> Endless:
    return Endless(b'{"choices": [{"message": {"audio": {"data": "', b"AAAA" * (PIECE // 4))


@pytest.mark.parametrize("reply", [spaces(), base64_audio()], ids=["spaces", "base64"])
def test_an_endless_body_is_cut_off_and_not_asked_for_again(chat: ChatServer, through: Through, reply: Endless) -> None:
    error = refusal(through, chat, reply, Modality.SPEECH)
    assert error.reason is Reason.TOO_LARGE
    assert "1 MiB" in error.message
    assert len(chat.asked) == 1
    assert reply.left.wait(PATIENCE_S)
    # The limit, and what fits into the buffers of two sockets.
    assert reply.sent < LIMIT + 16 * 1024 * 1024


def event(text: str) -> bytes:
    return b"data: " + json.dumps({"id": "c", "choices": [{"index": 0, "delta": {"content": text}}]}).encode() + b"\n\n"


@pytest.mark.parametrize(
    ("beginning", "piece"),
    [(b"", event("word ") * 500), (b"", event("")), (b"", b": still here\n\n" * 1_000), (b"data: ", b"x" * PIECE)],
    ids=["text", "empty events", "comments", "one event"],
)
def test_an_endless_stream_is_cut_off(chat: ChatServer, through: Through, beginning: bytes, piece: bytes) -> None:
    reply = Endless(beginning, piece, Content_Type="text/event-stream")
    error = refusal(through, chat, reply, stream=True)
    assert error.reason is Reason.TOO_LARGE
    assert len(chat.asked) == 1
    assert reply.left.wait(PATIENCE_S)


def test_a_compressed_body_counts_as_what_it_becomes(chat: ChatServer, through: Through) -> None:
    packed = gzip.compress(b'{"choices": [' + bytes(100 * LIMIT))
    assert len(packed) < LIMIT

    def bomb(handler: Handler, body: dict[str, Any]) -> None:
        handler.send(packed, headers={"Content-Encoding": "gzip"})

    assert refusal(through, chat, bomb).reason is Reason.TOO_LARGE
    assert len(chat.asked) == 1


def test_a_compressed_answer_is_read(chat: ChatServer, through: Through) -> None:
    service = through()
    packed = gzip.compress(json.dumps(completion(choice("Paris"))).encode())
    chat.then(lambda handler, _: handler.send(packed, headers={"Content-Encoding": "gzip"}))
    assert service.ask(QUESTION).text == "Paris"


def test_json_of_very_many_values_is_not_parsed(chat: ChatServer, through: Through) -> None:
    payload = b'{"choices": [' + b"[]," * 20_000 + b"[]]}"
    error = refusal(through, chat, lambda handler, _: handler.send(payload))
    assert error.reason is Reason.TOO_LARGE
    assert "10000 values" in error.message


@pytest.mark.parametrize(
    "payload", [b"[" * 500_000, b'{"a":' * 100_000, b"9" * 5_000], ids=["lists", "tables", "number"]
)
def test_json_that_cannot_be_parsed_is_an_error_of_the_server(
    chat: ChatServer, through: Through, payload: bytes
) -> None:
    error = refusal(through, chat, lambda handler, _: handler.send(payload))
    assert error.reason in (Reason.UPSTREAM_UNAVAILABLE, Reason.MODEL_ERROR)
    assert len(error.message) < 600


@pytest.mark.parametrize(("status", "reason"), [(400, Reason.BAD_REQUEST), (500, Reason.MODEL_ERROR)])
def test_the_body_of_an_error_is_cut_off_too(chat: ChatServer, through: Through, status: int, reason: Reason) -> None:
    service = through(max_retries=0)
    reply = Endless(b'{"error": {"message": "', b"x" * PIECE, status)
    chat.then(reply)
    with pytest.raises(ContractError) as caught:
        service.ask(QUESTION)
    assert caught.value.reason is reason
    assert len(caught.value.message) < 1_300
    assert reply.left.wait(PATIENCE_S)


@pytest.fixture
def audio() -> Iterator[ChatServer]:
    server = audio_server()
    yield server
    server.close()


@pytest.mark.parametrize("service", ["speech", "transcription"])
def test_audio_services_cut_off_endless_bodies(audio: ChatServer, host_adapter: Host, service: str) -> None:
    options = {"base_url": audio.url, "model": MODEL, "max_retries": 3}
    served = host_adapter(SpeechAdapter(options) if service == "speech" else TranscriptionAdapter(options))
    reply = Endless(b"RIFF", b"\0" * PIECE, Content_Type="audio/wav")
    audio.then(reply)
    with pytest.raises(ContractError) as caught:
        served.ask(QUESTION, output=Modality.SPEECH) if service == "speech" else served.ask(CLIP)
    assert caught.value.reason is Reason.TOO_LARGE
    assert len(audio.asked) == 1
    assert reply.left.wait(PATIENCE_S)


def test_an_endless_list_of_models_does_not_stop_the_start(
    chat: ChatServer, through: Through, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handler, "do_GET", lambda handler: Endless(b'{"data": [', b" " * PIECE)(handler, {}))
    assert through(wait_s=0).ask(QUESTION).text == "Paris"
