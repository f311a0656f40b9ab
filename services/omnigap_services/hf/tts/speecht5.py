"""SpeechT5 with its HiFi-GAN vocoder, in the voice of a speaker embedding."""

from __future__ import annotations

from pathlib import Path

import torch

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.hf.tts.alphabet import fitted
from omnigap_services.hf.tts.embedding import read_embedding
from omnigap_services.hf.tts.options import SERVICE, TtsOptions
from omnigap_services.hf.tts.voice import Line, Sound, VoiceModel, mono
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

    def speak(self, line: Line) -> Sound:
        text = fitted(line.text, self._knows)
        ids = self._tokenizer(text, return_tensors="pt")["input_ids"].to(self.model.device)
        config = self.model.config
        if ids.shape[1] > config.max_text_positions:
            told = f"the text has {ids.shape[1]} letters, and the voice reads {config.max_text_positions}: shorten it"
            raise ContractError(Reason.TOO_LARGE, told)
        with torch.inference_mode():
            spectrogram = self.model.generate_speech(ids, self._embeddings[line.voice], maxlenratio=_LONGEST)
            waveform = self._vocoder(spectrogram)
        steps = int(ids.shape[1] * _LONGEST / config.reduction_factor)
        return Sound(mono(waveform), cut=len(spectrogram) >= steps * config.reduction_factor)

    def _knows(self, character: str) -> bool:
        if character.isspace():
            return True
        unknown = self._tokenizer.unk_token_id
        return unknown not in self._tokenizer.convert_tokens_to_ids(self._tokenizer.tokenize(character))
