"""Runs a decoder and gives, for each clip, the ids that it wrote and how sure it was of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationMixin

_PLAIN: dict[str, Any] = {
    "do_sample": False,
    "num_return_sequences": 1,
    "return_dict_in_generate": True,
    "output_scores": True,
    "repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "length_penalty": 1.0,
}


@dataclass(frozen=True, slots=True)
class Written:
    """One row: the ids before the end mark.

    Attributes:
        logprob: summed over the ids and the end mark.
        cut: there is no end mark.
    """

    ids: list[int]
    logprob: float
    counted: int
    cut: bool


def write(model: Any, inputs: Mapping[str, Any], max_new_tokens: int, beam_size: int) -> list[Written]:
    """The transcripts of a batch, greedy or by beam search, never sampled.

    transformers' own `generate` of all models is taken, also where a class has one of its own with fallbacks to higher
    temperatures, which sample.
    """
    with torch.inference_mode():
        made = GenerationMixin.generate(model, **inputs, **_PLAIN, max_new_tokens=max_new_tokens, num_beams=beam_size)
        scores = model.compute_transition_scores(
            made.sequences, made.scores, getattr(made, "beam_indices", None) if beam_size > 1 else None, True
        )
    ends = _ends(model)
    rows = []
    width = scores.shape[1]
    for ids, row in zip(made.sequences[:, made.sequences.shape[1] - width :].tolist(), scores.tolist(), strict=True):
        length = next((place for place, token in enumerate(ids) if token in ends), width)
        counted = min(width, length + 1)
        # A forced or forbidden token has no finite score.
        logprob = sum(value for value in row[:counted] if value > -1e4)
        rows.append(Written(ids[:length], float(logprob), counted, cut=length == width))
    return rows


def _ends(model: Any) -> frozenset[int]:
    found = model.generation_config.eos_token_id
    if found is None:
        found = model.config.get_text_config(decoder=True).eos_token_id
    if found is None:
        return frozenset()
    return frozenset(found if isinstance(found, list | tuple) else [int(found)])
