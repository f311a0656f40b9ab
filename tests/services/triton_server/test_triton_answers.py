"""Inputs that reach a model on Triton, and its answers: unary and decoupled, text, audio and images."""

from __future__ import annotations

import concurrent.futures
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from tests.helpers.serve_process import Served
from tests.services.triton_server.triton_options import FILES, OMNI, STREAM
from tests.services.triton_server.triton_process import PATIENCE_S, Triton

QUESTION = "What is the capital of France?"
CLIP = AudioClip(np.linspace(-0.5, 0.5, 1_601, dtype=np.float32), 16_000)
RED = Image.new("RGB", (5, 3), (255, 0, 51))

OnTriton = Callable[..., Served]


def seen(service: Served, *parts: Any, **fields: Any) -> dict[str, Any]:
    """The inputs that reached the model `omni`, according to its answer."""
    return dict(json.loads(service.ask(*parts, **fields).text))


def test_a_text_question_is_sent_with_a_batch_dimension(triton: Triton, on_triton: OnTriton) -> None:
    found = seen(
        on_triton(triton, OMNI),
        QUESTION,
        "One word.",
        system_prompt="Be brief.",
        language="en",
        decoding=pb.Decoding(max_new_tokens=9, temperature=0.5, seed=2**40),
    )
    assert found.pop("wanted") == ["answer", "confidence", "end", "endless", "tokens"]
    assert {name: tensor["shape"] for name, tensor in found.items()} == {name: [1, 1] for name in found}
    assert {name: tensor["value"] for name, tensor in found.items()} == {
        "question": QUESTION,
        "typed": "One word.",
        "system": "Be brief.",
        "language": "en",
        "speak": False,
        "max_tokens": 9,
        "temperature": 0.5,
        "seed": 2**40,
    }


def test_unset_fields_are_left_out_or_at_their_default(triton: Triton, on_triton: OnTriton) -> None:
    found = seen(on_triton(triton, OMNI), QUESTION)
    assert set(found) == {"question", "speak", "temperature", "wanted"}
    assert found["temperature"]["value"] == 0.0


def test_an_instruction_without_a_tensor_is_appended_to_the_question(triton: Triton, on_triton: OnTriton) -> None:
    inputs = {role: tensor for role, tensor in OMNI["inputs"].items() if role != "instruction"}
    service = on_triton(triton, OMNI, inputs=inputs, text_separator=" // ")
    assert seen(service, QUESTION, "One word.")["question"]["value"] == f"{QUESTION} // One word."
    assert seen(service, CLIP, "One word.")["question"]["value"] == "One word."


def test_speech_is_sent_as_fp32_samples_with_rate_and_length(triton: Triton, on_triton: OnTriton) -> None:
    found = seen(on_triton(triton, OMNI), CLIP)
    assert found["speech"]["shape"] == [1, 1_601]
    assert found["speech"]["first"] == pytest.approx(-0.5, abs=1e-4)
    assert found["speech"]["last"] == pytest.approx(0.5, abs=1e-4)
    assert found["speech_rate"]["value"] == 16_000
    assert found["speech_samples"]["value"] == 1_601
    assert "question" not in found


def test_speech_is_sent_at_the_rate_of_the_options(triton: Triton, on_triton: OnTriton) -> None:
    found = seen(on_triton(triton, OMNI, input_sample_rate_hz=8_000), CLIP)
    assert found["speech"]["shape"] == [1, 801]
    assert found["speech_rate"]["value"] == 8_000


def test_an_image_is_sent_as_rgb_pixels(triton: Triton, on_triton: OnTriton) -> None:
    found = seen(on_triton(triton, OMNI), RED)
    assert found["picture"]["shape"] == [1, 3, 5, 3]
    assert (found["picture"]["first"], found["picture"]["last"]) == (255, 51)


def test_an_image_is_sent_as_floats_with_channels_first(triton: Triton, on_triton: OnTriton) -> None:
    inputs = {**OMNI["inputs"], "image": "floats"}
    found = seen(on_triton(triton, OMNI, inputs=inputs), RED)["floats"]
    assert found["shape"] == [1, 3, 3, 5]
    assert (found["first"], found["last"]) == (1.0, pytest.approx(0.2))
    doubled = seen(on_triton(triton, OMNI, inputs=inputs, image_white=2.0), RED)["floats"]
    assert doubled["first"] == 2.0


def test_constants_and_decoding_as_json_are_sent(triton: Triton, on_triton: OnTriton) -> None:
    inputs = {**OMNI["inputs"], "decoding": "sampling"}
    for role in ("max_tokens", "seed", "temperature"):
        inputs.pop(role)
    constants = {"style": -3, "temperature": 0.25, "max_tokens": 5}
    service = on_triton(triton, OMNI, inputs=inputs, constants=constants, defaults={"temperature": 0.0})
    found = seen(service, QUESTION, decoding=pb.Decoding(seed=4, extra={"min_p": "0.1", "stop": "end"}))
    assert found["style"] == {"shape": [1, 1, 1], "value": -3}
    assert found["max_tokens"]["value"] == 5
    assert json.loads(found["sampling"]["value"]) == {"temperature": 0.0, "seed": 4, "min_p": 0.1, "stop": "end"}


def test_a_spoken_answer_has_text_audio_tokens_and_diagnostics(triton: Triton, on_triton: OnTriton) -> None:
    reply = on_triton(triton, OMNI).ask("long", output=Modality.SPEECH, voice=pb.VoiceSettings(name="anna"))
    found = json.loads(reply.text)
    assert found["speak"]["value"] is True
    assert found["speaker"]["value"] == "anna"
    assert {"wave", "wave_rate"} < set(found["wanted"])
    assert reply.audio is not None
    assert (reply.audio.sample_rate, len(reply.audio.samples)) == (24_000, 6_000)
    assert np.abs(reply.audio.samples).max() == pytest.approx(0.5, abs=0.01)
    assert reply.complete.finish_reason == pb.FINISH_REASON_LENGTH
    assert reply.complete.usage.output_tokens == 7
    # What is not finite is left out.
    assert reply.complete.diagnostics == {"confidence": 0.25, "retries": 0}


def test_audio_at_another_rate_is_resampled_to_the_declared_one(triton: Triton, on_triton: OnTriton) -> None:
    reply = on_triton(triton, OMNI).ask("rate 48000", output=Modality.SPEECH)
    assert reply.audio is not None
    assert reply.audio.sample_rate == 24_000
    assert reply.audio.seconds == pytest.approx(0.25, abs=0.01)


def test_audio_without_samples_is_an_answer_with_empty_audio(triton: Triton, on_triton: OnTriton) -> None:
    reply = on_triton(triton, OMNI).ask("silence", output=Modality.SPEECH)
    assert reply.text == "silence"
    assert reply.audio is not None
    assert reply.audio.seconds == 0


def test_files_are_sent_and_received_in_bytes_tensors(triton: Triton, on_triton: OnTriton) -> None:
    for options in ({}, {"audio_in": "wav_base64", "audio_out": "wav_base64", "image_in": "png_base64"}):
        service = on_triton(triton, FILES, **options)
        reply = service.ask(CLIP, output=Modality.SPEECH)
        assert reply.text == "WAV of 1601 samples at 16000"
        assert reply.audio is not None
        assert np.allclose(reply.audio.samples, CLIP.samples[::-1], atol=1e-4)
        assert service.ask(RED).text == "PNG of 5 x 3"


def test_raw_pcm_is_sent_and_received_in_bytes_tensors(triton: Triton, on_triton: OnTriton) -> None:
    reply = on_triton(triton, FILES, audio_in="pcm16", audio_out="pcm16").ask(CLIP, output=Modality.SPEECH)
    assert reply.text == "PCM of 3202 bytes"
    assert reply.audio is not None
    assert np.allclose(reply.audio.samples, CLIP.samples, atol=1e-4)


def test_the_own_text_of_a_tts_model_is_the_given_text(triton: Triton, on_triton: OnTriton) -> None:
    outputs = {"audio": "wave", "sample_rate": "wave_rate"}
    service = on_triton(triton, OMNI, outputs=outputs, reads_aloud=True, conditions=["t2s"])
    reply = service.ask("Good morning.", output=Modality.SPEECH)
    assert reply.text == "Good morning."
    assert reply.audio is not None


def test_a_decoupled_model_is_read_to_its_end(triton: Triton, on_triton: OnTriton) -> None:
    reply = on_triton(triton, STREAM).ask("Paris is it", output=Modality.SPEECH)
    assert reply.text == "Paris is it"
    assert reply.reasoning == "hm hm hm "
    assert reply.audio is not None
    assert (reply.audio.sample_rate, len(reply.audio.samples)) == (16_000, 4_800)
    assert np.abs(reply.audio.samples).max() == pytest.approx(9_000 / 32_768, abs=0.001)
    assert reply.complete.usage.output_tokens == 3


def test_no_audio_is_requested_for_a_text_answer(triton: Triton, on_triton: OnTriton) -> None:
    assert on_triton(triton, STREAM).ask("Paris").audio is None


def test_int16_samples_are_sent_without_a_batch_dimension(triton: Triton, on_triton: OnTriton) -> None:
    assert on_triton(triton, STREAM).ask(CLIP).text == "audio (1, 1601) 16384"


def test_a_required_clip_without_a_value_is_empty_or_one_zero(triton: Triton, on_triton: OnTriton) -> None:
    assert on_triton(triton, STREAM).ask("Hello").text == "Hello"
    assert on_triton(triton, STREAM, absent="zero").ask("Hello").text == "audio (1, 1) 0"


def test_a_stream_without_a_response_is_an_empty_answer(triton: Triton, on_triton: OnTriton) -> None:
    reply = on_triton(triton, STREAM).ask("nothing")
    assert reply.text == ""
    assert reply.complete.finish_reason == pb.FINISH_REASON_STOP


def test_characters_split_between_responses_are_joined(triton: Triton, on_triton: OnTriton) -> None:
    service = on_triton(triton, STREAM)
    assert service.ask("split à la 한국어").text == "à la 한국어"
    assert service.ask("half").text == "end\N{REPLACEMENT CHARACTER}"


def test_cumulative_texts_are_sent_as_deltas(triton: Triton, on_triton: OnTriton) -> None:
    service = on_triton(triton, STREAM, text_out="so_far", conditions=["t2t"])
    assert service.ask("sofar so good").text == "sofar so good"
    with pytest.raises(ContractError, match="text_out = 'pieces'") as failed:
        service.ask("in pieces")
    assert failed.value.reason is Reason.MODEL_ERROR


def test_pieces_at_another_rate_are_resampled_as_one(triton: Triton, on_triton: OnTriton) -> None:
    reply = on_triton(triton, STREAM).ask("slow down please", output=Modality.SPEECH)
    assert reply.audio is not None
    assert reply.audio.sample_rate == 16_000
    assert reply.audio.seconds == pytest.approx(0.3, abs=0.01)


def test_deltas_are_sent_while_the_model_is_generating(triton: Triton, on_triton: OnTriton) -> None:
    """The model sends its last word only after the test has read the first ones."""
    service = on_triton(triton, STREAM)
    request = pb.GenerateRequest(parts=[pb.InputPart(text="wait early for me")], output=pb.MODALITY_SPEECH)
    stream = service.stub.Generate(request, timeout=PATIENCE_S)
    texts, spoken = [], False
    while len(texts) < 2 or not spoken:
        delta = next(stream).delta
        texts += [delta.text] if delta.text else []
        spoken = spoken or delta.HasField("audio")
    assert texts[:2] == ["wait", " early"]
    (triton.events / "early.go").touch()
    rest = list(stream)
    assert "".join(response.delta.text for response in rest).endswith(" me")
    assert rest[-1].HasField("complete")


def test_concurrency_is_the_number_of_simultaneous_calls(triton: Triton, on_triton: OnTriton) -> None:
    service = on_triton(triton, STREAM, concurrency=6)
    names = [f"many{number}" for number in range(6)]
    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        replies = [pool.submit(service.ask, f"wait {name}") for name in names]
        assert all(triton.saw(f"{name}.entered") for name in names)
        for name in names:
            (triton.events / f"{name}.go").touch()
        assert [reply.result(PATIENCE_S).text for reply in replies] == [f"wait {name}" for name in names]
