"""Runs batches of a model that writes text through transformers' `generate`, and streams every row to its turn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import torch

from omnigap.errors import ContractError
from omnigap.vocabulary import FinishReason, Reason
from omnigap_services.adapter import Completion, Request, Turn
from omnigap_services.failures import is_out_of_memory
from omnigap_services.torch_utils.decoding import Decoding
from omnigap_services.torch_utils.generation import StopRows, seeded, split_on_oom
from omnigap_services.torch_utils.streaming import RowDecoder, TextSplitter, TurnWriter


class PromptInputs(Protocol):
    """The prompts of a batch."""

    @property
    def inputs(self) -> Any:
        """Keyword arguments of `generate`."""

    @property
    def width(self) -> int:
        """Ids of the prompt in the rows that `generate` returns; 0 for prompts given as embeddings."""

    def tokens(self, row: int) -> int:
        """Positions of one prompt, without padding."""


PromptT = TypeVar("PromptT", bound=PromptInputs)
DecodingT = TypeVar("DecodingT", bound=Decoding)


class TextGeneration(ABC, Generic[PromptT, DecodingT]):
    """Answers batches with one loaded model.

    Args:
        tokenizer: see `RowDecoder`.
        context: tokens of prompt and answer together; 0: unknown.
        end_ids: ids that end an answer.
        pad_id: id behind the end of a row; it is never read.
        hidden_ids: ids that are not part of any text.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        context: int,
        end_ids: Collection[int],
        pad_id: int,
        hidden_ids: Collection[int],
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._context = context
        self._end_ids = end_ids
        self._pad_id = pad_id
        self._hidden_ids = hidden_ids

    @abstractmethod
    def _build(self, requests: Sequence[Request], decoding: DecodingT) -> PromptT:
        """The prompts; an error is taken as that of a request, and fails the one that causes it only."""

    @abstractmethod
    def _splitter(self, prompts: PromptT, row: int) -> TextSplitter:
        """What the decoded text of a row passes through."""

    def _before(self, request: Request) -> None:
        """Called before each pass with its first request."""

    def answer(self, writers: Sequence[TurnWriter], decoding: DecodingT) -> None:
        """Answers every turn that is open and not cancelled; a question that cannot be processed fails on its own."""
        # A batch that ran out of memory comes again, in halves; some of its rows may have been complete.
        waiting = [writer for writer in writers if not (writer.complete or writer.turn.cancelled)]
        if not waiting:
            return
        try:
            prompts = self._prompts(waiting, decoding)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            if len(waiting) == 1:
                waiting[0].turn.fail(error)
                return
            # A processor does not say which question it refused: one by one, only that question fails.
            for writer in waiting:
                self.answer([writer], decoding)
            return
        limits = [self._max_new_tokens(prompts.tokens(row), decoding) for row in range(len(waiting))]
        # Near the end of the context rows have different limits. Rows without beams can stop one by one; beam search
        # has one limit for the whole batch.
        if len(set(limits)) > 1 and not decoding.streams:
            for writer in waiting:
                self.answer([writer], decoding)
            return
        self._run(waiting, prompts, limits, decoding)

    def _prompts(self, writers: Sequence[TurnWriter], decoding: DecodingT) -> PromptT:
        prompts = self._build([writer.turn.request for writer in writers], decoding)
        longest = max(prompts.tokens(row) for row in range(len(writers)))
        if self._context and longest >= self._context:
            text = f"the question has {longest} tokens, and the model's context holds {self._context}: shorten it"
            raise ContractError(Reason.TOO_LARGE, text)
        return prompts

    def _max_new_tokens(self, prompt_tokens: int, decoding: DecodingT) -> int:
        """Tokens that fit into the context behind a prompt; left padding is masked and takes no position in it."""
        if not self._context:
            return decoding.max_new_tokens
        return min(decoding.max_new_tokens, self._context - prompt_tokens)

    def _run(self, writers: Sequence[TurnWriter], prompts: PromptT, limits: Sequence[int], decoding: DecodingT) -> None:
        rows = [
            RowDecoder(writer, self._tokenizer, self._splitter(prompts, number), self._hidden_ids)
            for number, writer in enumerate(writers)
        ]
        start = prompts.width

        def on_step(ids: torch.Tensor) -> None:
            for number, row_ids in enumerate(ids[:, start:].tolist()):
                answer = self._before_end(row_ids[: limits[number]])
                if len(answer) == len(row_ids) < limits[number]:
                    rows[number].update(answer)
                    if not rows[number].ended:
                        continue
                # A short answer does not wait for the longest one of its batch.
                complete(number, row_ids)

        def complete(number: int, ids: list[int]) -> None:
            writer = writers[number]
            if not (writer.complete or writer.turn.cancelled):
                self._complete(writer, rows[number], ids[: limits[number]], prompts.tokens(number))

        def should_stop(row: int) -> bool:
            return writers[row].turn.cancelled or writers[row].complete

        criterion = StopRows(
            [partial(should_stop, row) for row in range(len(writers))], on_step if decoding.streams else None
        )
        self._before(writers[0].turn.request)
        with torch.inference_mode(), seeded(decoding.seed):
            output = self._model.generate(
                **prompts.inputs,
                # `generate` takes one limit for the batch; shorter rows are stopped by the criterion.
                **{**decoding.generate_arguments(), "max_new_tokens": max(limits)},
                pad_token_id=self._pad_id,
                stopping_criteria=[criterion],
            )
        for number, ids in enumerate(output[:, start:].tolist()):
            complete(number, ids)

    def _complete(self, writer: TurnWriter, row: RowDecoder, ids: list[int], prompt_tokens: int) -> None:
        answer = self._before_end(ids)
        row.finish(answer)
        writer.complete = True
        ended = len(answer) < len(ids)
        writer.turn.complete(
            Completion(
                finish_reason=FinishReason.STOP if ended or row.ended else FinishReason.LENGTH,
                input_tokens=prompt_tokens,
                # The end mark counts as a token.
                output_tokens=len(answer) + ended,
            )
        )

    def _before_end(self, ids: list[int]) -> list[int]:
        """The ids before the first end mark; what follows it in a batch is padding."""
        return next((ids[:place] for place, token in enumerate(ids) if token in self._end_ids), ids)


def answer_turns(
    generation: TextGeneration[Any, DecodingT],
    batch: Iterable[Turn],
    decoding_of: Callable[[Request], DecodingT],
    group_of: Callable[[Request], Hashable],
) -> None:
    """Answers turns in as few passes as possible, one after another; what runs out of memory is split.

    Args:
        decoding_of: raises ContractError for a request that cannot be decoded, which fails alone.
        group_of: turns share a pass if this and their decoding are equal; None: it gets a pass of its own, and so does
            a turn with sampling.
    """
    for decoding, writers in _passes(batch, decoding_of, group_of):
        work = partial(generation.answer, decoding=decoding)
        try:
            split_on_oom(writers, work, lambda writer, error: writer.turn.fail(error))
        except Exception as error:  # fails this pass only: the other passes have not run yet
            for writer in writers:
                writer.turn.fail(error)


def _passes(
    batch: Iterable[Turn], decoding_of: Callable[[Request], DecodingT], group_of: Callable[[Request], Hashable]
) -> list[tuple[DecodingT, list[TurnWriter]]]:
    shared: dict[tuple[DecodingT, Hashable], list[TurnWriter]] = defaultdict(list)
    single: list[tuple[DecodingT, list[TurnWriter]]] = []
    for turn in batch:
        try:
            decoding = decoding_of(turn.request)
        except ContractError as error:
            turn.fail(error)
            continue
        group = group_of(turn.request)
        if decoding.samples or group is None:
            single.append((decoding, [TurnWriter(turn)]))
        else:
            shared[decoding, group].append(TurnWriter(turn))
    return [*((decoding, writers) for (decoding, _), writers in shared.items()), *single]
