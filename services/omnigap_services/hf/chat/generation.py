"""Runs one batch through the model, and streams every row to its turn."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from omnigap.errors import ContractError
from omnigap.vocabulary import FinishReason, Reason
from omnigap_services.adapter import Completion
from omnigap_services.failures import is_out_of_memory
from omnigap_services.hf.chat.loading import ChatModel, special_ids
from omnigap_services.hf.chat.options import ChatOptions, Decoding
from omnigap_services.hf.chat.prompt import PromptBatch, PromptBuilder, media_of
from omnigap_services.hf.chat.streaming import RowDecoder, ThinkingSplitter, TurnWriter
from omnigap_services.torch_utils.generation import StopRows, seeded


class Generation:
    """Answers batches with one loaded model; the questions of a batch bring the same kinds of media."""

    def __init__(self, chat: ChatModel, prompt_builder: PromptBuilder, options: ChatOptions) -> None:
        self._chat = chat
        self._prompt_builder = prompt_builder
        self._options = options
        self._end_ids = _end_ids(chat)
        # Special tokens are not part of a text, except the thinking marks, which the splitter needs to see.
        vocabulary = chat.tokenizer.get_vocab()
        marks = {vocabulary.get(mark) for mark in (options.think_open, options.think_close)}
        self._hidden = special_ids(chat.tokenizer) - marks

    @property
    def model_type(self) -> str:
        """Name of the architecture in transformers."""
        return str(self._chat.model.config.model_type)

    def answer(self, writers: Sequence[TurnWriter], decoding: Decoding) -> None:
        """Answers every turn that is not cancelled; a question that cannot be processed fails on its own."""
        waiting = [writer for writer in writers if not writer.turn.cancelled]
        if not waiting:
            return
        try:
            batch = self._prompt_batch(waiting, decoding)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            if len(waiting) == 1:
                waiting[0].turn.fail(error)
                return
            # The processor does not say which question it refused: one by one, only that question fails.
            for writer in waiting:
                self.answer([writer], decoding)
            return
        limits = [self._max_new_tokens(batch.tokens(row), decoding) for row in range(len(waiting))]
        # Near the end of the context rows have different limits. Rows without beams can stop one by one; beam search
        # has one limit for the whole batch.
        if len(set(limits)) > 1 and not decoding.streams:
            for writer in waiting:
                self.answer([writer], decoding)
            return
        self._run(waiting, batch, limits, decoding)

    def _prompt_batch(self, writers: Sequence[TurnWriter], decoding: Decoding) -> PromptBatch:
        requests = [writer.turn.request for writer in writers]
        batch = self._prompt_builder.build(requests, decoding.template_arguments())
        longest = max(batch.tokens(row) for row in range(len(writers)))
        if self._chat.context and longest >= self._chat.context:
            text = f"the question has {longest} tokens, and the model's context holds {self._chat.context}: shorten it"
            raise ContractError(Reason.TOO_LARGE, text)
        return batch

    def _max_new_tokens(self, prompt_tokens: int, decoding: Decoding) -> int:
        """Tokens that fit into the context behind a prompt; left padding is masked and takes no position in it."""
        if not self._chat.context:
            return decoding.max_new_tokens
        return min(decoding.max_new_tokens, self._chat.context - prompt_tokens)

    def _run(
        self, writers: Sequence[TurnWriter], batch: PromptBatch, limits: Sequence[int], decoding: Decoding
    ) -> None:
        rows = [
            RowDecoder(writer, self._chat.tokenizer, self._splitter(text), self._hidden)
            for writer, text in zip(writers, batch.texts, strict=True)
        ]
        start = batch.width

        def on_step(ids: torch.Tensor) -> None:
            for row, row_ids, limit in zip(rows, ids[:, start:].tolist(), limits, strict=True):
                row.update(self._before_end(row_ids[:limit]))

        def should_stop(row: int) -> bool:
            return writers[row].turn.cancelled or rows[row].length >= limits[row]

        criterion = StopRows(
            [partial(should_stop, row) for row in range(len(writers))], on_step if decoding.streams else None
        )
        self._chat.lora.switch(media_of(writers[0].turn.request))
        with torch.inference_mode(), seeded(decoding.seed):
            output = self._chat.model.generate(
                **batch.inputs,
                # `generate` takes one limit for the batch; shorter rows are stopped by the criterion.
                **{**decoding.generate_arguments(), "max_new_tokens": max(limits)},
                pad_token_id=self._chat.tokenizer.pad_token_id,
                stopping_criteria=[criterion],
            )
        for number, (writer, row) in enumerate(zip(writers, rows, strict=True)):
            if not writer.turn.cancelled:
                self._complete(
                    writer, row, output[number, start : start + limits[number]].tolist(), batch.tokens(number)
                )

    def _complete(self, writer: TurnWriter, row: RowDecoder, ids: list[int], prompt_tokens: int) -> None:
        answer = self._before_end(ids)
        row.finish(answer)
        ended = len(answer) < len(ids)
        writer.turn.complete(
            Completion(
                finish_reason=FinishReason.STOP if ended else FinishReason.LENGTH,
                input_tokens=prompt_tokens,
                # The end mark counts as a token.
                output_tokens=len(answer) + ended,
            )
        )

    def _before_end(self, ids: list[int]) -> list[int]:
        """The ids before the first end mark; what follows it in a batch is padding."""
        return next((ids[:place] for place, token in enumerate(ids) if token in self._end_ids), ids)

    def _splitter(self, prompt: str) -> ThinkingSplitter:
        opening, closing = self._options.think_open, self._options.think_close
        # Templates of models that always think write the opening mark themselves.
        inside = bool(opening) and prompt.rstrip().endswith(opening)
        return ThinkingSplitter(opening, closing, inside)


def _end_ids(chat: ChatModel) -> frozenset[int]:
    """Ids that end an answer. Chat checkpoints list several in the generation config; the tokenizer knows one."""
    found: Any = chat.model.generation_config.eos_token_id
    if found is None:
        found = chat.tokenizer.eos_token_id
    if found is None:
        return frozenset()
    return frozenset(found if isinstance(found, list | tuple) else [int(found)])
