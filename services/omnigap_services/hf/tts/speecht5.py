"""SpeechT5 with its HiFi-GAN vocoder, in the voice of a speaker embedding."""

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

# generate_speech's own: frames of sound for each encoded letter, after which it stops listening for its end.
_LONGEST = 20.0


class SpeechT5Voice(VoiceModel):
    """SpeechT5. Its decoder drops out units also when it speaks, by design: hence a seed."""

    reads_letters = True
    takes = frozenset({"vocoder", "vocoder_revision"})

    def __init__(self, weights: Weights, options: TtsOptions, placement: Placement) -> None:
        from transformers import SpeechT5ForTextToSpeech, SpeechT5HifiGan, SpeechT5Tokenizer

        if not options.vocoder:
            raise OptionsError(
                f"service {SERVICE}: option 'vocoder' is empty, but SpeechT5 makes spectrograms: name the vocoder's"
                " folder or hub name, as microsoft/speecht5_hifigan, with vocoder_revision"
            )
        vocoder = find_weights(SERVICE, "vocoder", options.vocoder, options.vocoder_revision)
        self.model = self.loaded(SpeechT5ForTextToSpeech, weights, options, placement)
        self._vocoder = self.loaded(SpeechT5HifiGan, vocoder, options, placement, option="vocoder")
        self._tokenizer = SpeechT5Tokenizer.from_pretrained(weights.folder)
        self.sample_rate = int(self._vocoder.config.sampling_rate)
        if not options.voices:
            raise OptionsError(
                f"service {SERVICE}: option 'voices' is empty, but SpeechT5 speaks in the voice of an embedding of"
                f' {self.model.config.speaker_embedding_dim} numbers: voices = {{ slt = "slt.npy" }}'
            )
        size = int(self.model.config.speaker_embedding_dim)
        self._embeddings = {
            name: torch.from_numpy(read_embedding(path, size)).to(placement.device, placement.torch_dtype)
            for name, path in options.voices.items()
        }
        self.voices = tuple(self._embeddings)
        self.facts = {"vocoder": vocoder.revision} | {
            f"voice.{name}": file_revision(Path(path).expanduser()) for name, path in options.voices.items()
        }

    def speak(self, line: Utterance) -> Waveform:
        text = fit_to_alphabet(line.text, self._knows)
        ids = self._tokenizer(text, return_tensors="pt")["input_ids"].to(self.model.device)
        config = self.model.config
        if ids.shape[1] > config.max_text_positions:
            told = f"the text has {ids.shape[1]} letters, and the voice reads {config.max_text_positions}: shorten it"
            raise ContractError(Reason.TOO_LARGE, told)
        with torch.inference_mode():
            spectrogram = self.model.generate_speech(ids, self._embeddings[line.voice], maxlenratio=_LONGEST)
            waveform = self._vocoder(spectrogram)
        steps = int(ids.shape[1] * _LONGEST / config.reduction_factor)
        return Waveform(mono(waveform), cut=len(spectrogram) >= steps * config.reduction_factor)

    def _knows(self, character: str) -> bool:
        if character.isspace():
            return True
        unknown = self._tokenizer.unk_token_id
        return unknown not in self._tokenizer.convert_tokens_to_ids(self._tokenizer.tokenize(character))


# Reads a speaker's embedding from a file.

Vector = npt.NDArray[np.float32]


def read_embedding(path: str, size: int) -> Vector:
    """A vector of `size` numbers, shape (1, size).

    A `.npy` holds it as NumPy wrote it, a `.pt` as torch did; a `.bin` is either torch's, or the bare float32 numbers.

    Raises:
        OptionsError: for a file that is not there, of another kind, or of another size; pickled objects are refused.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise _wrong(path, "there is no such file")
    try:
        vector = np.asarray(_read(file, size), dtype=np.float32).reshape(-1)
    except OptionsError:
        raise
    except Exception as error:
        raise _wrong(path, f"it cannot be read as a vector ({type(error).__name__}: {error})") from error
    if vector.size != size or not np.isfinite(vector).all():
        raise _wrong(path, f"it holds {vector.size} numbers, and the model takes {size} finite ones")
    return vector.reshape(1, size)


def _read(file: Path, size: int) -> Any:
    kind = file.suffix.lower()
    if kind == ".npy":
        return np.load(file, allow_pickle=False)
    if kind == ".bin" and file.stat().st_size == 4 * size:
        return np.fromfile(file, dtype="<f4")
    if kind in (".pt", ".bin", ".pth"):
        import torch

        return torch.load(file, map_location="cpu", weights_only=True)
    raise _wrong(str(file), "it is no .npy, .pt or .bin")


def _wrong(path: str, text: str) -> OptionsError:
    return OptionsError(f"service {SERVICE}: option 'voices' names the file {path!r}, but {text}")
