"""What the thinker leaves of one answer for the talker: ids, and hidden states of prompt and text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any

import torch
from transformers import LogitsProcessorList, RepetitionPenaltyLogitsProcessor

from omnigap.media.audio import Samples
from omnigap_services.qwen_omni.options import Decoding
from omnigap_services.qwen_omni.prompting import Prompt


@dataclass(frozen=True, slots=True)
class HiddenStates:
    """One answer's text, as the talker takes it; tensors are on the talker's device, ids on the CPU.

    A token's hidden state is known once the token was read again, so that of a text that ended at its maximum the last
    token has none: the library does not voice it either.

    Attributes:
        ids: int64, shape (text,): the text's tokens that have states, its end not included.
        prompt_embeds, prompt_hidden: shape (tokens, hidden size): the thinker's input embeddings, media in their place,
            and the states that the talker listens to.
        text_embeds, text_hidden: the same of the text, shape (text, hidden size).
    """

    prompt: Prompt
    ids: torch.Tensor
    prompt_embeds: torch.Tensor
    prompt_hidden: torch.Tensor
    text_embeds: torch.Tensor
    text_hidden: torch.Tensor


# What both families' speech halves have in common: prompts from thoughts, codes from prompts, waves from codes.

Frame = tuple[int, ...]
"""One step of the codec: one id a codebook."""

OnTokens = Callable[[Sequence[int], Sequence[Frame] | None], Sequence[bool]]
"""Takes the new first-codebook token of every row, and the frames that this step completed, if it did; says which
rows are to stop."""


@dataclass(frozen=True, slots=True)
class TalkerPrompt:
    """What the talker needs of one answer, on its device; all of it made from this answer alone.

    Attributes:
        prompt: for the media's positions.
        ids: int64, shape (tokens,): text ids beneath `embeds`, from which positions are reckoned.
        embeds: shape (tokens, size): what the talker reads first.
        rest: shape (steps, size): what is added to each later step's input, the text's end marker last.
        padding: shape (1, size): what follows after that, for good.
    """

    prompt: Prompt
    ids: torch.Tensor
    embeds: torch.Tensor
    rest: torch.Tensor
    padding: torch.Tensor


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the authors sample speech: the defaults of the library's own `generate`."""

    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float


class Talker(ABC):
    """The speech half of a loaded model.

    Attributes:
        frames_follow: a token's whole frame is known one step after the token, else with it.
    """

    frames_follow: bool

    def __init__(self, model: Any) -> None:
        self.model = model
        self.sampling = _sampling(model)

    @property
    def device(self) -> Any:
        return self.model.talker.device

    @property
    @abstractmethod
    def speakers(self) -> tuple[str, ...]:
        """Names of the voices."""

    @property
    @abstractmethod
    def ends(self) -> frozenset[int]:
        """Ids of the first codebook that end an answer."""

    @property
    @abstractmethod
    def hidden_layer(self) -> int:
        """Which of the thinker's hidden states the talker listens to."""

    @abstractmethod
    def prompt(self, thought: HiddenStates, speaker: str) -> TalkerPrompt:
        """What the talker is to say, and how it begins."""

    @abstractmethod
    def generate(self, prompts: Sequence[TalkerPrompt], decoding: Decoding, on_tokens: OnTokens) -> None:
        """Generates codes of all prompts together; they come through `on_tokens`, token by token."""

    @abstractmethod
    def chunk_ends(self, frames: int, ended: bool, chunk: int) -> list[int]:
        """Up to which frame, one after another, the wave can be made now that `frames` are there."""

    @abstractmethod
    def wave(self, frames: Sequence[Frame], start: int, end: int, decoding: Decoding) -> Samples:
        """The samples of frames start..end; what it takes of earlier ones as context is in `frames` as well."""

    def decoding_arguments(self, decoding: Decoding) -> dict[str, Any]:
        """Keyword arguments of `generate`: sampling where asked for, and its length."""
        arguments: dict[str, Any] = {
            "max_new_tokens": decoding.talker_max_new_tokens,
            "do_sample": decoding.sampled_speech,
            # The authors' penalty against loops, in both profiles. As a processor of our own: the library's argument
            # exempts as many tokens as the row was padded by, and where the prompt is embeddings these are answers.
            "logits_processor": LogitsProcessorList(
                [RepetitionPenaltyLogitsProcessor(self.sampling.repetition_penalty)]
            ),
        }
        if decoding.sampled_speech:
            arguments["temperature"] = self.sampling.temperature
            arguments["top_k"] = self.sampling.top_k
            arguments["top_p"] = self.sampling.top_p
        if decoding.fixed_length:
            arguments["min_new_tokens"] = decoding.talker_max_new_tokens
        return arguments


def left_padded(rows: Sequence[torch.Tensor], at_least: int = 0) -> torch.Tensor:
    """Rows of shape (n, ...) as one batch: zeros in front up to the longest, `at_least` so many even there."""
    longest = max(len(row) for row in rows) + at_least
    padded = rows[0].new_zeros((len(rows), longest, *rows[0].shape[1:]))
    for number, row in enumerate(rows):
        padded[number, longest - len(row) :] = row
    return padded


def mask_of(rows: Sequence[torch.Tensor], at_least: int = 0) -> torch.Tensor:
    """Attention mask of `left_padded`: int64, shape (rows, longest)."""
    return left_padded([torch.ones(len(row), dtype=torch.long, device=row.device) for row in rows], at_least)


def trailing_padded(prompts: Sequence[TalkerPrompt]) -> torch.Tensor:
    """The prompts' `rest` as one batch: each row goes on with its padding, as it would alone."""
    longest = max(len(prompt.rest) for prompt in prompts)
    return torch.stack([torch.cat([p.rest, p.padding.expand(longest - len(p.rest), -1)]) for p in prompts])


def _sampling(model: Any) -> Sampling:
    known = signature(type(model).generate).parameters

    def default(name: str) -> Any:
        parameter = known.get(f"talker_{name}")
        if parameter is None or parameter.default is Parameter.empty:
            raise RuntimeError(
                f"{type(model).__name__}.generate has no default for talker_{name}: another transformers?"
            )
        return parameter.default

    return Sampling(default("temperature"), default("top_k"), default("top_p"), default("repetition_penalty"))
