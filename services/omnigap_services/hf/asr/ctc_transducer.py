"""ASR models that align text with audio frames: CTC (wav2vec 2.0, HuBERT, Parakeet) and transducers (Parakeet)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch

from omnigap.media.audio import Samples
from omnigap_services.hf.asr.recogniser import SAMPLE_RATE, HfAsrOptions, Recogniser, Segment
from omnigap_services.torch_utils.checkpoint import Weights
from omnigap_services.torch_utils.device import Placement

# Families whose attention mask was verified to hide the padding behind a clip; all others run one clip at a time.
_MASKED = ("wav2vec2", "hubert", "wavlm", "parakeet_ctc")


class CtcRecogniser(Recogniser):
    """Greedy CTC: the most likely token of each frame, with repeats and blanks removed; no language model."""

    def __init__(self, weights: Weights, options: HfAsrOptions, placement: Placement) -> None:
        super().__init__(options, placement)
        from transformers import AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer

        self.model = self.load_model(AutoModelForCTC, weights)
        self._features = AutoFeatureExtractor.from_pretrained(weights.folder)
        self._tokenizer = AutoTokenizer.from_pretrained(weights.folder)
        # wav2vec 2.0 models with group norm were trained without a mask: zeros behind a clip change their transcript.
        self._uses_mask = bool(getattr(self._features, "return_attention_mask", True))
        self.one_at_a_time = not self._uses_mask or self.model.config.model_type not in _MASKED
        # CTC models of transformers use the padding id as the blank.
        self._blank = int(self.model.config.pad_token_id)

    def transcribe(self, clips: Sequence[Samples], language: str, beam_size: int, seconds: float) -> list[Segment]:
        inputs = self.to_device(
            self._features(
                list(clips),
                sampling_rate=SAMPLE_RATE,
                return_tensors="pt",
                padding="longest",
                return_attention_mask=self._uses_mask,
            )
        )
        with torch.inference_mode():
            # float32 before the softmax: in bfloat16 the log probabilities would be rounded.
            logits = self.model(**inputs).logits.float()
        lengths = self._output_lengths(inputs, logits.shape[1])
        likely = logits.log_softmax(dim=-1).max(dim=-1)
        return [
            self._segment(likely.indices[row, :length].tolist(), likely.values[row, :length].tolist())
            for row, length in enumerate(lengths)
        ]

    def _output_lengths(self, inputs: dict[str, Any], width: int) -> list[int]:
        """Output frames of each clip without its padding."""
        mask = inputs.get("attention_mask")
        if mask is None:
            return [width] * next(iter(inputs.values())).shape[0]
        # Parakeet has a method for the mask; the wav2vec 2.0 family one for the lengths.
        if hasattr(self.model, "_get_output_attention_mask"):
            found = self.model._get_output_attention_mask(mask, target_length=width).sum(-1)
        else:
            found = self.model._get_feat_extract_output_lengths(mask.sum(-1))
        return [min(width, int(length)) for length in found]

    def _segment(self, ids: list[int], logprobs: list[float]) -> Segment:
        kept, logprob, previous = [], 0.0, self._blank
        for token, value in zip(ids, logprobs, strict=True):
            if token not in (self._blank, previous):
                kept.append(token)
                # A token's log probability is that of its first frame: it is counted once, however long it lasts.
                logprob += value
            previous = token
        # Repeats are already removed; the tokenizer would otherwise also merge genuine double letters.
        text = self._tokenizer.decode(kept, skip_special_tokens=True, group_tokens=False)
        return Segment(str(text).strip(), logprob, len(kept), len(kept))


class TransducerRecogniser(Recogniser):
    """Greedy decoding of a transducer by the library's own loop, which returns no probabilities.

    One clip at a time: in a batch the loop keeps writing for a clip that has ended, until the longest one has ended.
    """

    one_at_a_time = True

    def __init__(self, weights: Weights, options: HfAsrOptions, placement: Placement, auto_class: Any) -> None:
        super().__init__(options, placement)
        from transformers import AutoProcessor

        self.model = self.load_model(auto_class, weights)
        self._processor = AutoProcessor.from_pretrained(weights.folder)

    def transcribe(self, clips: Sequence[Samples], language: str, beam_size: int, seconds: float) -> list[Segment]:
        inputs = self.to_device(self._processor(list(clips), sampling_rate=SAMPLE_RATE))
        with torch.inference_mode(), warnings.catch_warnings():
            # The loop ends with the clip's last frame, so a limit on tokens is deliberately not set.
            warnings.filterwarnings("ignore", message="Using the model-agnostic default `max_length`")
            output = self.model.generate(**inputs, return_dict_in_generate=True)
        return [self._segment(ids) for ids in output.sequences.tolist()]

    def _segment(self, ids: list[int]) -> Segment:
        config = self.model.config
        silent = {config.pad_token_id, config.blank_token_id}
        kept = [token for token in ids if token not in silent]
        text = self._processor.tokenizer.decode(kept, skip_special_tokens=True, group_tokens=False)
        return Segment(str(text).strip(), None, len(kept), 0)
