"""Errors of the server and of the connection: retried if that can help, then mapped to the contract's reasons."""

from __future__ import annotations

import concurrent.futures
import socket

import grpc
import pytest

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_services.openai_server.adapter import OpenaiAdapter
from tests.helpers.chat_server import (
    PATIENCE_S,
    ChatServer,
    Reply,
    Silence,
    cut_off,
    failing,
    reset,
    sending,
    short_of_its_length,
    whole,
)
from tests.services.openai_server.through import Through

QUESTION = "What is the capital of France?"
SOON = {"retry_after_ms": "1"}


def failure(chat: ChatServer, through: Through, *replies: Reply, **options: object) -> ContractError:
    """The error of a question whose attempts get these replies."""
    service = through(**options)
    chat.then(*replies)
    with pytest.raises(ContractError) as failed:
        service.ask(QUESTION, output=Modality.SPEECH)
    return failed.value


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        (400, "Unknown part type: audio_url", Reason.BAD_REQUEST),
        (400, "This model's maximum context length is 4096 tokens", Reason.TOO_LARGE),
        (400, "Audio generation completed but no audio was produced.", Reason.MODEL_ERROR),
        (401, "Incorrect API key", Reason.UNAUTHENTICATED),
        (402, "Insufficient Balance", Reason.QUOTA_EXHAUSTED),
        (403, "You are not allowed to use this model", Reason.PERMISSION_DENIED),
        (403, "Your input was flagged by moderation", Reason.BAD_REQUEST),
        (400, "Your credit balance is too low to access the API", Reason.QUOTA_EXHAUSTED),
        (404, "The model does not exist", Reason.BAD_REQUEST),
        (408, "Request Timeout", Reason.DEADLINE_EXCEEDED),
        (413, "Payload too large", Reason.TOO_LARGE),
        (422, "Unsupported fields in the request", Reason.BAD_REQUEST),
        (429, "Rate limit reached", Reason.RATE_LIMITED),
        (500, "Audio generation completed but no audio was produced.", Reason.MODEL_ERROR),
        (500, "CUDA out of memory. Tried to allocate 2 GiB", Reason.OUT_OF_MEMORY),
        (500, "EngineCore encountered an issue", Reason.MODEL_ERROR),
        (502, "Bad Gateway", Reason.UPSTREAM_UNAVAILABLE),
        (503, "Server is overloaded", Reason.UPSTREAM_UNAVAILABLE),
    ],
)
def test_statuses_are_mapped_and_the_servers_message_is_kept(
    chat: ChatServer, through: Through, status: int, message: str, reason: Reason
) -> None:
    error = failure(chat, through, failing(status, message))
    assert error.reason is reason
    assert message in error.message
    assert str(status) in error.message


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_transient_errors_are_retried_and_counted(chat: ChatServer, through: Through, status: int) -> None:
    service = through(max_retries=2)
    chat.then(failing(status, **SOON), failing(status, **SOON), whole())
    reply = service.ask(QUESTION)
    assert reply.text == "Paris"
    assert reply.complete.diagnostics["retries"] == 2
    assert [asked.body for asked in chat.asked] == [chat.asked[0].body] * 3


def test_retries_end_at_max_retries(chat: ChatServer, through: Through) -> None:
    error = failure(chat, through, *[failing(429, **SOON)] * 4, max_retries=1)
    assert error.reason is Reason.RATE_LIMITED
    assert len(chat.asked) == 2


def test_a_refusal_is_not_retried(chat: ChatServer, through: Through) -> None:
    failure(chat, through, failing(400), max_retries=3)
    assert len(chat.asked) == 1


def test_retry_after_is_respected(chat: ChatServer, through: Through) -> None:
    """Without the header the retry would come after half a second at most."""
    service = through(max_retries=1)
    chat.then(failing(429, retry_after="1"), whole())
    assert service.ask(QUESTION).text == "Paris"
    assert chat.asked[1].at_s - chat.asked[0].at_s >= 1


def test_a_retry_after_of_an_hour_is_not_waited_for(chat: ChatServer, through: Through) -> None:
    error = failure(chat, through, failing(429, retry_after="3600"), max_retries=3)
    assert error.reason is Reason.RATE_LIMITED
    assert len(chat.asked) == 1


@pytest.mark.parametrize("fault", [reset, short_of_its_length], ids=["reset", "short"])
def test_a_lost_connection_is_retried_once_then_an_error(chat: ChatServer, through: Through, fault: Reply) -> None:
    service = through(max_retries=1)
    chat.then(fault, whole())
    assert service.ask(QUESTION).text == "Paris"
    chat.then(fault, fault)
    with pytest.raises(ContractError, match="is unavailable") as failed:
        service.ask(QUESTION)
    assert failed.value.reason is Reason.UPSTREAM_UNAVAILABLE


def test_the_error_for_truncated_json_has_its_beginning(chat: ChatServer, through: Through) -> None:
    error = failure(chat, through, cut_off)
    assert error.reason is Reason.UPSTREAM_UNAVAILABLE
    assert "JSON" in error.message
    assert '{"id": "c"' in error.message


@pytest.mark.parametrize("payload", [{}, [], {"choices": []}, {"choices": ["Paris"]}, None])
def test_json_that_is_not_a_completion_is_a_model_error(chat: ChatServer, through: Through, payload: object) -> None:
    assert failure(chat, through, sending(payload)).reason is Reason.MODEL_ERROR


def test_silence_beyond_timeout_s_is_deadline_exceeded(chat: ChatServer, through: Through) -> None:
    service = through(timeout_s=0.3)
    silence = Silence()
    chat.then(silence)
    with pytest.raises(ContractError, match="timeout_s") as failed:
        service.ask(QUESTION)
    assert failed.value.reason is Reason.DEADLINE_EXCEEDED
    assert silence.left.wait(PATIENCE_S)


def test_a_cancelled_call_closes_its_http_request(chat: ChatServer, through: Through) -> None:
    service = through()
    silence = Silence()
    chat.then(silence)
    request = pb.GenerateRequest(parts=[pb.InputPart(text=QUESTION)], output=pb.MODALITY_TEXT)
    call = service.stub.Generate(request, timeout=PATIENCE_S)
    assert silence.entered.wait(PATIENCE_S)
    call.cancel()
    assert silence.left.wait(PATIENCE_S)
    assert service.ask(QUESTION).text == "Paris"


def test_a_deadline_closes_the_http_request(chat: ChatServer, through: Through) -> None:
    service = through()
    silence = Silence()
    chat.then(silence)
    request = pb.GenerateRequest(parts=[pb.InputPart(text=QUESTION)], output=pb.MODALITY_TEXT)
    with pytest.raises(grpc.RpcError) as failed:
        list(service.stub.Generate(request, timeout=0.5))
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert silence.left.wait(PATIENCE_S)


def test_a_cancelled_call_stops_waiting_for_its_retry(chat: ChatServer, through: Through) -> None:
    """The service has one worker, so the next question is answered only if the wait of a minute was ended."""
    service = through(max_retries=1, concurrency=1)
    chat.then(failing(429, retry_after="60"))
    request = pb.GenerateRequest(parts=[pb.InputPart(text=QUESTION)], output=pb.MODALITY_TEXT)
    with pytest.raises(grpc.RpcError):
        list(service.stub.Generate(request, timeout=0.5))
    reply = service.ask(QUESTION)
    assert reply.text == "Paris"


def test_concurrency_is_the_number_of_simultaneous_calls(chat: ChatServer, through: Through) -> None:
    service = through(concurrency=3)
    silences = [Silence() for _ in range(3)]
    chat.then(*silences)
    request = pb.GenerateRequest(parts=[pb.InputPart(text=QUESTION)], output=pb.MODALITY_TEXT)
    calls = [service.stub.Generate(request, timeout=PATIENCE_S) for _ in silences]
    assert all(silence.entered.wait(PATIENCE_S) for silence in silences)
    for call in calls:
        call.cancel()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert {reply.text for reply in pool.map(service.ask, [QUESTION] * 6)} == {"Paris"}


def test_the_error_for_a_missing_server_names_its_address_and_base_url() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    adapter = OpenaiAdapter({"base_url": address, "model": "m", "wait_s": 0.2})
    try:
        with pytest.raises(ContractError, match=rf"{address} is unavailable.*set base_url") as failed:
            adapter.load()
    finally:
        adapter.close()
    assert failed.value.reason is Reason.UPSTREAM_UNAVAILABLE


@pytest.mark.parametrize("status", [404, 500])
def test_a_server_without_a_list_of_models_is_used(chat: ChatServer, through: Through, status: int) -> None:
    chat.list_status = status
    assert through().ask(QUESTION).text == "Paris"
    assert chat.lists == 1


def test_a_gateway_whose_server_is_loading_is_waited_for(chat: ChatServer, through: Through) -> None:
    chat.list_status = 503
    with pytest.raises(ContractError, match="is unavailable") as failed:
        through(wait_s=0.1)
    assert failed.value.reason is Reason.UPSTREAM_UNAVAILABLE
    assert chat.lists >= 1
