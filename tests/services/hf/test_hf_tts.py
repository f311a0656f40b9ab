"""`hf-tts` over the wire: tiny VITS and SpeechT5 voices, their seeds, speakers, rates and alphabets."""

from __future__ import annotations

import string
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_services.hf.chat import tiny as tiny_chat
from omnigap_services.hf.tts.adapter import TtsAdapter
from omnigap_services.options import OptionsError
from omnigap_services.server.describe import settings_of
from tests.helpers.serve_process import Serve, Served
from tests.services.hf import other_tts
from tests.services.hf.hosting import Built, Host

TEXT = "What is twelve plus seven?"


@pytest.fixture(scope="module")
def vits(built: Built, hosted: Host) -> Served:
    return hosted(TtsAdapter({"model": str(built(other_tts.vits_of_letters)), "words_per_minute": 150}))


def speecht5_options(folder: Path, **options: Any) -> dict[str, Any]:
    voices = {
        "first": str(folder / "first.npy"),
        "second": str(folder / "second.pt"),
        "third": str(folder / "third.bin"),
    }
    return {"model": str(folder), "vocoder": str(folder / "vocoder"), "voices": voices, **options}


@pytest.fixture(scope="module")
def speecht5(built: Built, hosted: Host) -> Served:
    return hosted(TtsAdapter(speecht5_options(built(other_tts.speecht5))))


def speech(served: Served, text: str = TEXT, **fields: Any) -> AudioClip:
    reply = served.ask(text, output=Modality.SPEECH, **fields)
    assert reply.text == text
    assert reply.audio is not None
    return reply.audio


@pytest.mark.parametrize("name", ["vits", "speecht5"])
def test_speech_has_the_voices_own_sample_rate(name: str, request: pytest.FixtureRequest) -> None:
    served: Served = request.getfixturevalue(name)
    clip = speech(served)
    assert clip.sample_rate == served.describe().output_sample_rate_hz == 16_000
    assert clip.seconds > 0.2
    assert np.sqrt(np.mean(clip.samples**2)) > 0.01
    with pytest.raises(ContractError) as caught:
        served.ask(TEXT)
    assert caught.value.reason is Reason.UNSUPPORTED_CONDITION


@pytest.mark.parametrize("name", ["vits", "speecht5"])
def test_equal_requests_get_equal_samples_and_another_seed_gets_others(
    name: str, request: pytest.FixtureRequest
) -> None:
    served: Served = request.getfixturevalue(name)
    first = speech(served)
    speech(served, "Something else in between.")
    assert np.array_equal(speech(served).samples, first.samples)
    assert np.array_equal(speech(served, decoding=pb.Decoding(seed=0)).samples, first.samples)
    assert not np.array_equal(speech(served, decoding=pb.Decoding(seed=1)).samples, first.samples)


def test_longer_texts_give_longer_audio(vits: Served) -> None:
    assert speech(vits, TEXT * 4).seconds > 2 * speech(vits).seconds


def test_digits_and_signs_are_spelt_out_for_a_voice_that_reads_letters_only(vits: Served) -> None:
    assert np.array_equal(speech(vits, "What is 12 + 7?").samples, speech(vits, TEXT).samples)


def test_a_text_with_letters_unknown_to_the_voice_is_refused(built: Built, hosted: Host, vits: Served) -> None:
    with pytest.raises(ContractError, match="안") as caught:
        speech(vits, "안녕 Paris")
    assert caught.value.reason is Reason.BAD_REQUEST
    with pytest.raises(ContractError, match="nothing to say"):
        speech(vits, "?!")
    literal = hosted(TtsAdapter({"model": str(built(other_tts.vits_of_letters)), "spell_out": "no"}))
    with pytest.raises(ContractError, match=r"no letters for 1 2 \+ 7"):
        speech(literal, "What is 12 + 7?")


def test_words_per_minute_sets_the_rate_and_is_refused_out_of_range(vits: Served, speecht5: Served) -> None:
    seconds = [speech(vits, voice=pb.VoiceSettings(words_per_minute=rate)).seconds for rate in (75, 150, 300)]
    assert seconds[0] > 1.5 * seconds[1] > 1.5 * seconds[2]
    assert seconds[1] == speech(vits).seconds
    with pytest.raises(ContractError, match="30 to 750"):
        speech(vits, voice=pb.VoiceSettings(words_per_minute=800))
    with pytest.raises(ContractError, match="one rate"):
        speech(speecht5, voice=pb.VoiceSettings(words_per_minute=150))


def test_a_rate_is_refused_if_the_voices_own_is_unknown(built: Built, hosted: Host) -> None:
    served = hosted(TtsAdapter({"model": str(built(other_tts.vits_of_letters))}))
    with pytest.raises(ContractError, match="set words_per_minute"):
        speech(served, voice=pb.VoiceSettings(words_per_minute=150))


def test_speakers_differ(built: Built, hosted: Host, speecht5: Served) -> None:
    two = hosted(TtsAdapter({"model": str(built(other_tts.vits_of_two))}))
    for served, names in ((two, ["0", "1"]), (speecht5, ["first", "second", "third"])):
        assert [voice.name for voice in served.describe().voices] == names
        sounds = [speech(served, voice=pb.VoiceSettings(name=name)).samples.tobytes() for name in names]
        assert len(set(sounds)) == len(names)
        assert speech(served).samples.tobytes() == sounds[0]
        with pytest.raises(ContractError, match=names[1]):
            speech(served, voice=pb.VoiceSettings(name="unknown"))


@pytest.mark.parametrize("model", ["vits", "speecht5"])
def test_a_tiny_voice_speaks_arbitrary_signs_and_refuses_other_scripts(
    model: str, tmp_path: Path, hosted: Host
) -> None:
    served = hosted(TtsAdapter(TtsAdapter.build_tiny({"model": model}, tmp_path)))
    for text in (string.ascii_letters, string.digits, string.punctuation, *"?|~", "Straße, œuvre, Žižkov: «¿qué?»"):
        assert speech(served, text).seconds > 0
    with pytest.raises(ContractError, match="안"):
        speech(served, "안녕")


@pytest.mark.parametrize(("voices", "used"), [({"ann": "0"}, ["ann"]), ({"ann": "3", "bob": "1"}, ["ann", "bob"])])
def test_a_tiny_vits_has_the_speakers_that_options_number(
    voices: dict[str, str], used: list[str], tmp_path: Path, hosted: Host
) -> None:
    served = hosted(TtsAdapter(TtsAdapter.build_tiny({"voices": voices}, tmp_path)))
    assert [voice.name for voice in served.describe().voices] == used


def test_a_tiny_vits_of_a_speaker_number_that_is_no_speaker_is_refused_when_it_loads(tmp_path: Path) -> None:
    options = TtsAdapter.build_tiny({"voices": {"ann": "9" * 9}}, tmp_path)
    with pytest.raises(OptionsError, match="use 0 to 9999"):
        TtsAdapter(options).load()


def test_options_name_speakers_and_the_default(built: Built, hosted: Host) -> None:
    folder = str(built(other_tts.vits_of_two))
    named = hosted(TtsAdapter({"model": folder, "voices": {"ann": "0", "bob": "1"}, "voice": "bob"}))
    numbered = hosted(TtsAdapter({"model": folder}))
    assert [voice.name for voice in named.describe().voices] == ["ann", "bob"]
    bob = speech(numbered, voice=pb.VoiceSettings(name="1"))
    assert np.array_equal(speech(named).samples, bob.samples)


def test_other_languages_are_refused(vits: Served) -> None:
    assert speech(vits, language="en-GB").samples.tobytes() == speech(vits).samples.tobytes()
    with pytest.raises(ContractError, match="not 'ko'"):
        speech(vits, language="ko")


def test_a_text_longer_than_the_voices_maximum_is_too_large(speecht5: Served) -> None:
    with pytest.raises(ContractError, match="600") as caught:
        speech(speecht5, "a" * 700)
    assert caught.value.reason is Reason.TOO_LARGE


def test_a_truncated_utterance_ends_with_length(built: Built, hosted: Host) -> None:
    adapter = TtsAdapter(speecht5_options(built(other_tts.speecht5)))
    served = hosted(adapter)
    assert served.ask("No.", output=Modality.SPEECH).complete.finish_reason == pb.FINISH_REASON_STOP
    adapter._loaded.voice.model.speech_decoder_postnet.prob_out.bias.data.fill_(-50.0)
    assert served.ask("No.", output=Modality.SPEECH).complete.finish_reason == pb.FINISH_REASON_LENGTH


def test_cancelling_a_call_stops_the_synthesis(built: Built, hosted: Host) -> None:
    """180 letters take 1,800 passes of the decoder; the first waits until the cancellation is noticed."""
    adapter = TtsAdapter(speecht5_options(built(other_tts.speecht5)))
    served = hosted(adapter)
    model = adapter._loaded.voice.model
    model.speech_decoder_postnet.prob_out.bias.data.fill_(-50.0)
    passes: list[None] = []
    started, done = threading.Event(), threading.Event()

    def wait_for_cancellation(*_: object) -> None:
        passes.append(None)
        started.set()
        is_cancelled = adapter._cancellation._is_cancelled
        assert is_cancelled is not None
        while not is_cancelled() and not done.wait(0.01):
            pass

    hook = model.speecht5.decoder.wrapped_decoder.register_forward_hook(wait_for_cancellation)
    request = pb.GenerateRequest(parts=[pb.InputPart(text="a " * 90)], output=pb.MODALITY_SPEECH)
    call = served.stub.Generate(request, timeout=120)
    try:
        assert started.wait(60)
        call.cancel()
        hook.remove()
        assert served.ask("No.", output=Modality.SPEECH).audio is not None
    finally:
        done.set()
    assert len(passes) == 1


def test_another_process_gives_the_same_samples_and_digest(built: Built, serve: Serve, vits: Served) -> None:
    options = {"model": str(built(other_tts.vits_of_letters)), "words_per_minute": 150, "cpu_threads": 1}
    other = serve("hf-tts", options)
    assert other.describe().digest == vits.describe().digest
    assert np.array_equal(speech(other).samples, speech(vits).samples)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocoder": ""}, "'vocoder' is empty"),
        ({"voices": {}}, "embedding of 8 numbers"),
        ({"voices": {"a": "nowhere.npy"}}, "no such file"),
        ({"voice": "unknown"}, "first, second, third"),
        ({"languages": []}, "languages"),
        ({"device_map": "auto"}, "device_map"),
    ],
    ids=["no vocoder", "no voices", "no file", "unknown voice", "no language", "device map"],
)
def test_invalid_options_are_refused_by_name(built: Built, change: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        TtsAdapter(speecht5_options(built(other_tts.speecht5), **change)).load()


def test_an_invalid_embedding_is_refused(built: Built, tmp_path: Path) -> None:
    np.save(tmp_path / "long.npy", np.zeros(9, np.float32))
    np.save(tmp_path / "nan.npy", np.full(8, np.nan, np.float32))
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "speaker.txt").write_text("1 2 3")
    for name, message in (
        ("long.npy", "9 numbers"),
        ("nan.npy", "finite"),
        ("text.npy", "cannot be read"),
        ("speaker.txt", "not a .npy"),
    ):
        with pytest.raises(OptionsError, match=message):
            TtsAdapter(speecht5_options(built(other_tts.speecht5), voices={"a": str(tmp_path / name)})).load()


def test_a_model_that_is_not_a_tts_model_is_refused(built: Built) -> None:
    with pytest.raises(OptionsError, match="llama, which is not a TTS model"):
        TtsAdapter({"model": str(built(tiny_chat.llama))}).load()


def test_the_digest_depends_on_the_embeddings_content_not_its_path(built: Built, tmp_path: Path) -> None:
    folder = built(other_tts.speecht5)
    (tmp_path / "moved.npy").write_bytes((folder / "first.npy").read_bytes())
    here, moved, other = (
        TtsAdapter(speecht5_options(folder, voices={"a": str(path)})).load().settings
        for path in (folder / "first.npy", tmp_path / "moved.npy", folder / "third.bin")
    )
    assert here == moved
    assert here != other


def install(folder: Path, name: str, version: str, source: str, module: str) -> None:
    """A distribution of one module, as pip leaves it in a folder of the path."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "top_level.txt").write_text(module.partition(".")[0])
    file = folder / Path(*module.split(".")).with_suffix(".py")
    file.parent.mkdir(exist_ok=True)
    file.write_text(source)


@pytest.mark.parametrize(
    ("build", "name", "module", "source", "others"),
    [
        (
            other_tts.vits_of_other_scripts,
            "uroman",
            "uroman",
            "class Uroman:\n    def romanize_string(self, text): return 'annyeong'\n",
            {},
        ),
        (
            other_tts.vits_of_phonemes,
            "phonemizer-fork",
            "phonemizer.backend",
            "class EspeakBackend:\n    @staticmethod\n    def version(): return (1, 52, 0)\n",
            {"espeak": "1.52.0"},
        ),
    ],
    ids=["uroman", "phonemizer"],
)
def test_the_libraries_that_convert_the_text_are_part_of_the_digest(
    build: Any,
    name: str,
    module: str,
    source: str,
    others: dict[str, str],
    built: Built,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, top = built(build), module.partition(".")[0]
    for loaded in [known for known in sys.modules if known.partition(".")[0] == top]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, top, None)  # also where it is installed
    with pytest.raises(OptionsError, match=rf"'model'.*pip install {top}"):
        TtsAdapter({"model": str(folder)}).load()
    monkeypatch.delitem(sys.modules, top)
    install(tmp_path, name, "9.8.7", source, module)
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        found = settings_of(TtsAdapter({"model": str(folder)}).load(), TtsAdapter)
    finally:
        for loaded in [known for known in sys.modules if known.partition(".")[0] == top]:
            del sys.modules[loaded]
    assert {f"library.{name}": "9.8.7", **others}.items() <= found.items()
