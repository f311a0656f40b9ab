"""Voice files that are unusual, damaged or of something else, and what a voice says."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import piper.voice
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP

from omnigap.errors import ContractError
from omnigap.media.audio import Samples
from omnigap.vocabulary import Reason
from omnigap_services.options import OptionsError
from omnigap_services.piper.files import find_voices
from omnigap_services.piper.options import PiperOptions
from omnigap_services.piper.voice import LoadedVoice
from tests.helpers.tiny_piper import SAMPLES_PER_PHONEME, external_tensor, with_graph_field, write_voice

Load = Callable[..., LoadedVoice]
TEXT = "The capital of France is Paris."


def load(path: Path, **options: object) -> LoadedVoice:
    given_options = PiperOptions.model_validate({"voices": [str(path)], **options})
    return LoadedVoice(find_voices(given_options)[0], given_options)


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
        ({"phoneme_type": "pinyin"}, "g2pW/g2pw.onnx"),
        ({"phoneme_type": "japanese"}, "piper-tts"),
        ({"phoneme_type": "thai"}, "piper-tts"),
        ({"phoneme_id_map": []}, ".onnx.json"),
        ({"inference": []}, ".onnx.json"),
        ({"inference": {"length_scale": "fast"}}, "can't speak"),
        ({"inference": {"length_scale": 0}}, "can't speak"),
        ({"phoneme_id_map": {"_": [0], "^": [1], "$": [2]}}, "can't speak"),
        ({"phoneme_id_map": {"a": [0]}}, "can't speak"),
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


@pytest.mark.parametrize("options", [{}, {"noise_scale": 0, "noise_w": 0}], ids=["noise", "no noise"])
def test_a_model_with_weights_in_another_file_is_refused(tmp_path: Path, options: dict[str, object]) -> None:
    """The digest would be the same with other weights in that file."""
    path = write_voice(tmp_path)
    path.write_bytes(with_graph_field(path.read_bytes(), 5, external_tensor("weights.bin")))
    (tmp_path / "weights.bin").write_bytes(b"\0\0\0\0")
    assert "weights.bin" in refusal(path, **options)


def test_a_phonemizer_is_loaded_once_for_all_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one of Arabic takes a model with it, that of Chinese one of hundreds of megabytes."""
    real, loaded = piper.voice.TashkeelDiacritizer, []

    def counted(*arguments: Any) -> Any:
        loaded.append(real(*arguments))
        return loaded[-1]

    monkeypatch.setattr(piper.voice, "TashkeelDiacritizer", counted)
    voice = load(write_voice(tmp_path, "ar_JO-hum-low", espeak={"voice": "ar"}))
    texts = ["ما عاصمة فرنسا؟", "كم عدد التفاح؟", "مرحبا"] * 2
    alone = [speech(voice, text, seed=3) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: speech(voice, text, seed=3), texts))
    assert all(map(np.array_equal, alone, together))
    assert len(loaded) == 1


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


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> LoadedVoice:
    return load(write_voice(tmp_path_factory.mktemp("english")))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet="aA1 .,[]()<>&%{}\"'\\/\n\0\u200b\u0301🙂안水", max_size=60))
def test_any_text_is_spoken_or_refused(english: LoadedVoice, text: str) -> None:
    try:
        samples = speech(english, text)
    except ContractError as error:
        assert error.reason is Reason.BAD_REQUEST
        return
    assert np.isfinite(samples).all() and np.abs(samples).max() > 0.1
    assert np.array_equal(samples, speech(english, text))


@pytest.mark.parametrize("text", ["...", "?!", "()", " - "])
def test_a_text_that_gives_no_phonemes_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ContractError, match="nothing to speak"):
        speech(load(write_voice(tmp_path)), text)


LETTERS = {character: [number] for number, character in enumerate("_^$ abcdefghijklmnopqrstuvwxyz.")}


def test_a_voice_of_letters_takes_capitals(tmp_path: Path) -> None:
    voice = load(write_voice(tmp_path, phoneme_type="text", phoneme_id_map=LETTERS), noise_scale=0, noise_w=0)
    assert np.array_equal(speech(voice, "HELLO THERE, you"), speech(voice, "hello there you"))


@pytest.mark.parametrize("text", ["12", "What is 7 plus five?", "naïve ß", "½"])
def test_a_voice_of_letters_refuses_a_text_with_others(tmp_path: Path, text: str) -> None:
    """piper-tts would leave them out, and a question without its number is another question."""
    voice = load(write_voice(tmp_path, phoneme_type="text", phoneme_id_map=LETTERS))
    if text == "naïve ß":
        # An accent is not a letter: voices of letters are trained on decomposed text.
        assert len(speech(voice, "naïve"))
    with pytest.raises(ContractError, match=r"no sound for .*: write numbers as words"):
        speech(voice, text)


def test_a_phoneme_that_a_voice_lacks_is_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ids = {phoneme: number for phoneme, number in DEFAULT_PHONEME_ID_MAP.items() if phoneme != "ɛ"}
    voice = load(write_voice(tmp_path, phoneme_id_map=ids))
    for _ in range(2):
        assert len(speech(voice, "Ten men sent pens."))
    assert [record.getMessage() for record in caplog.records if "ɛ" in record.getMessage()] == [
        "the voice en_US-hum-low has no sound for the phonemes ɛ, which are left out"
    ]


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


@pytest.mark.parametrize(
    ("tag", "espeak_voice", "text"),
    [
        ("ar_JO", "ar", "ما عاصمة فرنسا؟"),
        ("bg_BG", "bg", "Коя е столицата на Франция?"),
        ("ca_ES", "ca", "Quina és la capital de França?"),
        ("cs_CZ", "cs", "Jaké je hlavní město Francie?"),
        ("cy_GB", "cy", "Beth yw prifddinas Ffrainc?"),
        ("da_DK", "da", "Hvad er hovedstaden i Frankrig?"),
        ("de_DE", "de", "Was ist die Hauptstadt von Frankreich?"),
        ("el_GR", "el", "Ποια είναι η πρωτεύουσα της Γαλλίας;"),
        ("es_MX", "es-419", "¿Cuál es la capital de Francia?"),
        ("eu_ES", "eu", "Zein da Frantziako hiriburua?"),
        ("fa_IR", "fa", "پایتخت فرانسه کجاست؟"),
        ("fi_FI", "fi", "Mikä on Ranskan pääkaupunki?"),
        ("fr_FR", "fr", "Quelle est la capitale de la France ?"),
        ("hi_IN", "hi", "फ़्रांस की राजधानी क्या है?"),
        ("hu_HU", "hu", "Mi Franciaország fővárosa?"),
        ("id_ID", "id", "Apa ibu kota Prancis?"),
        ("is_IS", "is", "Hver er höfuðborg Frakklands?"),
        ("it_IT", "it", "Qual è la capitale della Francia?"),
        ("ka_GE", "ka", "რა არის საფრანგეთის დედაქალაქი?"),
        ("kk_KZ", "kk", "Францияның астанасы қандай?"),
        ("ko_KR", "ko", "프랑스의 수도는 어디입니까?"),
        ("lv_LV", "lv", "Kas ir Francijas galvaspilsēta?"),
        ("ml_IN", "ml", "ഫ്രാൻസിന്റെ തലസ്ഥാനം ഏതാണ്?"),
        ("ne_NP", "ne", "फ्रान्सको राजधानी के हो?"),
        ("nl_BE", "nl", "Wat is de hoofdstad van Frankrijk?"),
        ("no_NO", "nb", "Hva er hovedstaden i Frankrike?"),
        ("pl_PL", "pl", "Jaka jest stolica Francji?"),
        ("pt_BR", "pt-br", "Qual é a capital da França?"),
        ("ro_RO", "ro", "Care este capitala Franței?"),
        ("ru_RU", "ru", "Какая столица Франции?"),
        ("sk_SK", "sk", "Aké je hlavné mesto Francúzska?"),
        ("sl_SI", "sl", "Katero je glavno mesto Francije?"),
        ("sr_RS", "sr", "Који је главни град Француске?"),
        ("sv_SE", "sv", "Vad är Frankrikes huvudstad?"),
        ("sw_CD", "sw", "Mji mkuu wa Ufaransa ni upi?"),
        ("te_IN", "te", "ఫ్రాన్స్ రాజధాని ఏది?"),
        ("tr_TR", "tr", "Fransa'nın başkenti neresidir?"),
        ("uk_UA", "uk", "Яка столиця Франції?"),
        ("vi_VN", "vi", "Thủ đô của Pháp là gì?"),
        ("zh_CN", "cmn", "法国的首都是哪里？"),
    ],
)
def test_a_voice_of_each_language_takes_its_own_script(tmp_path: Path, tag: str, espeak_voice: str, text: str) -> None:
    voice = load(write_voice(tmp_path, f"{tag}-hum-low", espeak={"voice": espeak_voice}))
    assert voice.language == tag.replace("_", "-")
    # More than one word, and not the names of letters: about as many phonemes as letters.
    phonemes = len(speech(voice, text)) / SAMPLES_PER_PHONEME / 2
    letters = len(text)
    assert 0.4 * letters < phonemes < (8 if tag == "zh_CN" else 3) * letters
