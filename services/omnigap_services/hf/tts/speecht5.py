"""SpeechT5 with its HiFi-GAN vocoder; a speaker is an embedding vector in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.hf.tts.text import fit_to_alphabet
from omnigap_services.hf.tts.voice import SERVICE, TtsOptions, Utterance, VoiceModel, Waveform, mono
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import Weights, file_revision, find_weights
from omnigap_services.torch_utils.device import Placement

# `maxlenratio` of generate_speech, at the library's default: spectrogram frames per input token. It is passed, because
# the check for a truncated utterance depends on it.
_MAX_FRAMES_PER_TOKEN = 20.0

Vector = npt.NDArray[np.float32]


class SpeechT5Voice(VoiceModel):
    """SpeechT5. The prenet of its decoder applies dropout at inference as well, by design, so it needs a seed."""

    letters_only = True
    used_options = frozenset({"vocoder", "vocoder_revision"})

    def __init__(self, weights: Weights, options: TtsOptions, placement: Placement) -> None:
        from transformers import SpeechT5ForTextToSpeech, SpeechT5HifiGan, SpeechT5Tokenizer

        if not options.vocoder:
            raise OptionsError(
                f"service {SERVICE}: option 'vocoder' is empty, but SpeechT5 makes spectrograms: name the vocoder's"
                " folder or hub name, such as microsoft/speecht5_hifigan, with vocoder_revision"
            )
        vocoder = find_weights(SERVICE, "vocoder", options.vocoder, options.vocoder_revision)
        self.model = self.load_model(SpeechT5ForTextToSpeech, weights, options, placement)
        self._vocoder = self.load_model(SpeechT5HifiGan, vocoder, options, placement, option="vocoder")
        self._tokenizer = SpeechT5Tokenizer.from_pretrained(weights.folder)
        self.sample_rate = int(self._vocoder.config.sampling_rate)
        size = int(self.model.config.speaker_embedding_dim)
        if not options.voices:
            raise OptionsError(
                f"service {SERVICE}: option 'voices' is empty, but SpeechT5 needs an embedding of {size} numbers:"
                ' voices = { slt = "slt.npy" }'
            )
        self._embeddings = {
            name: torch.from_numpy(read_embedding(path, size)).to(placement.device, placement.torch_dtype)
            for name, path in options.voices.items()
        }
        self.voices = tuple(self._embeddings)
        # The hash of the file, not its path: the file can move, and a new speaker under an old name is noticed.
        self.settings = {"vocoder": vocoder.revision} | {
            f"voice.{name}": file_revision(Path(path).expanduser()) for name, path in options.voices.items()
        }

    def synthesise(self, utterance: Utterance) -> Waveform:
        text = fit_to_alphabet(utterance.text, self._is_known)
        ids = self._tokenizer(text, return_tensors="pt")["input_ids"].to(self.model.device)
        config = self.model.config
        if ids.shape[1] > config.max_text_positions:
            message = (
                f"the text has {ids.shape[1]} letters, and the voice takes {config.max_text_positions}: shorten it"
            )
            raise ContractError(Reason.TOO_LARGE, message)
        with torch.inference_mode():
            spectrogram = self.model.generate_speech(
                ids, self._embeddings[utterance.voice], maxlenratio=_MAX_FRAMES_PER_TOKEN
            )
            waveform = self._vocoder(spectrogram)
        # Each decoder step makes `reduction_factor` frames; generate_speech rounds the number of steps down.
        max_steps = int(ids.shape[1] * _MAX_FRAMES_PER_TOKEN / config.reduction_factor)
        return Waveform(mono(waveform), truncated=len(spectrogram) >= max_steps * config.reduction_factor)

    def _is_known(self, character: str) -> bool:
        # Spaces belong to the tokenizer's word marks, not to its alphabet.
        if character.isspace():
            return True
        unknown = self._tokenizer.unk_token_id
        return unknown not in self._tokenizer.convert_tokens_to_ids(self._tokenizer.tokenize(character))


def read_embedding(path: str, size: int) -> Vector:
    """A speaker embedding, float32, shape (1, size).

    Formats: `.npy` of NumPy; `.pt` and `.pth` of torch; `.bin` of torch, or raw little-endian float32.

    Raises:
        OptionsError: the file does not exist, is of another kind or size, or holds pickled objects.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise _wrong(path, "there is no such file")
    try:
        vector = np.asarray(_read(file, size), dtype=np.float32).reshape(-1)
    except OptionsError:
        raise
    except Exception as error:  # NumPy and torch raise many kinds for a broken file
        raise _wrong(path, f"it cannot be read as a vector ({type(error).__name__}: {error})") from error
    if vector.size != size or not np.isfinite(vector).all():
        raise _wrong(path, f"it holds {vector.size} numbers, and the model takes {size} finite ones")
    return vector.reshape(1, size)


def _read(file: Path, size: int) -> Any:
    kind = file.suffix.lower()
    # Neither loader may unpickle objects: that would run code from the file.
    if kind == ".npy":
        return np.load(file, allow_pickle=False)
    # A file of exactly this size holds the bare numbers; one of torch is larger.
    if kind == ".bin" and file.stat().st_size == 4 * size:
        return np.fromfile(file, dtype="<f4")
    if kind in (".pt", ".bin", ".pth"):
        return torch.load(file, map_location="cpu", weights_only=True)
    raise _wrong(str(file), "it is not a .npy, .pt or .bin file")


def _wrong(path: str, text: str) -> OptionsError:
    return OptionsError(f"service {SERVICE}: option 'voices' names the file {path!r}, but {text}")
