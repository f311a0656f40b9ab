"""Bodies with status 200 that hold no answer: an error, tool calls, or no audio although speech was requested."""

from __future__ import annotations

import json
from typing import Any

import pytest

from omnigap.errors import NO_AUDIO, ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_services.openai_server.body_errors import reason_of
from tests.helpers.chat_server import MODEL, ChatServer, Handler, Reply, choice, completion, sending
from tests.helpers.serve_process import Served
from tests.services.openai_server.through import Through

QUESTION = "What is the capital of France?"
CALL = [{"id": "1", "type": "function", "function": {"name": "search", "arguments": "{}"}}]


def with_fields(content: str | None, finish: str | None = "stop", *, message: Any = None, **fields: Any) -> Reply:
    """A completion of one choice with further fields, some of them in its message."""
    found = {**choice(content, finish or "stop"), "finish_reason": finish, **fields}
    found["message"] = {**found["message"], **(message or {})}
    return sending(completion(found))


def events(*choices: dict[str, Any]) -> Reply:
    """Server-sent events of one choice each."""

    def reply(handler: Handler, body: dict[str, Any]) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for found in choices:
            event = {"id": "c", "model": MODEL, **(found if "error" in found and "delta" not in found else {})}
            event.setdefault("choices", [{"index": 0, **found}])
            handler.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        handler.wfile.write(b"data: [DONE]\n\n")
        handler.close_connection = True

    return reply


def refused(chat: ChatServer, service: Served, reply: Reply, output: Modality = Modality.TEXT) -> ContractError:
    """The error of a question that gets this reply."""
    chat.then(reply)
    with pytest.raises(ContractError) as failed:
        service.ask(QUESTION, output=output)
    return failed.value


@pytest.mark.parametrize(
    ("reply", "reason", "message"),
    [
        (with_fields("", "error", error={"code": 502, "message": "Bad gateway"}), "UPSTREAM_UNAVAILABLE", "Bad gat"),
        (with_fields("Paris", "error"), "MODEL_ERROR", "finish_reason 'error'"),
        (with_fields("Par", "abort"), "MODEL_ERROR", "finish_reason 'abort'"),
        (with_fields("", error={"code": 429, "message": "slow down"}), "RATE_LIMITED", "slow down"),
        (with_fields("", message={"error": "CUDA out of memory"}), "OUT_OF_MEMORY", "out of memory"),
        (with_fields(None, "tool_calls", message={"tool_calls": CALL}), "MODEL_ERROR", "tool_choice"),
        (with_fields("", "function_call", message={"function_call": CALL[0]["function"]}), "MODEL_ERROR", "tool calls"),
        (with_fields(None, message={"content": 42}), "MODEL_ERROR", "neither text nor a list"),
        (sending({"error": {"message": "busy", "type": "overloaded_error"}}), "UPSTREAM_UNAVAILABLE", "busy"),
        (sending({"error": {"message": "slow", "code": "rate_limit_exceeded"}}), "RATE_LIMITED", "slow"),
        (sending({**completion(choice("Paris")), "error": {"message": "it broke"}}), "MODEL_ERROR", "it broke"),
        (sending({"object": "error", "message": "maximum context length is 8", "code": 400}), "TOO_LARGE", "maximum"),
        (sending({"error": "it broke"}), "MODEL_ERROR", "it broke"),
        (sending(completion({"index": 0, "finish_reason": "stop"})), "MODEL_ERROR", "has no message"),
        (sending(completion()), "MODEL_ERROR", "has no choices"),
    ],
)
@pytest.mark.parametrize("output", [Modality.TEXT, Modality.SPEECH])
def test_a_failure_behind_status_200_is_an_error(
    chat: ChatServer, through: Through, reply: Reply, reason: str, message: str, output: Modality
) -> None:
    error = refused(chat, through(), reply, output)
    assert error.reason == reason
    assert message in error.message


@pytest.mark.parametrize(
    ("reply", "reason", "message"),
    [
        (events({"delta": {"content": "Par"}}, {"delta": {}, "finish_reason": "error"}), "MODEL_ERROR", "'error'"),
        (events({"delta": {}, "error": {"code": 503, "message": "gone"}}), "UPSTREAM_UNAVAILABLE", "gone"),
        (events({"error": {"code": 429, "message": "slow down"}}), "RATE_LIMITED", "slow down"),
        (
            events({"delta": {"tool_calls": [{"index": 0, **CALL[0]}]}, "finish_reason": "tool_calls"}),
            "MODEL_ERROR",
            "tool",
        ),
    ],
    ids=["finish reason", "in a choice", "in the stream", "tool calls"],
)
def test_a_failure_within_a_stream_is_an_error(
    chat: ChatServer, through: Through, reply: Reply, reason: str, message: str
) -> None:
    error = refused(chat, through(stream=True), reply)
    assert error.reason == reason
    assert message in error.message


@pytest.mark.parametrize("text", ["Paris.", "", None])
@pytest.mark.parametrize("audio", [None, {}, {"id": "a", "data": None, "transcript": "Paris."}])
def test_speech_without_any_audio_is_an_error(
    chat: ChatServer, through: Through, text: str | None, audio: dict[str, Any] | None
) -> None:
    error = refused(chat, through(), sending(completion(choice(text, audio=audio))), Modality.SPEECH)
    assert error.reason is Reason.MODEL_ERROR
    assert error.message.startswith(NO_AUDIO)
    if text:
        assert "'Paris.'" in error.message


def test_a_spoken_refusal_needs_no_audio(chat: ChatServer, through: Through) -> None:
    service = through()
    chat.then(with_fields(None, message={"refusal": "I can't help with that."}))
    reply = service.ask(QUESTION, output=Modality.SPEECH)
    assert (reply.text, reply.audio) == ("I can't help with that.", None)
    assert reply.complete.finish_reason == pb.FINISH_REASON_REFUSED


def test_a_server_that_never_speaks_starts_and_answers_with_text(chat: ChatServer, through: Through) -> None:
    # The warm-up asks for speech; every later request too gets the same text.
    text_only = sending(completion(choice("Paris.")))
    chat.then(*[text_only] * 3)
    service = through()
    chat.then(text_only)
    assert service.ask(QUESTION).text == "Paris."


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("content", [None, "", " \n"])
def test_an_empty_text_is_an_answer(chat: ChatServer, through: Through, content: str | None, stream: bool) -> None:
    service = through(stream=stream)
    chat.then(events({"delta": {"content": content}, "finish_reason": "stop"}) if stream else with_fields(content))
    reply = service.ask(QUESTION)
    assert reply.text.strip() == ""
    assert reply.complete.finish_reason == pb.FINISH_REASON_STOP


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"code": "504"}, Reason.UPSTREAM_UNAVAILABLE),
        ({"code": 1, "status": 429}, Reason.RATE_LIMITED),
        ({"code": True, "message": "no"}, Reason.MODEL_ERROR),
        ({"code": 500, "message": "EngineCore"}, Reason.MODEL_ERROR),
        ({"status": "RESOURCE_EXHAUSTED"}, Reason.RATE_LIMITED),
        ({"type": "timeout_error"}, Reason.DEADLINE_EXCEEDED),
        (["?"], Reason.MODEL_ERROR),
    ],
)
def test_errors_in_bodies_have_the_contracts_reasons(error: object, reason: Reason) -> None:
    assert reason_of(error) is reason
