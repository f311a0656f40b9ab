"""Voices that write codes token by token: CSM and Dia through the library's pipeline, Bark by itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_codecs
import tiny_tts
from hosting import Build, Built, Host
from served import Served

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_services.hf.tts.adapter import TtsAdapter
from omnigap_services.options import OptionsError

BUILDERS = (tiny_codecs.csm, tiny_codecs.dia, tiny_codecs.bark)
RATES = {"csm": 24_000, "dia": 16_000, "bark": 24_000}


@pytest.fixture(scope="module", params=BUILDERS, ids=[builder.__name__ for builder in BUILDERS])
def voice(request: pytest.FixtureRequest, built: Built, hosted: Host) -> tuple[str, Served]:
    name = request.param.__name__
    limit = {} if name == "bark" else {"max_new_tokens": 40}
    return name, hosted(TtsAdapter({"model": str(built(request.param)), **limit}))


def spoken(served: Served, text: str = "Who was it?", **fields: Any) -> AudioClip:
    audio = served.ask(text, output=Modality.SPEECH, **fields).audio
    assert audio is not None
    return audio


def test_it_speaks_at_its_own_rate_alike_for_one_seed_and_otherwise_for_another(voice: tuple[str, Served]) -> None:
    name, served = voice
    first = spoken(served)
    assert first.sample_rate == served.describe().output_sample_rate_hz == RATES[name]
    assert first.samples.any()
    other = spoken(served, decoding=pb.Decoding(seed=1))
    assert np.array_equal(spoken(served).samples, first.samples)
    assert not np.array_equal(other.samples, first.samples)


def test_a_voice_that_reads_digits_by_itself_gets_them_as_they_are(voice: tuple[str, Served]) -> None:
    _, served = voice
    assert served.describe().settings["spell_out"] == "False"
    assert not np.array_equal(spoken(served, "12 + 7").samples, spoken(served, "twelve plus seven").samples)


def test_speakers_by_mark_are_heard(built: Built, hosted: Host) -> None:
    options = {"model": str(built(tiny_codecs.csm)), "max_new_tokens": 8, "voices": {"ann": "0", "bob": "1"}}
    served = hosted(TtsAdapter(options))
    ann, bob = (spoken(served, voice=pb.VoiceSettings(name=name)) for name in ("ann", "bob"))
    assert not np.array_equal(ann.samples, bob.samples)
    assert np.array_equal(spoken(served).samples, ann.samples)


def test_a_line_that_reaches_the_limit_says_so(built: Built, hosted: Host) -> None:
    served = hosted(TtsAdapter({"model": str(built(tiny_codecs.csm)), "max_new_tokens": 5}))
    reply = served.ask("A long line.", output=Modality.SPEECH)
    assert reply.complete.finish_reason == pb.FINISH_REASON_LENGTH
    assert reply.audio is not None
    assert reply.audio.seconds == pytest.approx(5 / 12.5)


@pytest.mark.parametrize("builder", [tiny_codecs.csm, tiny_codecs.dia], ids=["csm", "dia"])
@pytest.mark.parametrize("limit", ["option", "checkpoint", "library"])
def test_a_line_that_is_cut_off_says_so_whoever_set_the_limit(
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


def test_bark_says_that_it_reached_its_limit_and_refuses_what_it_would_not_read(built: Built, hosted: Host) -> None:
    folder = str(built(tiny_codecs.bark))
    served = hosted(TtsAdapter({"model": folder, "max_new_tokens": 30}))
    reply = served.ask("A long line.", output=Modality.SPEECH)
    assert reply.complete.finish_reason == pb.FINISH_REASON_LENGTH
    assert reply.audio is not None
    assert reply.audio.seconds == pytest.approx(30 / 49.9, abs=1 / 75)
    with pytest.raises(ContractError, match="257 tokens, and the voice reads 256") as caught:
        spoken(served, "a" * 257)
    assert caught.value.reason is Reason.TOO_LARGE


def test_arguments_of_generate_are_passed_on_and_part_of_the_digest(built: Built) -> None:
    folder = str(built(tiny_codecs.csm))
    plain, warm = (
        TtsAdapter({"model": folder, "generate": generate}).load().settings for generate in ({}, {"temperature": 0.2})
    )
    assert plain != warm
    assert json.loads(warm["generate"]) == {"temperature": 0.2}


def test_the_codec_beside_a_checkpoint_is_part_of_the_digest(built: Built) -> None:
    settings = TtsAdapter({"model": str(built(tiny_codecs.dia))}).load().settings
    assert settings["codec"].startswith("sha256:")


def test_presets_that_bark_does_not_bring_are_refused(built: Built) -> None:
    with pytest.raises(OptionsError, match=r"v2/en_speaker_6.*brings none"):
        TtsAdapter({"model": str(built(tiny_codecs.bark)), "voices": {"six": "v2/en_speaker_6"}}).load()


def test_a_voice_without_names_refuses_one(built: Built, hosted: Host) -> None:
    served = hosted(TtsAdapter({"model": str(built(tiny_codecs.bark))}))
    with pytest.raises(ContractError, match="without a name") as caught:
        spoken(served, voice=pb.VoiceSettings(name="ann"))
    assert caught.value.reason is Reason.BAD_REQUEST


@pytest.mark.parametrize(("model_type", "says"), [("musicgen", "music"), ("fastspeech2_conformer", "_with_hifigan")])
def test_what_makes_sound_and_does_not_say_the_text_is_refused(
    built: Built, tmp_path: Path, model_type: str, says: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(built(tiny_tts.vits), folder)
    if model_type == "musicgen":
        config: dict[str, Any] = {"text_encoder": {"model_type": "t5"}, "audio_encoder": {"model_type": "encodec"}}
        config["decoder"] = {"model_type": "musicgen_decoder"}
    else:
        config = {}
    (folder / "config.json").write_text(json.dumps({"model_type": model_type, **config}))
    with pytest.raises(OptionsError, match=says):
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
def test_an_option_that_a_voice_has_no_use_for_is_refused(builder: Build, option: dict[str, Any], built: Built) -> None:
    with pytest.raises(OptionsError, match=rf"option '{next(iter(option))}' is .*has no use for it"):
        TtsAdapter({"model": str(built(builder)), **option}).load()
