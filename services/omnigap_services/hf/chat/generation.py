"""The text generation of one loaded chat model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omnigap_services.adapter import Request
from omnigap_services.hf.chat.loading import ChatModel, special_ids
from omnigap_services.hf.chat.options import ChatDecoding, ChatOptions
from omnigap_services.hf.chat.prompt import PromptBatch, PromptBuilder, media_of
from omnigap_services.torch_utils.streaming import ThinkingSplitter
from omnigap_services.torch_utils.text_generation import TextGeneration


class Generation(TextGeneration[PromptBatch, ChatDecoding]):
    """Answers batches with one loaded model; the questions of a batch bring the same kinds of media."""

    def __init__(self, chat: ChatModel, prompt_builder: PromptBuilder, options: ChatOptions) -> None:
        # Special tokens are not part of a text, except the thinking marks, which the splitter needs to see.
        vocabulary = chat.tokenizer.get_vocab()
        marks = {vocabulary.get(mark) for mark in (options.think_open, options.think_close)}
        super().__init__(
            chat.model,
            chat.tokenizer,
            context=chat.context,
            end_ids=_end_ids(chat),
            pad_id=chat.tokenizer.pad_token_id,
            hidden_ids=special_ids(chat.tokenizer) - marks,
        )
        self._chat = chat
        self._prompt_builder = prompt_builder
        self._options = options

    @property
    def model_type(self) -> str:
        """Name of the architecture in transformers."""
        return str(self._chat.model.config.model_type)

    def _build(self, requests: Sequence[Request], decoding: ChatDecoding) -> PromptBatch:
        return self._prompt_builder.build(requests, decoding.template_arguments())

    def _before(self, request: Request) -> None:
        self._chat.lora.switch(media_of(request))

    def _splitter(self, prompts: PromptBatch, row: int) -> ThinkingSplitter:
        opening, closing = self._options.think_open, self._options.think_close
        # Templates of models that always think write the opening mark themselves.
        inside = bool(opening) and prompts.texts[row].rstrip().endswith(opening)
        return ThinkingSplitter(opening, closing, inside)


def _end_ids(chat: ChatModel) -> frozenset[int]:
    """Ids that end an answer. Chat checkpoints list several in the generation config; the tokenizer knows one."""
    found: Any = chat.model.generation_config.eos_token_id
    if found is None:
        found = chat.tokenizer.eos_token_id
    if found is None:
        return frozenset()
    return frozenset(found if isinstance(found, list | tuple) else [int(found)])
