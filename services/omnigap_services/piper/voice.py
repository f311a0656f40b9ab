"""One loaded Piper voice: its speakers, and its samples for a text."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from piper import PiperConfig, PiperVoice, SynthesisConfig
from piper.config import PhonemeType

from omnigap.errors import ContractError
from omnigap.media.audio import Samples
from omnigap.vocabulary import Reason
from omnigap_services.audio import is_silent
from omnigap_services.options import OptionsError
from omnigap_services.piper.files import VoiceFiles
from omnigap_services.piper.noise import (
    OtherFilesError,
    UnseedableNoiseError,
    check_one_file,
    noise_values,
    with_noise_inputs,
)
from omnigap_services.piper.options import SERVICE, PiperOptions
from omnigap_services.piper.text import nothing_to_speak, pieces, spoken_text
from omnigap_services.weights import LFS_POINTER, content_revision, file_hash, files_below, is_lfs_pointer

_log = logging.getLogger(__name__)

_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{2}|[0-9]{3}))?(?![A-Za-z0-9])")
_TAGGED_NAME = re.compile(r"[a-z]{2,3}_([A-Z]{2}|[0-9]{3})-")
UNKNOWN_LANGUAGE = "und"
"""BCP-47's tag for a language that is not known."""

_INPUTS = {"input", "input_lengths", "scales"}
_banks = lru_cache(maxsize=16)(noise_values)

# What piper-tts's phonemizer of Chinese loads: a folder beside the voice, and a tokenizer of the hub.
_PINYIN_FOLDER, _PINYIN_MODEL = "g2pW", "g2pw.onnx"
_TOKENIZER, _VOCABULARY = "bert-base-chinese", "vocab.txt"
_TOKENIZER_FILES = {_VOCABULARY, "tokenizer.json", "tokenizer_config.json", "added_tokens.json"}
# Not all libraries of piper-tts's phonemizers may be used by two threads, and some keep state of the whole process.
_phonemizing = threading.Lock()


class _SeededSession:
    """A session that adds the noise of a seed to the inputs, as far as the model takes any."""

    def __init__(self, session: onnxruntime.InferenceSession, noise: tuple[str, ...], seed: int) -> None:
        self._session = session
        self._noise = {name: _banks(seed, index) for index, name in enumerate(noise)}

    def run(self, outputs: list[str] | None, inputs: dict[str, Any]) -> list[Any]:
        return list(self._session.run(outputs, {**inputs, **self._noise}))


class LoadedVoice:
    """A voice in memory; `speak` may be called from several threads.

    Attributes:
        name: in requests.
        language: BCP-47 tag.
        sample_rate: Hz.
        speakers: their numbers by name; empty: the voice has one.
        sample: a text that it can speak.
        hashes: SHA-256 of what is loaded, by the file's name.
    """

    def __init__(self, files: VoiceFiles, options: PiperOptions) -> None:
        """
        Raises:
            OptionsError: the files are not a Piper voice, or its phonemizer can't start.
        """
        self.name, self.files, self._options = files.name, files, options
        described = self._read_config()
        self._config = self._parsed(described)
        self.language = _language(files.name, described, self._config.espeak_voice)
        self.sample_rate = self._config.sample_rate
        self.speakers = _speakers(self._config)
        self.hashes = {path.name: file_hash(path) for path in (files.model, files.config)} | self._pinyin_hashes()
        self._reported: set[str] = set()
        self._session, self._noise = self._load_session()
        # One for all requests: it keeps the phonemizer of its language, which may take seconds to load.
        self._phonemizer = self._voice(0)
        self.sample = self._sample()
        self._check()

    def speak(self, text: str, speaker: int | None, slowness: float, seed: int) -> Iterator[Samples]:
        """Samples of shape (n,) in -1 to 1 for each sentence; the same arguments give the same samples.

        Args:
            speaker: number of the speaker; None: the voice's default.
            slowness: factor on the voice's length_scale.

        Raises:
            ContractError: BAD_REQUEST for a text that the voice can't speak.
        """
        settings = SynthesisConfig(
            speaker_id=speaker,
            length_scale=self._config.length_scale * slowness,
            noise_scale=self._options.noise_scale,
            noise_w_scale=self._options.noise_w,
        )
        voice = self._voice(seed)
        spoken = False
        for sentence in self._phonemes(spoken_text(text, self.name, self.language)):
            for piece in pieces(self._known(sentence)):
                if any(phoneme.isalnum() for phoneme in piece):
                    spoken = True
                    audio = voice.phoneme_ids_to_audio(voice.phonemes_to_ids(piece), settings)
                    yield _full_scale(np.asarray(audio, np.float32))
        if not spoken:
            raise nothing_to_speak(text)

    def _phonemes(self, text: str) -> list[list[str]]:
        with _phonemizing:
            return self._phonemizer.phonemize(text)

    def _voice(self, seed: int) -> PiperVoice:
        session: Any = _SeededSession(self._session, self._noise, seed)
        # The phonemizer of Chinese voices has its model in a folder in this one.
        return PiperVoice(session=session, config=self._config, download_dir=self.files.model.parent)

    def _known(self, phonemes: list[str]) -> list[str]:
        """The phonemes that the voice has; piper-tts leaves out the others, and logs each at every use.

        Raises:
            ContractError: BAD_REQUEST for a letter or digit that a voice of letters lacks: its word would be missing.
        """
        ids = self._config.phoneme_id_map
        if self._config.phoneme_type == PhonemeType.PINYIN or not ids:
            return phonemes
        # Voices of letters may have small ones only.
        lowered = [phoneme if phoneme in ids else phoneme.lower() for phoneme in phonemes]
        missing = sorted({phoneme for phoneme in lowered if phoneme not in ids and phoneme.isalnum()})
        if missing and self._config.phoneme_type == PhonemeType.TEXT:
            raise ContractError(
                Reason.BAD_REQUEST,
                f"the voice {self.name} has no sound for {', '.join(map(repr, missing[:10]))}: write numbers as words,"
                " or name another voice",
            )
        if new := set(missing) - self._reported:
            self._reported |= new
            _log.warning("the voice %s has no sound for the phonemes %s, which are left out", self.name, " ".join(new))
        return [phoneme for phoneme in lowered if phoneme in ids]

    def _sample(self) -> str:
        """A text of some seconds that every voice of its kind can speak: digits, or the letters that it has."""
        if self._config.phoneme_type != PhonemeType.TEXT:
            return " ".join(map(str, range(1, 13)))
        letters = [letter for letter in self._config.phoneme_id_map if letter.isalpha() and len(letter) == 1]
        return "".join(letters[:20]) or "a"

    def _pinyin_hashes(self) -> dict[str, str]:
        """Hashes of the models of a voice with pinyin, which piper-tts would download without a fixed revision."""
        if self._config.phoneme_type != PhonemeType.PINYIN:
            return {}
        folder = self.files.model.with_name(_PINYIN_FOLDER)
        if not (folder / _PINYIN_MODEL).is_file():
            raise self._wrong(
                f"its phonemizer (pinyin) needs {_PINYIN_FOLDER}/{_PINYIN_MODEL} beside it, which is not downloaded at"
                " the start: put the folder there, or use a Chinese voice with phonemes of espeak"
            )
        from huggingface_hub import hf_hub_download

        try:
            tokenizer = Path(hf_hub_download(_TOKENIZER, _VOCABULARY, local_files_only=True)).parent
        except (OSError, ValueError) as error:
            # Without it, transformers reads every character as unknown, and reports nothing.
            raise self._wrong(
                f"its phonemizer (pinyin) needs {_TOKENIZER} in the hub's cache, which is not downloaded at the start:"
                f" run hf download {_TOKENIZER} {_VOCABULARY}"
            ) from error
        # config.py of the folder is imported, which may write __pycache__.
        names = [name for name in files_below(folder) if "__pycache__" not in name.split("/")]
        tokens = [name for name in files_below(tokenizer) if name in _TOKENIZER_FILES]
        return {
            f"{self.name}/{_PINYIN_FOLDER}": content_revision(folder, names),
            f"{self.name}/{_TOKENIZER}": content_revision(tokenizer, tokens),
        }

    def _read_config(self) -> dict[str, Any]:
        path = self.files.config
        try:
            found = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise self._wrong(f"{path.name} can't be read as JSON ({error}): download it again") from error
        if not isinstance(found, dict):
            raise self._wrong(f"{path.name} is not the description of a Piper voice: download it again")
        return found

    def _parsed(self, described: dict[str, Any]) -> PiperConfig:
        try:
            config = PiperConfig.from_dict(described)
        except KeyError as error:
            raise self._wrong(f"{self.files.config.name} has no {error}: download it again") from error
        except (ValueError, TypeError, AttributeError) as error:
            # Also an unknown type of phonemes.
            raise self._wrong(f"{self.files.config.name}: {error}: update piper-tts, or use another voice") from error
        if not isinstance(config.sample_rate, int) or not 4_000 <= config.sample_rate <= 192_000:
            raise self._wrong(f"{self.files.config.name}: its sample rate is {config.sample_rate!r}: download it again")
        return config

    def _load_session(self) -> tuple[onnxruntime.InferenceSession, tuple[str, ...]]:
        path, options = self.files.model, self._options
        silent = options.noise_scale == 0 and options.noise_w == 0
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads, settings.inter_op_num_threads = options.threads, 1
        settings.log_severity_level = 3
        try:
            data = path.read_bytes()
            check_one_file(data)
            model, noise = (data, ()) if silent else with_noise_inputs(data)
            session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
        except OtherFilesError as error:
            raise self._wrong(f"{error}, which the digest would not cover: save it as one file") from error
        except UnseedableNoiseError as error:
            text = f"{error}, so no text would be spoken twice in the same way: set noise_scale and noise_w to 0"
            raise self._wrong(text) from error
        except Exception as error:  # onnxruntime's exceptions have no common base class
            raise self._wrong(_why_unreadable(self.files, error)) from error
        return session, noise

    def _check(self) -> None:
        """Checks that model and description belong together, by speaking once."""
        names = {node.name for node in self._session.get_inputs()} - set(self._noise)
        expected = _INPUTS | ({"sid"} if self._config.num_speakers > 1 else set())
        if names != expected:
            found, wanted = ", ".join(sorted(names)), ", ".join(sorted(expected))
            raise self._wrong(f"{self.files.model.name} has the inputs {found} instead of {wanted}: not its model")
        try:
            with _no_hub():
                self._phonemes(self.sample)
        except Exception as error:
            raise self._wrong(
                f"its phonemizer ({self._config.phoneme_type.value}) can't start ({type(error).__name__}: {error}):"
                " install the extra of piper-tts for its language"
            ) from error
        try:
            self._phonemizer.phoneme_ids_to_audio(
                [max((max(ids) for ids in self._config.phoneme_id_map.values()), default=0)]
            )
            if is_silent(next(self.speak(self.sample, None, 1.0, 0))):
                raise ValueError("it is silent")
        except Exception as error:
            text = f"its model can't speak ({error}): {self.files.config.name} is damaged or another voice's"
            raise self._wrong(text) from error

    def _wrong(self, text: str) -> OptionsError:
        return OptionsError(f"service {SERVICE}: option 'voices': the voice {self.files.model}: {text}")


@contextmanager
def _no_hub() -> Iterator[None]:
    """The hub's client uses its cache only: a phonemizer would download the newest revision of its tokenizer."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _full_scale(audio: npt.NDArray[np.float32]) -> Samples:
    """The samples of a sentence, scaled to full range as piper-tts does by default."""
    samples = np.atleast_1d(audio)
    peak = float(np.abs(samples).max(initial=0.0))
    return np.clip(samples / peak, -1.0, 1.0).astype(np.float32) if peak > 1e-8 else np.zeros_like(samples)


def _language(name: str, described: dict[str, Any], espeak_voice: str) -> str:
    """The BCP-47 tag of a voice: from its description, else its name, else its phonemizer's voice."""
    declared = described.get("language")
    code = declared.get("code", "") if isinstance(declared, dict) else ""
    for candidate in (code, name if _TAGGED_NAME.match(name) else "", espeak_voice):
        if isinstance(candidate, str) and (found := _TAG.match(candidate)):
            language, region = found.groups()
            return f"{language.lower()}-{region.upper()}" if region else language.lower()
    return UNKNOWN_LANGUAGE


def _speakers(config: PiperConfig) -> dict[str, int]:
    if config.num_speakers <= 1:
        return {}
    named = {str(name): int(number) for name, number in config.speaker_id_map.items()}
    return named or {str(number): number for number in range(config.num_speakers)}


def _why_unreadable(files: VoiceFiles, error: Exception) -> str:
    if is_lfs_pointer(files.model):
        return f"it is {LFS_POINTER}: download the file itself"
    detail = " ".join(str(error).split())[:300]
    return f"it is not a whole ONNX model ({detail}): download it again"
