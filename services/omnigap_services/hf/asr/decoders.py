"""Ears with a decoder: encoder-decoders such as Moonshine and Canary, and language models such as Qwen3-ASR."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from omnigap.media.audio import Samples
from omnigap_services.hf.asr.ears import SAMPLE_RATE, Ears, Piece
from omnigap_services.hf.asr.options import HfAsrOptions
from omnigap_services.hf.asr.written import Written, write
from omnigap_services.torch_utils.checkpoint import Weights
from omnigap_services.torch_utils.device import Placement

# Read and tried: their padding is masked all the way. Moonshine normalises over time, zeros behind the clip included.
_TOGETHER = ("canary", "qwen3_asr")

# Tokens a second beyond which Moonshine repeats itself, by its authors.
_MOONSHINE_TOKENS_PER_S = 6.5


class DecoderEars(Ears):
    """Any other speech-to-text model of transformers that generates.

    Where the processor has `apply_transcription_request`, it writes the prompt and forces the language; else the model
    hears the language that it was trained on.
    """

    searches_beams = True

    def __init__(self, weights: Weights, options: HfAsrOptions, placement: Placement, auto_class: Any) -> None:
        super().__init__(options, placement)
        from transformers import AutoProcessor

        self.model = self.loaded(auto_class, weights)
        self._processor = AutoProcessor.from_pretrained(weights.folder)
        tokenizer = self._processor.tokenizer
        tokenizer.padding_side = "left"
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        self._asks = hasattr(self._processor, "apply_transcription_request")
        self.languages = _languages_of(self._processor) if self._asks else ()
        self.forces_language = bool(self.languages)
        self._type = str(self.model.config.model_type)
        self.alone = self._type not in _TOGETHER

    def hear(self, clips: Sequence[Samples], language: str, beam_size: int, seconds: float) -> list[Piece]:
        limit = self.options.max_new_tokens
        if self._type == "moonshine":
            limit = min(limit, max(1, int(seconds * _MOONSHINE_TOKENS_PER_S)))
        inputs = self.moved(self._inputs(clips, language))
        return [self._piece(row) for row in write(self.model, inputs, limit, beam_size)]

    def _inputs(self, clips: Sequence[Samples], language: str) -> Any:
        if not self._asks:
            return self._processor(list(clips), sampling_rate=SAMPLE_RATE, return_tensors="pt", padding=True)
        if not self.forces_language:
            return self._processor.apply_transcription_request(list(clips))
        name = "source_language" if self._type == "canary" else "language"
        return self._processor.apply_transcription_request(list(clips), **{name: language})

    def _piece(self, row: Written) -> Piece:
        text = self._processor.tokenizer.decode(row.ids, skip_special_tokens=True)
        # A language that is not forced is written before the text, behind this mark.
        text = str(text).rpartition("<asr_text>")[2].strip()
        return Piece(text, row.logprob, len(row.ids), row.counted, cut=row.cut)


def _languages_of(processor: Any) -> tuple[str, ...]:
    """The codes that a processor's own module lists; none where it lists none."""
    module = importlib.import_module(type(processor).__module__)
    return tuple(getattr(module, "LANGUAGE_CODE_TO_NAME", ()))
