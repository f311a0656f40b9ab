"""The service over its socket: card, streams, deadlines, batches, and the command that starts it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import numpy as np
import pytest

from omnigap.convert import modality_to_proto
from omnigap.errors import ContractError
from omnigap.media.audio import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from tests.services.qwen_omni.recorded import picture, tone

if TYPE_CHECKING:
    from tests.helpers.in_process import Host
    from tests.helpers.serve_process import Part, Serve, Served
    from tests.services.qwen_omni.conftest import Make

QUESTIONS: tuple[tuple[Part, ...], ...] = (
    ("What is the capital of France?",),
    (tone(0.7), "Answer with one word."),
    (picture(), "Answer with one word."),
)


def pieces(served: Served, text: str, output: Modality, timeout: float = 120) -> Iterator[pb.GenerateResponse]:
    request = pb.GenerateRequest(
        request_id=uuid.uuid4().hex, parts=[pb.InputPart(text=text)], output=modality_to_proto(output)
    )
    yield from served.stub.Generate(request, timeout=timeout)


def test_the_card_has_all_six_conditions_and_the_settings(served: Served, kind: str) -> None:
    card = served.describe()
    assert [c.support for c in card.conditions] == [pb.SUPPORT_NATIVE] * 6
    assert card.output_sample_rate_hz == 24_000
    native = kind == "qwen2.5"
    assert card.architecture == (pb.ARCHITECTURE_NATIVE_OMNI if native else pb.ARCHITECTURE_MOE)
    assert {voice.name for voice in card.voices} >= {"Chelsie", "Ethan"}
    assert card.weights_revision.startswith("sha256:")
    settings = card.settings
    assert settings["profile"] == "greedy"
    assert settings["talker"] == "greedy; repetition_penalty 1.05"
    assert settings["dtype"] == "float32"
    assert settings["speaker"] == ("Chelsie" if native else "Ethan")
    assert settings["system_prompt"].startswith("You are Qwen, a virtual human" if native else "")
    assert {"library.torch", "library.transformers", "code.torch_utils", "service.code"} <= set(settings)


@pytest.mark.parametrize("output", [Modality.TEXT, Modality.SPEECH])
def test_every_carrier_is_answered_in_text_and_in_speech(served: Served, output: Modality) -> None:
    for parts in QUESTIONS:
        reply = served.ask(*parts, output=output)
        assert reply.text
        assert reply.reasoning == ""
        usage, timings = reply.complete.usage, reply.complete.timings
        assert usage.input_tokens > usage.output_tokens > 0
        assert 0 < timings.ttft_s <= timings.queue_s + timings.compute_s
        if output is Modality.TEXT:
            assert reply.audio is None
            assert usage.audio_tokens == 0
        else:
            assert isinstance(reply.audio, AudioClip)
            assert reply.audio.sample_rate == 24_000
            assert usage.output_audio_seconds == pytest.approx(reply.audio.seconds)
            assert usage.audio_tokens == reply.complete.diagnostics["codec_frames"] > 0
            assert timings.ttft_s <= timings.audio_ttfp_s <= timings.queue_s + timings.compute_s


def test_concurrent_calls_get_the_same_answers_as_single_ones(served: Served) -> None:
    calls = [(parts, output) for parts in QUESTIONS for output in (Modality.TEXT, Modality.SPEECH)] * 2
    single = [served.ask(*parts, output=output) for parts, output in calls[:6]] * 2
    with ThreadPoolExecutor(len(calls)) as pool:
        together = list(pool.map(lambda call: served.ask(*call[0], output=call[1]), calls))
    assert [reply.text for reply in together] == [reply.text for reply in single]
    for several, one in zip(together, single, strict=True):
        assert several.complete.diagnostics == one.complete.diagnostics
        if one.audio is not None and several.audio is not None:
            np.testing.assert_array_equal(several.audio.samples, one.audio.samples)


def test_text_is_streamed_before_the_audio(served: Served) -> None:
    kinds = [
        response.delta.WhichOneof("content") if response.HasField("delta") else "complete"
        for response in pieces(served, "Hi", Modality.SPEECH)
    ]
    assert kinds[-2:] == ["audio", "complete"]
    assert kinds.count("text") == len(kinds) - 2 > 1


def test_after_a_missed_deadline_the_service_answers_the_next_call(served: Served) -> None:
    with pytest.raises(grpc.RpcError) as late:
        list(pieces(served, "Hi", Modality.SPEECH, timeout=0.001))
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED  # type: ignore[attr-defined]
    assert served.ask("Hi").text


def test_an_unknown_voice_is_refused(served: Served) -> None:
    with pytest.raises(ContractError, match="Chelsie") as refused:
        served.ask("Hi", output=Modality.SPEECH, voice=pb.VoiceSettings(name="Cherry"))
    assert refused.value.reason is Reason.BAD_REQUEST


@pytest.mark.parametrize("kind", ["qwen3"], indirect=True)
def test_the_command_serves_a_checkpoint(serve: Serve, checkpoints: dict[str, Path], served: Served, kind: str) -> None:
    """Like in a container: a separate process with options from a file has the same digest and the same answer."""
    options = {"checkpoint": str(checkpoints[kind]), "max_new_tokens": 12, "talker_max_new_tokens": 16}
    process = serve("qwen-omni", {**options, "cpu_threads": 1})
    assert process.describe().digest == served.describe().digest
    ours, theirs = (place.ask("Hi", output=Modality.SPEECH) for place in (process, served))
    assert ours.text == theirs.text
    assert ours.complete.diagnostics == theirs.complete.diagnostics


@pytest.mark.parametrize("part", ["thinker", "prompt builder"])
def test_the_traceback_of_an_unexpected_error_is_logged_under_the_id_in_the_callers_error(
    make: Make, hosted: Host, part: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken_kernel(*_: object, **__: object) -> None:
        raise IndexError("index 7 is out of bounds")

    adapter = make("qwen3", loaded=False, speech=False)
    served = hosted(adapter)
    if part == "thinker":
        monkeypatch.setattr(adapter._loaded.model.thinker, "generate", broken_kernel)
    else:
        monkeypatch.setattr(adapter._loaded.prompt_builder, "prompt", broken_kernel)
    with pytest.raises(ContractError, match="index 7 is out of bounds") as failed:
        served.ask("Who was it?")
    assert failed.value.reason is Reason.MODEL_ERROR
    (fault,) = re.findall(r"fault ([0-9a-f]{8})", failed.value.message)
    (record,) = [record for record in caplog.records if record.exc_info]
    assert fault in record.getMessage()
    assert "in broken_kernel" in (record.exc_text or "")
