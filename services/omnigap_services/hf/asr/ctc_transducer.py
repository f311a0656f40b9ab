"""Ears without a decoder: CTC models such as wav2vec 2.0, HuBERT and Parakeet-CTC."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch

from omnigap.media.audio import Samples
from omnigap_services.hf.asr.recogniser import SAMPLE_RATE, HfAsrOptions, Recogniser, Segment
from omnigap_services.torch_utils.checkpoint import Weights
from omnigap_services.torch_utils.device import Placement

# Read and tried: with a mask, what stands behind a clip is not heard.
_MASKED = ("wav2vec2", "hubert", "wavlm", "parakeet_ctc")


class CtcRecogniser(Recogniser):
    """The likeliest letter of every frame, repeats and blanks left out; no language model beside it."""

    def __init__(self, weights: Weights, options: HfAsrOptions, placement: Placement) -> None:
        super().__init__(options, placement)
        from transformers import AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer

        self.model = self.loaded(AutoModelForCTC, weights)
        self._features = AutoFeatureExtractor.from_pretrained(weights.folder)
        self._tokenizer = AutoTokenizer.from_pretrained(weights.folder)
        # Models with group norm were trained without a mask: zeros behind a clip are heard.
        self._masks = bool(getattr(self._features, "return_attention_mask", True))
        self.alone = not self._masks or self.model.config.model_type not in _MASKED
        self._blank = int(self.model.config.pad_token_id)

    def hear(self, clips: Sequence[Samples], language: str, beam_size: int, seconds: float) -> list[Segment]:
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

    def _piece(self, ids: list[int], logprobs: list[float]) -> Segment:
        """Its log probability is that of the first frame of each letter."""
        kept, logprob, before = [], 0.0, self._blank
        for token, value in zip(ids, logprobs, strict=True):
            if token not in (self._blank, before):
                kept.append(token)
                logprob += value
            before = token
        text = self._tokenizer.decode(kept, skip_special_tokens=True, group_tokens=False)
        return Segment(str(text).strip(), logprob, len(kept), len(kept))


# Ears with a transducer: Parakeet-TDT, Parakeet-RNNT and their kin.


class TransducerRecogniser(Recogniser):
    """Greedy, by the library's own loop, which tells no probabilities.

    One clip at a time: in a batch the loop writes on behind a clip that has ended, until the longest one has.
    """

    alone = True

    def __init__(self, weights: Weights, options: HfAsrOptions, placement: Placement, auto_class: Any) -> None:
        super().__init__(options, placement)
        from transformers import AutoProcessor

        self.model = self.loaded(auto_class, weights)
        self._processor = AutoProcessor.from_pretrained(weights.folder)

    def hear(self, clips: Sequence[Samples], language: str, beam_size: int, seconds: float) -> list[Segment]:
        inputs = self.moved(self._processor(list(clips), sampling_rate=SAMPLE_RATE))
        with torch.inference_mode(), warnings.catch_warnings():
            # The loop ends with the clip's last frame; no limit on tokens is meant to be set.
            warnings.filterwarnings("ignore", message="Using the model-agnostic default `max_length`")
            made = self.model.generate(**inputs, return_dict_in_generate=True)
        return [self._piece(ids) for ids in made.sequences.tolist()]

    def _piece(self, ids: list[int]) -> Segment:
        config = self.model.config
        unheard = {config.pad_token_id, config.blank_token_id}
        kept = [token for token in ids if token not in unheard]
        text = self._processor.tokenizer.decode(kept, skip_special_tokens=True, group_tokens=False)
        return Segment(str(text).strip(), None, len(kept), 0)
