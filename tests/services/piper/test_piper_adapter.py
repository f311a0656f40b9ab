"""The `piper` service, called over a socket: voices, speakers, rates, languages, errors, and its description."""

from __future__ import annotations

import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from huggingface_hub import constants

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_services.options import OptionsError
from omnigap_services.piper.adapter import PiperAdapter
from omnigap_services.piper.options import OWN_WORDS_PER_MINUTE, RATES_WPM, PiperOptions
from tests.helpers.hub_cache import in_hub_cache
from tests.helpers.in_process import Host
from tests.helpers.serve_process import Serve, Served
from tests.helpers.tiny_piper import write_card, write_voice

TEXT = "The capital of France is Paris."
NAME = "en_US-hum-low"


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An English voice, a German one of two speakers at another rate, and a Korean one."""
    folder = tmp_path_factory.mktemp("voices")
    write_voice(folder)
    write_voice(folder, "de_DE-hum-medium", rate=22_050, speakers={"anna": 0, "bert": 30}, espeak={"voice": "de"})
    write_voice(folder, "en_GB-hum-low", espeak={"voice": "en-gb-x-rp"})
    write_voice(folder, "ko_KR-hum-low", espeak={"voice": "ko"})
    return folder


@pytest.fixture(scope="module")
def served(hosted: Host, voices: Path) -> Served:
    return hosted(PiperAdapter({"voices": [str(voices / f"{NAME}.onnx"), str(voices)]}))


def spoken(served: Served, text: str = TEXT, **fields: object) -> AudioClip:
    reply = served.ask(text, output=Modality.SPEECH, **fields)
    assert reply.text == text
    assert reply.audio is not None
    return reply.audio


def voice(name: str, **fields: float) -> pb.VoiceSettings:
    return pb.VoiceSettings(name=name, **fields)


def same(one: AudioClip, other: AudioClip) -> bool:
    return one.sample_rate == other.sample_rate and np.array_equal(one.samples, other.samples)


def test_only_text_to_speech_is_supported(served: Served) -> None:
    native = [each for each in served.describe().conditions if each.support == pb.SUPPORT_NATIVE]
    assert [(each.input, each.output) for each in native] == [(pb.MODALITY_TEXT, pb.MODALITY_SPEECH)]


def test_voices_and_speakers_are_declared_with_their_languages(served: Served) -> None:
    described = served.describe()
    assert [(each.name, each.language) for each in described.voices] == [
        (NAME, "en-US"),
        ("de_DE-hum-medium", "de-DE"),
        ("de_DE-hum-medium#anna", "de-DE"),
        ("de_DE-hum-medium#bert", "de-DE"),
        ("en_GB-hum-low", "en-GB"),
        ("ko_KR-hum-low", "ko-KR"),
    ]
    assert list(described.languages) == ["en-US", "de-DE", "en-GB", "ko-KR"]


def test_every_voice_is_spoken_at_the_declared_rate(served: Served) -> None:
    described = served.describe()
    assert described.output_sample_rate_hz == 22_050
    clips = {each.name: spoken(served, voice=voice(each.name)) for each in described.voices}
    assert {clip.sample_rate for clip in clips.values()} == {22_050}
    # A voice of several speakers speaks as its first one.
    assert same(clips["de_DE-hum-medium"], clips["de_DE-hum-medium#anna"])
    assert len({clip.samples.tobytes() for clip in clips.values()}) == len(clips) - 1


def test_an_unknown_voice_or_speaker_is_refused_with_the_known_ones(served: Served) -> None:
    for name in ("klingon", f"{NAME}#anna", "de_DE-hum-medium#carl", "de_DE-hum-medium#"):
        with pytest.raises(ContractError, match=NAME) as caught:
            spoken(served, voice=voice(name))
        assert caught.value.reason is Reason.BAD_REQUEST


@pytest.mark.parametrize(
    ("language", "name", "text"),
    [
        ("", NAME, TEXT),
        ("en", NAME, TEXT),
        ("en-GB", NAME, TEXT),
        ("en_US", NAME, TEXT),
        ("de", "de_DE-hum-medium", TEXT),
        ("de-AT", "de_DE-hum-medium", TEXT),
        ("ko", "ko_KR-hum-low", "안녕하세요"),
    ],
)
def test_the_language_selects_the_voice_if_none_is_named(served: Served, language: str, name: str, text: str) -> None:
    assert same(spoken(served, text, language=language), spoken(served, text, voice=voice(name)))


def test_a_tag_selects_its_voice_before_another_of_the_same_language(hosted: Host, voices: Path) -> None:
    files = [str(voices / f"{name}.onnx") for name in ("ko_KR-hum-low", NAME, "en_GB-hum-low")]
    served = hosted(PiperAdapter({"voices": files}))
    assert same(spoken(served, language="en-GB"), spoken(served, voice=voice("en_GB-hum-low")))
    assert same(spoken(served, language="en"), spoken(served, voice=voice(NAME)))


def test_a_language_without_a_voice_is_refused_with_the_languages(served: Served) -> None:
    with pytest.raises(ContractError, match="'sw', only en-US, de-DE, en-GB, ko-KR") as caught:
        spoken(served, language="sw")
    assert caught.value.reason is Reason.BAD_REQUEST


def test_the_rate_changes_the_duration(served: Served) -> None:
    slowest, fastest = RATES_WPM
    rates = (slowest, OWN_WORDS_PER_MINUTE, fastest)
    slow, own, fast = [spoken(served, voice=pb.VoiceSettings(words_per_minute=rate)).seconds for rate in rates]
    assert slow > 2 * own > 4 * fast
    assert own == spoken(served).seconds


@pytest.mark.parametrize("rate", [RATES_WPM[0] - 1, RATES_WPM[1] + 1])
def test_a_rate_out_of_range_is_refused_with_the_range(served: Served, rate: float) -> None:
    with pytest.raises(ContractError, match=f"{RATES_WPM[0]} to {RATES_WPM[1]}") as caught:
        spoken(served, voice=pb.VoiceSettings(words_per_minute=rate))
    assert caught.value.reason is Reason.BAD_REQUEST


def test_samples_do_not_depend_on_earlier_or_simultaneous_requests(served: Served) -> None:
    texts = [f"Sentence {number}. And another one!" for number in range(8)]
    alone = [spoken(served, text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda text: spoken(served, text), reversed(texts)))
    assert all(map(same, alone, reversed(together)))


def test_a_text_that_cannot_be_spoken_fails_alone(served: Served) -> None:
    texts = [TEXT, "🙂", "안녕하세요", "...", TEXT, "\u200b"]

    def outcome(text: str) -> AudioClip | Reason:
        try:
            return spoken(served, text)
        except ContractError as error:
            return error.reason

    with ThreadPoolExecutor(len(texts)) as pool:
        found = list(pool.map(outcome, texts))
    bad = Reason.BAD_REQUEST
    assert [each if isinstance(each, Reason) else "spoken" for each in found] == [
        "spoken",
        bad,
        bad,
        bad,
        "spoken",
        bad,
    ]


def test_a_request_may_bring_its_seed(served: Served) -> None:
    clips = [spoken(served, decoding=pb.Decoding(seed=seed)) for seed in (0, 1, 2**62)]
    assert same(clips[0], spoken(served))
    assert len({clip.samples.tobytes() for clip in clips}) == 3


def test_a_seed_may_be_negative(served: Served) -> None:
    """Seeds are signed numbers in the contract; other services take them modulo 2**63 too."""
    clips = {seed: spoken(served, decoding=pb.Decoding(seed=seed)) for seed in (-1, 2**63 - 1, -(2**63), -7)}
    assert same(clips[-1], clips[2**63 - 1])
    assert same(clips[-(2**63)], spoken(served))
    assert not same(clips[-1], clips[-7])


def test_another_process_gives_the_same_samples(served: Served, serve: Serve, voices: Path) -> None:
    other = serve(
        "omnigap_services.piper.adapter:PiperAdapter", {"voices": [str(voices / f"{NAME}.onnx"), str(voices)]}
    )
    assert other.describe().digest == served.describe().digest
    for name in (NAME, "de_DE-hum-medium#bert"):
        assert same(spoken(served, voice=voice(name)), spoken(other, voice=voice(name)))


def test_options_set_voice_speaker_rate_and_seed_of_requests_that_name_none(hosted: Host, voices: Path) -> None:
    plain = hosted(PiperAdapter({"voices": [str(voices)]}))
    for options in (
        {"voice": "de_DE-hum-medium", "speaker": "bert"},
        {"voice": "de_DE-hum-medium", "speaker": 30},
        {"voice": "de_DE-hum-medium#bert"},
    ):
        served = hosted(PiperAdapter({"voices": [str(voices)], **options}))
        expected = spoken(plain, voice=voice("de_DE-hum-medium#bert"))
        assert same(spoken(served), expected)
        assert same(spoken(served, language="de"), expected)
    slow = hosted(PiperAdapter({"voices": [str(voices)], "words_per_minute": RATES_WPM[0], "seed": 3}))
    settings = pb.VoiceSettings(words_per_minute=RATES_WPM[0])
    assert same(spoken(slow), spoken(plain, voice=settings, decoding=pb.Decoding(seed=3)))


def test_a_speaker_is_a_number_as_an_integer_and_a_name_as_a_text(hosted: Host, tmp_path: Path) -> None:
    write_voice(tmp_path, speakers={"30": 0, "0": 30})
    plain = hosted(PiperAdapter({"voices": [str(tmp_path)]}))
    by_name = {name: spoken(plain, voice=voice(f"{NAME}#{name}")) for name in ("30", "0")}
    assert not same(by_name["30"], by_name["0"])
    for options, name in (({"speaker": 30}, "0"), ({"speaker": "30"}, "30"), ({"voice": f"{NAME}#30"}, "30")):
        assert same(spoken(hosted(PiperAdapter({"voices": [str(tmp_path)], **options}))), by_name[name])


def test_a_name_may_contain_the_mark_of_a_speaker(hosted: Host, tmp_path: Path) -> None:
    write_voice(tmp_path, "take#2")
    served = hosted(PiperAdapter({"voices": [str(tmp_path)], "voice": "take#2"}))
    assert same(spoken(served, voice=voice("take#2")), spoken(served))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"voice": "klingon"}, f"'voice' is 'klingon': the option voices has .*{NAME}"),
        ({"voice": "de_DE-hum-medium", "speaker": "carl"}, "'speaker' is 'carl'.* 2 speaker.*anna.*bert"),
        ({"voice": "de_DE-hum-medium", "speaker": 7}, r"'speaker' is 7: .*'bert' \(number 30\)"),
        ({"voice": "de_DE-hum-medium", "speaker": "30"}, r"'speaker' is '30': .*'bert' \(number 30\)"),
        ({"voice": "de_DE-hum-medium#anna", "speaker": 30}, "'speaker' is 30, and option 'voice' .*: remove one"),
        ({"voice": "de_DE-hum-medium#anna", "speaker": "anna"}, "'speaker' is 'anna', and .*: remove one"),
        ({"voice": "de_DE-hum-medium#30"}, "'voice' is 'de_DE-hum-medium#30'.*de_DE-hum-medium#bert"),
        ({"voice": "de_DE-hum-medium#"}, "'voice' is 'de_DE-hum-medium#'"),
        ({"voice": NAME, "speaker": 0}, "1 speaker"),
        ({"words_per_minute": RATES_WPM[1] + 1}, "'words_per_minute'"),
        ({"noise_scale": -1}, "'noise_scale'"),
        ({"speed": 2}, "unknown option 'speed'"),
    ],
)
def test_a_wrong_option_is_refused_by_its_name(voices: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        PiperAdapter({"voices": [str(voices)], **options}).load()


def test_a_voice_has_one_digest_in_every_layout(hosted: Host, tmp_path: Path, hub_cache: Path) -> None:
    source = tmp_path / "source" / "en" / "en_US" / "hum" / "low"
    write_voice(source)
    shutil.copytree(source, tmp_path / "copy")
    write_card(tmp_path / "copy")
    in_hub_cache(tmp_path / "source", hub_cache, "rhasspy/piper-voices", "0" * 40)
    described = [
        hosted(PiperAdapter(options)).describe()
        for options in (
            {"voices": [str(source)]},
            {"voices": [str(tmp_path / "copy" / f"{NAME}.onnx")]},
            {"voices": [NAME], "revision": "main"},
            {"voices": [NAME], "folders": [str(tmp_path / "copy")]},
        )
    ]
    assert len({each.digest for each in described}) == 1
    assert "licence unknown" in described[0].weights_revision
    assert "licence CC0" in described[1].weights_revision
    assert f"rhasspy/piper-voices@{'0' * 40}" in described[2].weights_revision


@pytest.mark.parametrize("suffix", [".onnx", ".onnx.json"])
def test_the_digest_covers_both_files(hosted: Host, tmp_path: Path, suffix: str) -> None:
    write_voice(tmp_path)
    before = hosted(PiperAdapter({"voices": [str(tmp_path)]})).describe().digest
    path = tmp_path / f"{NAME}{suffix}"
    if suffix == ".onnx":
        # An empty field of metadata: another file with the same sound.
        path.write_bytes(path.read_bytes() + b"\x1a\x00")
    else:
        path.write_text(path.read_text() + "\n")
    assert hosted(PiperAdapter({"voices": [str(tmp_path)]})).describe().digest != before


def test_the_model_of_the_chinese_phonemizer_is_used_from_its_folder_only(
    hosted: Host, tmp_path: Path, hub_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The phonemizer is a fake: the real one needs a model of hundreds of megabytes."""
    offline: list[bool] = []

    def start(folder: Path) -> SimpleNamespace:
        # What the real one does for its tokenizer: a look-up in the hub's cache, or a download.
        offline.append(constants.HF_HUB_OFFLINE)
        (folder / "__pycache__").mkdir(exist_ok=True)
        (folder / "__pycache__" / f"config.{len(offline)}.pyc").write_bytes(b"")
        return SimpleNamespace(phonemize=lambda text: [["n", "i", "3"] * len(text)])

    def ids(phonemes: list[str], known: dict[str, list[int]]) -> list[int]:
        return [known.get(phoneme, [9])[0] for phoneme in phonemes]

    module = SimpleNamespace(ChinesePhonemizer=start, phonemes_to_ids=ids)
    monkeypatch.setitem(sys.modules, "piper.phonemize_chinese", module)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    write_voice(tmp_path, "zh_CN-hum-low", phoneme_type="pinyin", espeak={"voice": "cmn"})
    options = {"voices": [str(tmp_path / "zh_CN-hum-low.onnx")]}
    with pytest.raises(OptionsError, match=r"g2pW/g2pw\.onnx beside it, which is not downloaded"):
        PiperAdapter(options).load()
    (tmp_path / "g2pW").mkdir()
    (tmp_path / "g2pW" / "g2pw.onnx").write_bytes(b"0")
    with pytest.raises(OptionsError, match=r"needs bert-base-chinese .*: run hf download bert-base-chinese vocab\.txt"):
        PiperAdapter(options).load()
    assert offline == []
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "vocab.txt").write_bytes(b"0")
    snapshot = in_hub_cache(tmp_path / "bert", hub_cache, "bert-base-chinese", "0" * 40)
    digests = []
    for path in (tmp_path / "g2pW" / "g2pw.onnx", tmp_path / "g2pW" / "config.py", snapshot / "vocab.txt"):
        path.write_bytes(b"1")
        served = hosted(PiperAdapter(options))
        assert same(spoken(served, "你好"), spoken(served, "再见"))
        digests.append(served.describe().digest)
    assert hosted(PiperAdapter(options)).describe().digest == digests[-1]
    assert len(set(digests)) == 3
    # Once for each service, and the hub's client is as before.
    assert offline == [True] * 4 and not constants.HF_HUB_OFFLINE


def test_the_digest_covers_what_changes_samples_and_no_limits(hosted: Host, voices: Path) -> None:
    def digest(**options: object) -> str:
        return hosted(PiperAdapter({"voices": [str(voices)], **options})).describe().digest

    plain = digest()
    assert digest(max_queue=3, workers=1, max_text_chars=500) == plain
    changed = [{"seed": 1}, {"noise_scale": 0.5}, {"noise_w": 0.5}, {"words_per_minute": 200}, {"threads": 2}]
    changed += [{"voice": NAME}, {"voice": "de_DE-hum-medium#bert"}]
    assert len({plain, *(digest(**options) for options in changed)}) == 1 + len(changed)


def test_every_option_is_described() -> None:
    described = PiperOptions.__doc__ or ""
    assert all(f"{name}:" in described or f"{name}," in described for name in PiperOptions.model_fields)
