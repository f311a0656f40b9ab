"""The text generation of NExT-GPT."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from omnigap_services.adapter import Request
from omnigap_services.nextgpt.loading import Nextgpt
from omnigap_services.nextgpt.prompt import STOP, EmbeddedPrompts, embedded, segments_of
from omnigap_services.torch_utils.decoding import Decoding
from omnigap_services.torch_utils.streaming import StopSplitter
from omnigap_services.torch_utils.text_generation import TextGeneration


class Generation(TextGeneration[EmbeddedPrompts, Decoding]):
    """Answers batches; questions with and without media share one."""

    def __init__(self, model: Nextgpt) -> None:
        words = model.vocabulary
        super().__init__(
            model.llm,
            words,
            context=model.context,
            end_ids=(words.end,),
            pad_id=words.end,
            hidden_ids=words.hidden,
        )
        self._parts = model

    def _build(self, requests: Sequence[Request], decoding: Decoding) -> EmbeddedPrompts:
        prompts = [segments_of(request, self._parts.vocabulary) for request in requests]
        with torch.inference_mode():
            return embedded(prompts, self._parts.embed, self._parts.vectors)

    def _splitter(self, prompts: EmbeddedPrompts, row: int) -> StopSplitter:
        return StopSplitter(STOP)
