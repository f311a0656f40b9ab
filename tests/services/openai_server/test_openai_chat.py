"""The posted body: parts, modalities, voice and sampling."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import soundfile
from PIL import Image

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_services.openai_server.adapter import OpenaiAdapter
from omnigap_services.options import OptionsError
from tests.helpers.chat_server import MODEL, ChatServer, Reply, streaming, whole
from tests.services.openai_server.through import Through

QUESTION = "What is the capital of France?"
CLIP = AudioClip((0.25 * np.sin(np.arange(8_000) / 7)).astype(np.float32), 16_000)


def test_a_text_question_is_a_string_after_the_system_prompt(chat: ChatServer, through: Through) -> None:
    service = through(system_prompt="Be brief.")
    assert service.ask(QUESTION).text == "Paris"
    body = chat.asked[-1].body
    assert body["model"] == MODEL
    assert body["modalities"] == ["text"]
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
    assert "audio" not in body
    service.ask(QUESTION, system_prompt="Be long.")
    assert chat.asked[-1].body["messages"][0]["content"] == "Be long."


def test_an_image_is_a_png_before_its_instruction(chat: ChatServer, through: Through) -> None:
    image = Image.new("RGB", (40, 30), "#336699")
    through().ask(image, "Answer.")
    (user,) = chat.asked[-1].body["messages"]
    assert [part["type"] for part in user["content"]] == ["image_url", "text"]
    head, _, data = user["content"][0]["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    sent = Image.open(io.BytesIO(base64.b64decode(data)))
    assert sent.tobytes() == image.tobytes()


@pytest.mark.parametrize("kind", ["audio_url", "input_audio"])
def test_audio_is_a_wav_of_the_same_samples(chat: ChatServer, through: Through, kind: str) -> None:
    through(audio_part=kind).ask(CLIP, "Answer.")
    part = chat.asked[-1].body["messages"][0]["content"][0]
    assert part["type"] == kind
    if kind == "input_audio":
        assert part["input_audio"]["format"] == "wav"
        data = part["input_audio"]["data"]
    else:
        head, _, data = part["audio_url"]["url"].partition(",")
        assert head == "data:audio/wav;base64"
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(data)), dtype="float32")
    assert rate == 16_000
    np.testing.assert_allclose(samples, CLIP.samples, atol=2**-15)


def test_speech_requests_text_and_audio_in_the_requests_voice(chat: ChatServer, through: Through) -> None:
    service = through(voice="alloy")
    service.ask(QUESTION, output=Modality.SPEECH)
    assert chat.asked[-1].body["modalities"] == ["text", "audio"]
    assert chat.asked[-1].body["audio"] == {"format": "wav", "voice": "alloy"}
    service.ask(QUESTION, output=Modality.SPEECH, voice=pb.VoiceSettings(name="verse"))
    assert chat.asked[-1].body["audio"]["voice"] == "verse"


def test_the_voice_can_be_sent_as_speaker(chat: ChatServer, through: Through) -> None:
    through(voice="Ethan", voice_field="speaker").ask(QUESTION, output=Modality.SPEECH)
    assert chat.asked[-1].body["speaker"] == "Ethan"
    assert chat.asked[-1].body["audio"] == {"format": "wav"}


def test_the_requests_decoding_overrides_the_options_and_zero_is_a_value(chat: ChatServer, through: Through) -> None:
    service = through(temperature=0.7, max_tokens=64, seed=3)
    service.ask(QUESTION)
    body = chat.asked[-1].body
    assert (body["temperature"], body["max_tokens"], body["seed"]) == (0.7, 64, 3)
    assert "top_p" not in body
    decoding = pb.Decoding(temperature=0, max_new_tokens=5, top_k=40, repetition_penalty=1.5, seed=0)
    service.ask(QUESTION, decoding=decoding)
    body = chat.asked[-1].body
    assert (body["temperature"], body["max_tokens"], body["seed"], body["top_k"]) == (0, 5, 0, 40)
    assert body["repetition_penalty"] == 1.5


def test_the_thinkers_table_gets_the_requests_sampling(chat: ChatServer, through: Through) -> None:
    """A server that gets `sampling_params_list` ignores sampling fields in the root."""
    stages = [{"temperature": 0.4, "top_p": 0.9}, {"temperature": 0.9, "seed": 42}]
    through(sampling_params_list=stages, max_tokens_field="max_completion_tokens").ask(
        QUESTION, decoding=pb.Decoding(temperature=0, max_new_tokens=9)
    )
    body = chat.asked[-1].body
    assert body["sampling_params_list"] == [{"temperature": 0, "top_p": 0.9, "max_tokens": 9}, stages[1]]
    assert body["max_completion_tokens"] == 9


def test_extra_root_fields_of_options_and_request_are_sent(chat: ChatServer, through: Through) -> None:
    service = through(extra_body={"chat_template_kwargs": {"enable_thinking": False}}, omit=["modalities"])
    service.ask(QUESTION, decoding=pb.Decoding(extra={"min_p": "0.1", "stop": "END", "add_special": "true"}))
    body = chat.asked[-1].body
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert (body["min_p"], body["stop"], body["add_special"]) == (0.1, "END", True)
    assert "modalities" not in body


@pytest.mark.parametrize(
    ("decoding", "named"),
    [(pb.Decoding(beam_size=4), "beam_size"), (pb.Decoding(extra={"messages": "[]"}), "messages")],
)
def test_unsupported_decoding_is_refused(chat: ChatServer, through: Through, decoding: pb.Decoding, named: str) -> None:
    with pytest.raises(ContractError, match=named) as refused:
        through().ask(QUESTION, decoding=decoding)
    assert refused.value.reason is Reason.BAD_REQUEST
    assert not chat.asked


@pytest.mark.parametrize("field", ["repetition_penalty", "repeat_penalty"])
def test_a_setting_that_the_server_ignores_is_refused_under_every_name(
    chat: ChatServer, through: Through, field: str
) -> None:
    service = through(unsupported=["repetition_penalty"], repetition_penalty_field=field)
    with pytest.raises(ContractError, match=r"decoding.repetition_penalty is 1.2, which this server ignores"):
        service.ask(QUESTION, decoding=pb.Decoding(repetition_penalty=1.2))
    chat.then(whole())
    assert service.ask(QUESTION, decoding=pb.Decoding(repetition_penalty=1.0)).text == "Paris"
    assert field not in chat.asked[-1].body


@pytest.mark.parametrize(("stream", "reply"), [(False, whole()), (True, streaming("Par", "is"))])
def test_the_models_name_can_be_omitted(chat: ChatServer, through: Through, stream: bool, reply: Reply) -> None:
    service = through(omit=["model"], stream=stream)
    chat.then(reply)
    assert service.ask(QUESTION).text == "Paris"
    assert "model" not in chat.asked[-1].body
    assert service.describe().settings["model"] == MODEL


@pytest.mark.parametrize("field", ["messages", "stream"])
def test_required_fields_cannot_be_omitted(field: str) -> None:
    with pytest.raises(OptionsError, match=rf"'omit' .*{field}"):
        OpenaiAdapter({"model": MODEL, "omit": [field]})
