"""Errors of the model, of Triton and of the connection, mapped to the contract's reasons."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_services.triton_server.adapter import TritonAdapter
from tests.helpers.serve_process import Served
from tests.services.triton_server.triton_options import FILES, OMNI, STREAM
from tests.services.triton_server.triton_process import MODELS, PATIENCE_S, Triton

OnTriton = Callable[..., Served]


def failure(service: Served, *parts: str | AudioClip, **fields: Any) -> ContractError:
    """The error of a question."""
    with pytest.raises(ContractError) as failed:
        service.ask(*parts, **fields)
    return failed.value


def waiting(name: str) -> pb.GenerateRequest:
    return pb.GenerateRequest(parts=[pb.InputPart(text=f"wait {name}")], output=pb.MODALITY_TEXT)


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("refuse that is not for me", Reason.MODEL_ERROR),
        ("raise that went wrong", Reason.MODEL_ERROR),
        ("refuse CUDA out of memory. Tried to allocate 2 GiB", Reason.OUT_OF_MEMORY),
        ("refuse Exceeds maximum queue size", Reason.RATE_LIMITED),
    ],
)
def test_an_error_of_a_unary_model_keeps_its_message(
    triton: Triton, on_triton: OnTriton, question: str, reason: Reason
) -> None:
    error = failure(on_triton(triton, OMNI), question)
    assert error.reason is reason
    assert question.partition(" ")[2] in error.message
    assert triton.url in error.message


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("fail 0 at once and for all", Reason.MODEL_ERROR),
        ("fail 2 after two words", Reason.MODEL_ERROR),
        ("fail 1 CUDA out of memory", Reason.OUT_OF_MEMORY),
    ],
)
def test_an_error_in_a_stream_keeps_its_message(
    triton: Triton, on_triton: OnTriton, question: str, reason: Reason
) -> None:
    service = on_triton(triton, STREAM)
    error = failure(service, question)
    assert error.reason is reason
    assert question.split(" ", 2)[2] in error.message
    assert "in its stream" in error.message
    assert service.ask("All well").text == "All well"


@pytest.mark.parametrize("question", ["fail 1 after a word", "Hello"])
def test_a_finished_request_does_not_stay_in_the_server(own_triton: Triton, on_triton: OnTriton, question: str) -> None:
    """A server that still holds a request when it is stopped ends with an error after its exit timeout."""
    service = on_triton(own_triton, STREAM)
    if question == "Hello":
        assert service.ask(question).text == question
    else:
        failure(service, question)
    assert own_triton.stop() == 0


def test_the_error_has_the_end_of_a_long_traceback(triton: Triton, on_triton: OnTriton) -> None:
    service = on_triton(triton, OMNI)
    error = failure(service, f"raise {'and so on ' * 200}until the last word")
    assert "until the last word" in error.message
    assert len(error.message) < 1_000
    hidden = failure(service, f"raise {'and so on ' * 100}CUDA out of memory {'and so on ' * 100}")
    assert hidden.reason is Reason.OUT_OF_MEMORY


def test_invalid_audio_is_a_model_error(triton: Triton, on_triton: OnTriton) -> None:
    assert failure(on_triton(triton, OMNI), "nan", output=Modality.SPEECH).reason is Reason.MODEL_ERROR
    noise = failure(on_triton(triton, FILES), "noise", output=Modality.SPEECH)
    assert noise.reason is Reason.MODEL_ERROR
    assert "audio_out" in noise.message
    change = failure(on_triton(triton, STREAM), "change the rate", output=Modality.SPEECH)
    assert change.reason is Reason.MODEL_ERROR
    assert "from 8000 to 16000 Hz" in change.message


def test_a_field_without_a_tensor_is_refused_with_the_key_to_set(triton: Triton, on_triton: OnTriton) -> None:
    service = on_triton(triton, STREAM)
    for fields, key in (
        ({"decoding": pb.Decoding(temperature=0.0)}, "inputs.temperature"),
        ({"system_prompt": "Be brief."}, "inputs.system_prompt"),
        ({"decoding": pb.Decoding(extra={"min_p": "0.1"})}, "inputs.decoding"),
    ):
        error = failure(service, "Hello", **fields)
        assert error.reason is Reason.BAD_REQUEST
        assert key in error.message
    # A seed and a language are sent with every question of a run.
    assert service.ask("Hello", language="en", decoding=pb.Decoding(seed=1)).text == "Hello"
    lenient = on_triton(triton, STREAM, ignore=["temperature"])
    assert lenient.ask("Hello", decoding=pb.Decoding(temperature=0.0)).text == "Hello"


def test_an_instruction_without_a_tensor_is_refused(triton: Triton, on_triton: OnTriton) -> None:
    inputs = {"audio": "pcm", "output": "mode"}
    audio_only = on_triton(triton, STREAM, inputs=inputs, constants={"prompt": ""})
    clip = AudioClip(np.full(100, 0.1, np.float32), 16_000)
    error = failure(audio_only, clip, "One word.")
    assert error.reason is Reason.BAD_REQUEST
    assert "inputs.instruction" in error.message


def test_a_value_that_its_tensor_does_not_hold_is_refused(triton: Triton, on_triton: OnTriton) -> None:
    service = on_triton(triton, OMNI, inputs={**OMNI["inputs"], "max_tokens": "style"})
    error = failure(service, "Hello", decoding=pb.Decoding(max_new_tokens=40_000))
    assert error.reason is Reason.BAD_REQUEST
    assert "40000" in error.message
    assert "style INT16" in error.message


@pytest.mark.parametrize(("options", "name"), [(OMNI, "slow"), (STREAM, "stuck")], ids=["unary", "decoupled"])
def test_silence_beyond_timeout_s_cancels_the_call(
    triton: Triton, on_triton: OnTriton, options: dict[str, object], name: str
) -> None:
    error = failure(on_triton(triton, options, timeout_s=1.0), f"wait {name}")
    assert error.reason is Reason.DEADLINE_EXCEEDED
    assert "timeout_s" in error.message
    assert triton.saw(f"{name}.cancelled")


@pytest.mark.parametrize(("options", "name"), [(OMNI, "unary"), (STREAM, "decoupled")], ids=["unary", "decoupled"])
def test_a_cancelled_call_is_cancelled_upstream(
    triton: Triton, on_triton: OnTriton, options: dict[str, object], name: str
) -> None:
    service = on_triton(triton, options, concurrency=1)
    call = service.stub.Generate(waiting(name), timeout=PATIENCE_S)
    assert triton.saw(f"{name}.entered")
    call.cancel()
    assert triton.saw(f"{name}.cancelled")
    assert service.ask("rate 8000" if options is OMNI else "well").text


def test_a_missed_deadline_cancels_upstream(triton: Triton, on_triton: OnTriton) -> None:
    service = on_triton(triton, STREAM)
    with pytest.raises(grpc.RpcError) as failed:
        list(service.stub.Generate(waiting("late"), timeout=1.0))
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert triton.saw("late.cancelled")


@pytest.mark.parametrize("options", [OMNI, STREAM], ids=["unary", "decoupled"])
def test_a_server_that_dies_during_a_call_is_unavailable(
    own_triton: Triton, on_triton: OnTriton, options: dict[str, object]
) -> None:
    service = on_triton(own_triton, options, max_retries=1)
    call = service.stub.Generate(waiting("killed"), timeout=PATIENCE_S)
    assert own_triton.saw("killed.entered")
    own_triton.kill()
    with pytest.raises(grpc.RpcError, match="start it there"):
        list(call)
    assert failure(service, "Hello").reason is Reason.UPSTREAM_UNAVAILABLE


def test_a_server_that_comes_back_is_found_again(own_triton: Triton, on_triton: OnTriton, tmp_path: Path) -> None:
    service = on_triton(own_triton, STREAM, max_retries=3)
    port = int(own_triton.url.rpartition(":")[2])
    own_triton.kill()
    assert failure(service, "Hello").reason is Reason.UPSTREAM_UNAVAILABLE
    again = Triton.start(tmp_path, ["stream"], grpc_port=port)
    try:
        assert service.ask("Hello again").text == "Hello again"
    finally:
        again.kill()


def test_an_unloaded_model_is_unavailable(own_triton: Triton, on_triton: OnTriton) -> None:
    unary, decoupled = on_triton(own_triton, OMNI), on_triton(own_triton, STREAM)
    with own_triton.client() as client:
        client.unload_model("omni")
        client.unload_model("stream")
    for service in (unary, decoupled):
        assert failure(service, "Hello").reason is Reason.UPSTREAM_UNAVAILABLE


def test_a_newer_version_does_not_answer_under_the_digest_of_the_old_one(
    triton: Triton, on_triton: OnTriton, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    shutil.copytree(MODELS / "stream", repository / "stream")
    server = Triton.start(tmp_path, ["stream"], repositories=[repository])
    try:
        service = on_triton(server, STREAM)
        assert service.ask("Hello").text == "Hello"
        (repository / "stream" / "1").rename(repository / "stream" / "2")
        with server.client() as client:
            client.load_model("stream")
        error = failure(service, "Hello")
        assert error.reason is Reason.UPSTREAM_UNAVAILABLE
        newer = on_triton(server, STREAM)
        assert newer.ask("Hello").text == "Hello"
        assert newer.describe().settings["triton.model_version"] == "2"
        assert newer.describe().digest != service.describe().digest
    finally:
        server.kill()


def test_a_model_whose_process_dies_is_an_error(own_triton: Triton, on_triton: OnTriton) -> None:
    error = failure(on_triton(own_triton, OMNI), "die")
    assert error.reason in (Reason.MODEL_ERROR, Reason.UPSTREAM_UNAVAILABLE)


def test_the_error_for_a_missing_server_names_its_address_and_url() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"127.0.0.1:{free.getsockname()[1]}"
    adapter = TritonAdapter({**OMNI, "url": url, "wait_s": 0.2})
    try:
        with pytest.raises(ContractError, match=rf"{url} .*set url") as failed:
            adapter.load()
    finally:
        adapter.close()
    assert failed.value.reason is Reason.UPSTREAM_UNAVAILABLE
