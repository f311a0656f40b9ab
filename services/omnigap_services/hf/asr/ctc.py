"""Ears without a decoder: CTC models such as wav2vec 2.0, HuBERT and Parakeet-CTC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from omnigap.media.audio import Samples
from omnigap_services.hf.asr.ears import SAMPLE_RATE, Ears, Piece
from omnigap_services.hf.asr.options import HfAsrOptions
from omnigap_services.torch_utils.checkpoint import Weights
from omnigap_services.torch_utils.device import Placement

# Read and tried: with a mask, what stands behind a clip is not heard.
_TOGETHER = ("wav2vec2", "hubert", "wavlm", "parakeet_ctc")


class CtcEars(Ears):
    """The likeliest letter of every frame, repeats and blanks left out; no language model beside it."""

    def __init__(self, weights: Weights, options: HfAsrOptions, placement: Placement) -> None:
        super().__init__(options, placement)
        from transformers import AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer

        self.model = self.loaded(AutoModelForCTC, weights)
        self._features = AutoFeatureExtractor.from_pretrained(weights.folder)
        self._tokenizer = AutoTokenizer.from_pretrained(weights.folder)
        # Models with group norm were trained without a mask: zeros behind a clip are heard.
        self._masks = bool(getattr(self._features, "return_attention_mask", True))
        self.alone = not self._masks or self.model.config.model_type not in _TOGETHER
        self._blank = int(self.model.config.pad_token_id)

    def hear(self, clips: Sequence[Samples], language: str, beam_size: int, seconds: float) -> list[Piece]:
        inputs = self.moved(
            self._features(
                list(clips),
                sampling_rate=SAMPLE_RATE,
                return_tensors="pt",
                padding="longest",
                return_attention_mask=self._masks,
            )
        )
        with torch.inference_mode():
            logits = self.model(**inputs).logits.float()
        lengths = self._lengths(inputs, logits.shape[1])
        likely = logits.log_softmax(dim=-1).max(dim=-1)
        return [
            self._piece(likely.indices[row, :length].tolist(), likely.values[row, :length].tolist())
            for row, length in enumerate(lengths)
        ]

    def _lengths(self, inputs: dict[str, Any], width: int) -> list[int]:
        """Frames of each clip in the output; what lies behind is padding."""
        mask = inputs.get("attention_mask")
        if mask is None:
            return [width] * next(iter(inputs.values())).shape[0]
        if hasattr(self.model, "_get_output_attention_mask"):
            found = self.model._get_output_attention_mask(mask, target_length=width).sum(-1)
        else:
            found = self.model._get_feat_extract_output_lengths(mask.sum(-1))
        return [min(width, int(length)) for length in found]

    def _piece(self, ids: list[int], logprobs: list[float]) -> Piece:
        """Its log probability is that of the first frame of each letter."""
        kept, logprob, before = [], 0.0, self._blank
        for token, value in zip(ids, logprobs, strict=True):
            if token not in (self._blank, before):
                kept.append(token)
                logprob += value
            before = token
        text = self._tokenizer.decode(kept, skip_special_tokens=True, group_tokens=False)
        return Piece(str(text).strip(), logprob, len(kept), len(kept))
