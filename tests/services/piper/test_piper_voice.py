"""Voice files that are unusual, damaged or of something else, and what a voice says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from omnigap.errors import ContractError
from omnigap.media.audio import Samples
from omnigap_services.options import OptionsError
from omnigap_services.piper.files import find_voices
from omnigap_services.piper.options import PiperOptions
from omnigap_services.piper.voice import LoadedVoice
from tests.helpers.tiny_piper import write_voice

Load = Callable[..., LoadedVoice]
TEXT = "The capital of France is Paris."


def load(path: Path, **options: object) -> LoadedVoice:
    settings = PiperOptions.model_validate({"voices": [str(path)], **options})
    return LoadedVoice(find_voices(settings)[0], settings)


def speech(
    voice: LoadedVoice, text: str = TEXT, speaker: int | None = None, slowness: float = 1, seed: int = 0
) -> Samples:
    return np.concatenate(list(voice.speak(text, speaker, slowness, seed)))


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(OptionsError, match=r"option 'voices'") as caught:
        load(path, **options)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100])
def test_the_rate_is_that_of_the_description(tmp_path: Path, rate: int) -> None:
    assert load(write_voice(tmp_path, rate=rate)).sample_rate == rate


@pytest.mark.parametrize(
    ("name", "changes", "language"),
    [
        ("en_US-hum-low", {"language": {"code": "en_US"}}, "en-US"),
        ("en_US-hum-low", {"language": {"code": "nl_BE"}}, "nl-BE"),
        ("es_419-hum-low", {}, "es-419"),
        ("zh_CN-hum-low", {"espeak": {"voice": "cmn"}}, "zh-CN"),
        ("mine", {"espeak": {"voice": "en-gb-x-rp"}}, "en-GB"),
        ("my_voice-x-low", {"espeak": {"voice": "ko"}}, "ko"),
        ("mine", {"language": "English", "espeak": {"voice": "pt-br"}}, "pt-BR"),
        ("mine", {"espeak": {"voice": "cmn"}}, "cmn"),
        ("mine", {"phoneme_type": "text", "espeak": {"voice": ""}}, "und"),
    ],
)
def test_the_language_is_a_tag(tmp_path: Path, name: str, changes: dict[str, object], language: str) -> None:
    assert load(write_voice(tmp_path, name, **changes)).language == language


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[: len(data) // 2], "not a whole ONNX model"),
        (lambda data: b"", "ONNX model|inputs"),
        (lambda data: b"\x00" * 500, "not a whole ONNX model"),
        (lambda data: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (lambda data: b"<!DOCTYPE html><html>404</html>", "not a whole ONNX model"),
    ],
    ids=["truncated", "empty", "zeros", "lfs", "page"],
)
def test_a_damaged_model_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes], message: str) -> None:
    path = write_voice(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    assert any(part in refusal(path) for part in message.split("|"))


@pytest.mark.parametrize("percent", range(0, 100, 7))
def test_a_model_that_is_cut_anywhere_is_refused(tmp_path: Path, percent: int) -> None:
    path = write_voice(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * percent // 100])
    refusal(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "JSON"),
        ("{", "JSON"),
        ("[]", "not the description"),
        ("{}", "'num_symbols'"),
        ("\xff", "JSON"),
    ],
)
def test_a_damaged_description_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = write_voice(tmp_path)
    Path(f"{path}.json").write_bytes(text.encode("latin-1"))
    assert message in refusal(path)


@pytest.mark.parametrize("key", ["num_symbols", "num_speakers", "audio", "espeak", "phoneme_id_map"])
def test_a_description_without_a_key_is_refused_by_its_name(tmp_path: Path, key: str) -> None:
    assert f"'{key}'" in refusal(write_voice(tmp_path, **{key: None}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"phoneme_type": "klingon"}, "klingon"),
        ({"audio": {"sample_rate": "22050"}}, "22050"),
        ({"audio": {"sample_rate": 0}}, "sample rate"),
        ({"audio": "x"}, ".onnx.json"),
        ({"espeak": {"voice": "no-such-voice"}}, "phonemizer"),
        ({"phoneme_type": "pinyin"}, "piper-tts"),
        ({"phoneme_type": "japanese"}, "piper-tts"),
        ({"phoneme_type": "thai"}, "piper-tts"),
        ({"phoneme_id_map": []}, ".onnx.json"),
        ({"inference": []}, ".onnx.json"),
    ],
)
def test_a_description_that_piper_cannot_use_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    assert message in refusal(write_voice(tmp_path, **changes))


def test_a_description_of_another_voice_is_refused(tmp_path: Path) -> None:
    one = write_voice(tmp_path / "one")
    several = write_voice(tmp_path / "several", speakers={"a": 0, "b": 1})
    described = Path(f"{several}.json").read_text()
    Path(f"{several}.json").write_text(Path(f"{one}.json").read_text())
    assert "inputs" in refusal(several)
    Path(f"{one}.json").write_text(described)
    assert "inputs" in refusal(one)


def test_noise_that_cannot_be_seeded_is_refused_unless_it_is_off(tmp_path: Path) -> None:
    path = write_voice(tmp_path, random="RandomUniformLike")
    assert "set noise_scale and noise_w to 0" in refusal(path)
    voice = load(path, noise_scale=0, noise_w=0)
    assert np.array_equal(speech(voice), speech(voice))


def test_the_same_text_gives_the_same_samples_after_other_texts(tmp_path: Path) -> None:
    path = write_voice(tmp_path)
    voice = load(path)
    first = speech(voice)
    speech(voice, "Something else entirely, with 12 numbers.")
    assert np.array_equal(first, speech(voice))
    assert np.array_equal(first, speech(load(path)))
    other = speech(voice, seed=1)
    assert len(other) != len(first) or not np.array_equal(other, first)


def test_scales_are_those_of_the_description_unless_options_set_them(tmp_path: Path) -> None:
    slow = write_voice(tmp_path / "slow", inference={"noise_scale": 0, "length_scale": 2, "noise_w": 0})
    plain = write_voice(tmp_path / "plain", inference={"noise_scale": 0, "length_scale": 1, "noise_w": 0})
    noisy = write_voice(tmp_path / "noisy")
    reference = speech(load(plain))
    assert len(speech(load(slow))) == pytest.approx(2 * len(reference), rel=0.01)
    assert np.array_equal(speech(load(noisy, noise_scale=0, noise_w=0)), reference)
    assert not np.array_equal(speech(load(noisy, noise_w=0)), reference)
    assert len(speech(load(plain), slowness=0.5)) == pytest.approx(len(reference) / 2, rel=0.01)


def test_every_sentence_has_full_scale_and_the_library_rate(tmp_path: Path) -> None:
    voice = load(write_voice(tmp_path))
    sentences = list(voice.speak("One. Two! Three?", None, 1, 0))
    assert len(sentences) == 3
    for samples in sentences:
        assert samples.dtype == np.float32
        assert np.abs(samples).max() == pytest.approx(1, abs=1e-6)


def test_a_long_text_without_any_pause_is_spoken_whole(tmp_path: Path) -> None:
    voice = load(write_voice(tmp_path), noise_scale=0, noise_w=0)
    word = len(speech(voice, "word word")) - len(speech(voice, "word"))
    assert len(speech(voice, "word " * 2_000)) > 2_000 * word * 0.9


def test_a_nested_list_is_read_aloud(tmp_path: Path) -> None:
    voice = load(write_voice(tmp_path), noise_scale=0, noise_w=0)
    assert np.array_equal(speech(voice, "What is [[1, 2], [3, 4]]?"), speech(voice, "What is [ [1, 2], [3, 4]]?"))
    assert len(speech(voice, "[[1, 2]]")) > len(speech(voice, "1"))


@pytest.mark.parametrize("text", ["...", "?!", "()", " - "])
def test_a_text_that_gives_no_phonemes_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ContractError, match="nothing to speak"):
        speech(load(write_voice(tmp_path)), text)


def test_a_voice_of_letters_takes_capitals_and_refuses_what_it_lacks(tmp_path: Path) -> None:
    letters = {character: [number] for number, character in enumerate("_^$ abcdefghijklmnopqrstuvwxyz.")}
    voice = load(write_voice(tmp_path, phoneme_type="text", phoneme_id_map=letters), noise_scale=0, noise_w=0)
    assert np.array_equal(speech(voice, "HELLO THERE"), speech(voice, "hello there"))
    with pytest.raises(ContractError, match="nothing to speak"):
        speech(voice, "12")


def test_a_zero_byte_does_not_end_the_text(tmp_path: Path) -> None:
    voice = load(write_voice(tmp_path))
    assert np.array_equal(speech(voice, "one\0two"), speech(voice, "one two"))


def test_speakers_are_those_of_the_description(tmp_path: Path) -> None:
    assert load(write_voice(tmp_path / "one")).speakers == {}
    named = load(write_voice(tmp_path / "named", speakers={"anna": 0, "bert": 4}), noise_scale=0, noise_w=0)
    assert named.speakers == {"anna": 0, "bert": 4}
    assert np.array_equal(speech(named), speech(named, speaker=0))
    assert not np.array_equal(speech(named), speech(named, speaker=4))
    path = write_voice(tmp_path / "numbered", speakers={"a": 0, "b": 1, "c": 2})
    described = json.loads(Path(f"{path}.json").read_text())
    Path(f"{path}.json").write_text(json.dumps({**described, "speaker_id_map": {}, "default_speaker_id": 2}))
    numbered = load(path, noise_scale=0, noise_w=0)
    assert numbered.speakers == {"0": 0, "1": 1, "2": 2}
    assert np.array_equal(speech(numbered), speech(numbered, speaker=2))
