"""What a user may set about the `qwen-omni` service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field

from omnigap.errors import ContractError
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import Request
from omnigap_services.torch_utils.checkpoint import CheckpointOptions

SERVICE = "qwen-omni"

Profile = Literal["greedy", "upstream"]


class QwenOmniOptions(CheckpointOptions):
    """Options of the `qwen-omni` service, beside those of `CheckpointOptions`.

    Attributes:
        checkpoint: a folder, or a hub name such as `Qwen/Qwen2.5-Omni-7B`.
        revision: the commit of a hub name, 40 hex digits; a folder takes none, it is known by its content.
        name: in reports; empty: the checkpoint's last part.
        profile: `greedy` decodes text and speech without sampling; `upstream` samples the speech as the authors do,
            seeded by the request, one request at a time.
        speech: false loads neither talker nor wave decoder, and leaves the three conditions with written answers.
        speaker: the voice where a request names none; empty: the family's default.
        system_prompt: of every prompt; unset: the one that the family was trained with; empty: none.
        max_new_tokens: of an answer's text, where a request sets none.
        talker_max_new_tokens: codec frames of an answer's speech; unset: a minute. A greedy talker may loop up to it.
        seed: of sampling and of the wave decoder's noise, where a request brings none.
        max_batch_size: requests that go through the model at once.
        max_batch_tokens: prompt tokens, padding included, that go through it at once; more are cut into batches of
            prompts of similar length.
        wave_chunk_frames: Qwen3-Omni's speech goes out in pieces of so many frames of 80 ms, while later ones are
            still being generated. 300 is the library's own; less is heard earlier, and each seam costs 23 ms of sound.
        max_queue: requests that may wait.
    """

    checkpoint: str = Field(min_length=1)
    revision: str = ""
    name: str = ""
    profile: Profile = "greedy"
    speech: bool = True
    speaker: str = ""
    system_prompt: str | None = None
    max_new_tokens: int = Field(default=512, ge=1, le=32_768)
    talker_max_new_tokens: int | None = Field(default=None, ge=1, le=16_384)
    seed: int = Field(default=0, ge=0)
    max_batch_size: int = Field(default=8, ge=1, le=256)
    max_batch_tokens: int = Field(default=16_384, ge=1)
    wave_chunk_frames: int = Field(default=300, ge=26, le=4_096)
    max_queue: int = Field(default=64, ge=0)


# How one request is decoded: the options' defaults, and what the request itself asks for.

TALKER_LIMIT = "talker_max_new_tokens"
"""The one key of `decoding.extra` that is known."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """Settings of one answer.

    Attributes:
        speech: whether audio is asked for.
        max_new_tokens, talker_max_new_tokens: text tokens, codec frames.
        temperature: of the thinker; 0 is greedy.
        sampled_speech: the talker samples.
        seed: of all sampling, and of the wave decoder's noise.
        fixed_length: neither thinker nor talker may end before its maximum; for benchmarks.
    """

    speech: bool
    max_new_tokens: int
    talker_max_new_tokens: int
    speaker: str = ""
    temperature: float = 0.0
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    sampled_speech: bool = False
    seed: int = 0
    fixed_length: bool = False

    @property
    def samples(self) -> bool:
        """Sampling draws from one generator: such an answer is made alone, or it would depend on its neighbours."""
        return self.temperature > 0 or (self.speech and self.sampled_speech)

    @property
    def company(self) -> Decoding:
        """Answers with equal values may share a batch; the seed then serves only what is done for each alone."""
        return replace(self, seed=0)


@dataclass(frozen=True, slots=True)
class Defaults:
    """What requests that leave a field out get.

    Attributes:
        speakers: the names that may be asked for.
        talker_max_new_tokens: of the options, or the family's minute.
    """

    options: QwenOmniOptions
    speakers: tuple[str, ...]
    speaker: str
    talker_max_new_tokens: int

    def decoding(self, request: Request) -> Decoding:
        """How to decode a request.

        Raises:
            ContractError: BAD_REQUEST for what the model cannot do.
        """
        asked, options = request.decoding, self.options
        if asked.beam_size not in (None, 1):
            raise _bad(f"decoding.beam_size is {asked.beam_size}: Qwen-Omni is decoded without beams, leave it unset")
        if request.words_per_minute is not None:
            raise _bad(f"voice.words_per_minute is {request.words_per_minute:g}: Qwen-Omni's pace cannot be set")
        temperature = asked.temperature or 0.0
        if not temperature and (asked.top_p not in (None, 1.0) or asked.top_k is not None):
            raise _bad("decoding sets top_p or top_k without a temperature over 0: greedy decoding does not use them")
        return Decoding(
            speech=request.output is Modality.SPEECH,
            max_new_tokens=options.max_new_tokens if asked.max_new_tokens is None else asked.max_new_tokens,
            talker_max_new_tokens=_frames(asked.extra, self.talker_max_new_tokens),
            speaker=self._speaker(request.voice),
            temperature=temperature,
            top_p=asked.top_p,
            top_k=asked.top_k,
            repetition_penalty=asked.repetition_penalty,
            sampled_speech=options.profile == "upstream",
            seed=options.seed if asked.seed is None else asked.seed,
        )

    def _speaker(self, name: str | None) -> str:
        if not name:
            return self.speaker
        for known in self.speakers:
            if known.lower() == name.lower():
                return known
        raise _bad(f"voice {name!r} is not one of the checkpoint's: {', '.join(self.speakers)}")


def _frames(extra: Mapping[str, str], default: int) -> int:
    if unknown := set(extra) - {TALKER_LIMIT}:
        raise _bad(f"decoding.extra sets {', '.join(sorted(unknown))}: qwen-omni knows {TALKER_LIMIT} alone")
    asked = extra.get(TALKER_LIMIT)
    if asked is None:
        return default
    if not asked.isdecimal() or int(asked) < 1:
        raise _bad(f"decoding.extra.{TALKER_LIMIT} is {asked!r}: a whole number of codec frames, 1 or more")
    return int(asked)


def _bad(text: str) -> ContractError:
    return ContractError(Reason.BAD_REQUEST, text)
