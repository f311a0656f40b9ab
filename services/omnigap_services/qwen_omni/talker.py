"""The speech half of both families: prompts from the thinker's hidden states, codes from prompts, audio from codes."""

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

Frame = tuple[int, ...]
"""One step of the codec: one id for each codebook."""

OnTokens = Callable[[Sequence[int], Sequence[Frame] | None], Sequence[bool]]
"""Called after every step with the new first-codebook token of each row, and the frames that the step completed (None
if none); returns which rows have to stop."""


@dataclass(frozen=True, slots=True)
class HiddenStates:
    """What the talker reads of one answer; tensors are on the talker's device, ids on the CPU.

    A token's hidden state exists once the token was read to generate the next one. A text that ended at its maximum
    length therefore lacks the state of its last token, which the library does not speak either.

    Attributes:
        ids: int64, shape (text,): the text's tokens that have states, without the end mark.
        prompt_embeds, prompt_hidden: shape (tokens, hidden size): the thinker's input embeddings, media included, and
            its hidden states in the layer that the talker reads.
        text_embeds, text_hidden: the same for the text, shape (text, hidden size).
    """

    prompt: Prompt
    ids: torch.Tensor
    prompt_embeds: torch.Tensor
    prompt_hidden: torch.Tensor
    text_embeds: torch.Tensor
    text_hidden: torch.Tensor


@dataclass(frozen=True, slots=True)
class TalkerPrompt:
    """The talker's input for one answer, on its device; made from this answer only.

    Attributes:
        prompt: for the media's positions.
        ids: int64, shape (tokens,): text ids of `embeds`, from which position ids are computed.
        embeds: shape (tokens, size): the first input.
        trailing: shape (steps, size): text that is added to the input of each later step; ends with the end marker.
        padding: shape (1, size): added to every step after those.
    """

    prompt: Prompt
    ids: torch.Tensor
    embeds: torch.Tensor
    trailing: torch.Tensor
    padding: torch.Tensor


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the authors sample speech: the defaults of the library's `generate`."""

    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float


class Talker(ABC):
    """The speech half of a loaded model.

    Attributes:
        frame_lags_token: a token's whole frame is known one step after the token, otherwise together with it.
    """

    frame_lags_token: bool

    def __init__(self, model: Any) -> None:
        self.model = model
        self.sampling = _default_sampling(model)

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
        """Index of the thinker's hidden states that the talker reads."""

    @abstractmethod
    def prompt(self, states: HiddenStates, speaker: str) -> TalkerPrompt:
        """The talker's input for one answer."""

    @abstractmethod
    def generate(self, prompts: Sequence[TalkerPrompt], decoding: Decoding, on_tokens: OnTokens) -> None:
        """Generates the codes of a batch; they are passed to `on_tokens` step by step."""

    @abstractmethod
    def chunk_ends(self, frames: int, ended: bool, chunk: int) -> list[int]:
        """Frame numbers at which pieces of audio end that can be decoded from the first `frames` frames."""

    @abstractmethod
    def wave(self, frames: Sequence[Frame], start: int, end: int, decoding: Decoding) -> Samples:
        """Mono samples, shape (n,), of frames `start` to `end`; earlier frames in `frames` are its context."""

    def decoding_arguments(self, decoding: Decoding) -> dict[str, Any]:
        """Keyword arguments of `generate` for length, sampling and the repetition penalty."""
        arguments: dict[str, Any] = {
            "max_new_tokens": decoding.talker_max_new_tokens,
            "do_sample": decoding.sampled_speech,
            # The authors' penalty against loops, in both profiles. It is passed as a processor, because the library's
            # argument exempts as many tokens as the row was padded by, and with embeddings as the prompt these are
            # tokens of the answer.
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
    """Rows of shape (n, ...) as one batch with zeros on the left; the longest row gets `at_least` zeros as well."""
    longest = max(len(row) for row in rows) + at_least
    padded = rows[0].new_zeros((len(rows), longest, *rows[0].shape[1:]))
    for number, row in enumerate(rows):
        padded[number, longest - len(row) :] = row
    return padded


def mask_of(rows: Sequence[torch.Tensor], at_least: int = 0) -> torch.Tensor:
    """Attention mask of `left_padded`: int64, shape (rows, longest)."""
    return left_padded([torch.ones(len(row), dtype=torch.long, device=row.device) for row in rows], at_least)


def trailing_padded(prompts: Sequence[TalkerPrompt]) -> torch.Tensor:
    """The prompts' `trailing` as one batch; shorter rows continue with their own padding, as in a batch of one."""
    longest = max(len(prompt.trailing) for prompt in prompts)
    return torch.stack([torch.cat([p.trailing, p.padding.expand(longest - len(p.trailing), -1)]) for p in prompts])


def _default_sampling(model: Any) -> Sampling:
    """Read from the installed library's signature, so that the authors' numbers are not copied here."""
    known = signature(type(model).generate).parameters

    def default(name: str) -> Any:
        parameter = known.get(f"talker_{name}")
        if parameter is None or parameter.default is Parameter.empty:
            raise RuntimeError(
                f"{type(model).__name__}.generate has no default for talker_{name}: is this an untested transformers?"
            )
        return parameter.default

    return Sampling(default("temperature"), default("top_k"), default("top_p"), default("repetition_penalty"))
