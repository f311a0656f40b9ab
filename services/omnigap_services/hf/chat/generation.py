"""One pass of the model over questions that go together, streamed to their turns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from omnigap.errors import ContractError
from omnigap.vocabulary import FinishReason, Reason
from omnigap_services.adapter import Completion
from omnigap_services.failures import is_out_of_memory
from omnigap_services.hf.chat.loading import ChatModel
from omnigap_services.hf.chat.options import ChatOptions, Decoding
from omnigap_services.hf.chat.prompt import PromptBuilder, Prompts, media_of
from omnigap_services.hf.chat.streaming import RowDecoder, ThinkingSplitter, TurnWriter
from omnigap_services.torch_utils.generation import StopRows, seeded


class Generation:
    """Answers batches with one loaded model; the questions of a batch bring the same kinds of media."""

    def __init__(self, chat: ChatModel, prompter: PromptBuilder, options: ChatOptions) -> None:
        self._chat = chat
        self._prompter = prompter
        self._options = options
        self._ends = _end_ids(chat)
        vocabulary = chat.tokenizer.get_vocab()
        marks = {vocabulary.get(mark) for mark in (options.think_open, options.think_close)}
        self._hidden = frozenset(chat.tokenizer.all_special_ids) - marks

    @property
    def model_type(self) -> str:
        """As transformers names the architecture."""
        return str(self._chat.model.config.model_type)

    def answer(self, outboxes: Sequence[TurnWriter], decoding: Decoding) -> None:
        """Answers every turn that is still wanted; a question that cannot be put ends alone."""
        wanted = [outbox for outbox in outboxes if not outbox.turn.cancelled]
        if not wanted:
            return
        try:
            prompts = self._prompts(wanted, decoding)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            if len(wanted) == 1:
                wanted[0].turn.fail(error)
                return
            for outbox in wanted:  # one of them spoils the batch
                self.answer([outbox], decoding)
            return
        limits = [self._limit(prompts.tokens(row), decoding) for row in range(len(wanted))]
        if len(set(limits)) > 1 and not decoding.streams:  # beams end together or not at all
            for outbox in wanted:
                self.answer([outbox], decoding)
            return
        self._run(wanted, prompts, limits, decoding)

    def _prompts(self, outboxes: Sequence[TurnWriter], decoding: Decoding) -> Prompts:
        requests = [outbox.turn.request for outbox in outboxes]
        prompts = self._prompter.prompts(requests, decoding.template_arguments())
        longest = max(prompts.tokens(row) for row in range(len(outboxes)))
        if self._chat.context and longest >= self._chat.context:
            text = (
                f"the question takes {longest} tokens, and the model's context holds {self._chat.context}: shorten it"
            )
            raise ContractError(Reason.TOO_LARGE, text)
        return prompts

    def _limit(self, tokens: int, decoding: Decoding) -> int:
        """Tokens that the answer to a prompt of so many may have; padding takes no place in the model's context."""
        return (
            min(decoding.max_new_tokens, self._chat.context - tokens) if self._chat.context else decoding.max_new_tokens
        )

    def _run(self, outboxes: Sequence[TurnWriter], prompts: Prompts, limits: Sequence[int], decoding: Decoding) -> None:
        feeds = [
            RowDecoder(outbox, self._chat.tokenizer, self._splitter(text), self._hidden)
            for outbox, text in zip(outboxes, prompts.texts, strict=True)
        ]
        start = prompts.width

        def on_step(ids: torch.Tensor) -> None:
            for feed, row, limit in zip(feeds, ids[:, start:].tolist(), limits, strict=True):
                feed.take(self._trimmed(row[:limit]))

        def stops(row: int) -> bool:
            return outboxes[row].turn.cancelled or feeds[row].length >= limits[row]

        criterion = StopRows(
            [partial(stops, row) for row in range(len(outboxes))], on_step if decoding.streams else None
        )
        self._chat.adapters.switch(media_of(outboxes[0].turn.request))
        with torch.inference_mode(), seeded(decoding.seed):
            output = self._chat.model.generate(
                **prompts.inputs,
                **{**decoding.arguments(), "max_new_tokens": max(limits)},
                pad_token_id=self._chat.tokenizer.pad_token_id,
                stopping_criteria=[criterion],
            )
        for row, (outbox, feed) in enumerate(zip(outboxes, feeds, strict=True)):
            if outbox.turn.cancelled:
                continue
            self._end(outbox, feed, output[row, start : start + limits[row]].tolist(), prompts.tokens(row))

    def _end(self, outbox: TurnWriter, feed: RowDecoder, row: list[int], tokens_in: int) -> None:
        ids = self._trimmed(row)
        feed.end(ids)
        ended = len(ids) < len(row)
        outbox.turn.complete(
            Completion(
                finish_reason=FinishReason.STOP if ended else FinishReason.LENGTH,
                input_tokens=tokens_in,
                output_tokens=len(ids) + ended,
            )
        )

    def _trimmed(self, row: list[int]) -> list[int]:
        """The ids before the first that ends an answer; what follows it is padding."""
        return next((row[:place] for place, token in enumerate(row) if token in self._ends), row)

    def _splitter(self, prompt: str) -> ThinkingSplitter:
        opening, closing = self._options.think_open, self._options.think_close
        # Templates of models that always think open the thinking themselves.
        inside = bool(opening) and prompt.rstrip().endswith(opening)
        return ThinkingSplitter(opening, closing, inside)


def _end_ids(chat: ChatModel) -> frozenset[int]:
    """Ids that end an answer, by the generation config, else by the tokenizer."""
    found: Any = chat.model.generation_config.eos_token_id
    if found is None:
        found = chat.tokenizer.eos_token_id
    if found is None:
        return frozenset()
    return frozenset(found if isinstance(found, list | tuple) else [int(found)])
