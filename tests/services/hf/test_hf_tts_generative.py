"""Generative TTS models: CSM and Dia through the library's pipeline, and Bark."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_services.hf.tts import tiny as tiny_tts
from omnigap_services.hf.tts.adapter import TtsAdapter
from omnigap_services.options import OptionsError
from tests.helpers.serve_process import Served
from tests.services.hf import tiny_codecs
from tests.services.hf.hosting import Build, Built, Host

BUILDERS = (tiny_codecs.csm, tiny_codecs.dia, tiny_codecs.bark)
RATES = {"csm": 24_000, "dia": 16_000, "bark": 24_000}


@pytest.fixture(scope="module", params=BUILDERS, ids=[builder.__name__ for builder in BUILDERS])
def voice(request: pytest.FixtureRequest, built: Built, hosted: Host) -> tuple[str, Served]:
    name = request.param.__name__
    limit = {} if name == "bark" else {"max_new_tokens": 40}
    return name, hosted(TtsAdapter({"model": str(built(request.param)), **limit}))


def speech(served: Served, text: str = "Who was it?", **fields: Any) -> AudioClip:
    audio = served.ask(text, output=Modality.SPEECH, **fields).audio
    assert audio is not None
    return audio


def test_speech_has_the_models_sample_rate_and_depends_on_the_seed(voice: tuple[str, Served]) -> None:
    name, served = voice
    first = speech(served)
    assert first.sample_rate == served.describe().output_sample_rate_hz == RATES[name]
    assert first.samples.any()
    other = speech(served, decoding=pb.Decoding(seed=1))
    assert np.array_equal(speech(served).samples, first.samples)
    assert not np.array_equal(other.samples, first.samples)


def test_digits_are_not_spelt_out_for_models_that_read_them(voice: tuple[str, Served]) -> None:
    _, served = voice
    assert served.describe().settings["spell_out"] == "False"
    assert not np.array_equal(speech(served, "12 + 7").samples, speech(served, "twelve plus seven").samples)


def test_speaker_marks_change_the_voice(built: Built, hosted: Host) -> None:
    options = {"model": str(built(tiny_codecs.csm)), "max_new_tokens": 8, "voices": {"ann": "0", "bob": "1"}}
    served = hosted(TtsAdapter(options))
    ann, bob = (speech(served, voice=pb.VoiceSettings(name=name)) for name in ("ann", "bob"))
    assert not np.array_equal(ann.samples, bob.samples)
    assert np.array_equal(speech(served).samples, ann.samples)


def test_an_utterance_at_the_limit_ends_with_length(built: Built, hosted: Host) -> None:
    served = hosted(TtsAdapter({"model": str(built(tiny_codecs.csm)), "max_new_tokens": 5}))
    reply = served.ask("A long sentence.", output=Modality.SPEECH)
    assert reply.complete.finish_reason == pb.FINISH_REASON_LENGTH
    assert reply.audio is not None
    assert reply.audio.seconds == pytest.approx(5 / 12.5)


@pytest.mark.parametrize("builder", [tiny_codecs.csm, tiny_codecs.dia], ids=["csm", "dia"])
@pytest.mark.parametrize("limit", ["option", "checkpoint", "library"])
def test_truncation_is_reported_for_every_source_of_the_limit(
    builder: Build, limit: str, built: Built, hosted: Host, tmp_path: Path
) -> None:
    folder = tmp_path / "voice"
    shutil.copytree(built(builder), folder)
    config = json.loads((folder / "generation_config.json").read_text())
    if limit == "checkpoint":
        (folder / "generation_config.json").write_text(json.dumps({**config, "max_new_tokens": 30}))
    else:
        assert not config.get("max_new_tokens")
    options = {"max_new_tokens": 30} if limit == "option" else {}
    reply = hosted(TtsAdapter({"model": str(folder), **options})).ask("Who was it?", output=Modality.SPEECH)
    assert reply.complete.finish_reason == pb.FINISH_REASON_LENGTH


def test_bark_reports_truncation_and_refuses_texts_that_are_too_long(built: Built, hosted: Host) -> None:
    folder = str(built(tiny_codecs.bark))
    served = hosted(TtsAdapter({"model": folder, "max_new_tokens": 30}))
    reply = served.ask("A long sentence.", output=Modality.SPEECH)
    assert reply.complete.finish_reason == pb.FINISH_REASON_LENGTH
    assert reply.audio is not None
    assert reply.audio.seconds == pytest.approx(30 / 49.9, abs=1 / 75)
    with pytest.raises(ContractError, match="257 tokens, and the voice takes 256") as caught:
        speech(served, "a" * 257)
    assert caught.value.reason is Reason.TOO_LARGE


def test_arguments_of_generate_are_passed_on_and_part_of_the_digest(built: Built) -> None:
    folder = str(built(tiny_codecs.csm))
    plain, warm = (
        TtsAdapter({"model": folder, "generate": generate}).load().settings for generate in ({}, {"temperature": 0.2})
    )
    assert plain != warm
    assert json.loads(warm["generate"]) == {"temperature": 0.2}


def test_a_codec_in_another_checkpoint_is_part_of_the_digest(built: Built) -> None:
    settings = TtsAdapter({"model": str(built(tiny_codecs.dia))}).load().settings
    assert settings["codec"].startswith("sha256:")


def test_presets_that_the_bark_checkpoint_lacks_are_refused(built: Built) -> None:
    with pytest.raises(OptionsError, match=r"v2/en_speaker_6.*has none"):
        TtsAdapter({"model": str(built(tiny_codecs.bark)), "voices": {"six": "v2/en_speaker_6"}}).load()


def test_a_model_without_named_voices_refuses_one(built: Built, hosted: Host) -> None:
    served = hosted(TtsAdapter({"model": str(built(tiny_codecs.bark))}))
    with pytest.raises(ContractError, match="no named voices") as caught:
        speech(served, voice=pb.VoiceSettings(name="ann"))
    assert caught.value.reason is Reason.BAD_REQUEST


@pytest.mark.parametrize(("model_type", "message"), [("musicgen", "music"), ("fastspeech2_conformer", "_with_hifigan")])
def test_audio_models_that_are_not_tts_models_are_refused(
    built: Built, tmp_path: Path, model_type: str, message: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(built(tiny_tts.vits), folder)
    if model_type == "musicgen":
        config: dict[str, Any] = {"text_encoder": {"model_type": "t5"}, "audio_encoder": {"model_type": "encodec"}}
        config["decoder"] = {"model_type": "musicgen_decoder"}
    else:
        config = {}
    (folder / "config.json").write_text(json.dumps({"model_type": model_type, **config}))
    with pytest.raises(OptionsError, match=message):
        TtsAdapter({"model": str(folder)}).load()


@pytest.mark.parametrize(
    ("builder", "option"),
    [
        (tiny_tts.vits, {"generate": {"do_sample": False}}),
        (tiny_tts.vits, {"vocoder": "microsoft/speecht5_hifigan"}),
        (tiny_codecs.bark, {"speed": 1.5}),
        (tiny_codecs.csm, {"speed": 0.8}),
    ],
    ids=["vits generate", "vits vocoder", "bark speed", "csm speed"],
)
def test_an_option_that_a_family_ignores_is_refused(builder: Build, option: dict[str, Any], built: Built) -> None:
    with pytest.raises(OptionsError, match=rf"option '{next(iter(option))}' is .*does not use it"):
        TtsAdapter({"model": str(built(builder)), **option}).load()
