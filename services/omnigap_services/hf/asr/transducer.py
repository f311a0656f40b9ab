"""Ears with a transducer: Parakeet-TDT, Parakeet-RNNT and their kin."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch

from omnigap.media.audio import Samples
from omnigap_services.hf.asr.ears import SAMPLE_RATE, Ears, Piece
from omnigap_services.hf.asr.options import HfAsrOptions
from omnigap_services.torch_utils.checkpoint import Weights
from omnigap_services.torch_utils.device import Placement


class TransducerEars(Ears):
    """Greedy, by the library's own loop, which tells no probabilities.

    One clip at a time: in a batch the loop writes on behind a clip that has ended, until the longest one has.
    """

    alone = True

    def __init__(self, weights: Weights, options: HfAsrOptions, placement: Placement, auto_class: Any) -> None:
        super().__init__(options, placement)
        from transformers import AutoProcessor

        self.model = self.loaded(auto_class, weights)
        self._processor = AutoProcessor.from_pretrained(weights.folder)

    def hear(self, clips: Sequence[Samples], language: str, beam_size: int, seconds: float) -> list[Piece]:
        inputs = self.moved(self._processor(list(clips), sampling_rate=SAMPLE_RATE))
        with torch.inference_mode(), warnings.catch_warnings():
            # The loop ends with the clip's last frame; no limit on tokens is meant to be set.
            warnings.filterwarnings("ignore", message="Using the model-agnostic default `max_length`")
            made = self.model.generate(**inputs, return_dict_in_generate=True)
        return [self._piece(ids) for ids in made.sequences.tolist()]

    def _piece(self, ids: list[int]) -> Piece:
        config = self.model.config
        unheard = {config.pad_token_id, config.blank_token_id}
        kept = [token for token in ids if token not in unheard]
        text = self._processor.tokenizer.decode(kept, skip_special_tokens=True, group_tokens=False)
        return Piece(str(text).strip(), None, len(kept), 0)
