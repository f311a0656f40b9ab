"""Options of the `qwen-omni` service, and the decoding of one request: its own fields over the options' defaults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field

from omnigap.vocabulary import Modality
from omnigap_services.adapter import Request
from omnigap_services.torch_utils.checkpoint import CheckpointOptions
from omnigap_services.torch_utils.decoding import bad_request, first_set, limit_of

SERVICE = "qwen-omni"

Profile = Literal["greedy", "upstream"]

TALKER_LIMIT = "talker_max_new_tokens"
"""The only known key of `decoding.extra`."""


class QwenOmniOptions(CheckpointOptions):
    """Options of the `qwen-omni` service; extends `CheckpointOptions`.

    Attributes:
        checkpoint: a folder, or a hub name such as `Qwen/Qwen2.5-Omni-7B`.
        revision: the full commit of a hub name; empty for a folder, which is identified by its content.
        name: in reports; empty: the last part of the checkpoint's name.
        profile: `greedy` decodes text and speech without sampling; `upstream` samples the speech as the authors do,
            seeded by the request, one request at a time.
        speech: false loads neither talker nor wave decoder, and leaves the three conditions with text output.
        speaker: used if a request names none; empty: the family's default.
        system_prompt: of every prompt; unset: the one that the family was trained with; empty: none.
        max_new_tokens: text tokens of an answer, if a request sets none.
        talker_max_new_tokens: codec frames of an answer; unset: one minute. A greedy talker may loop up to this limit.
        seed: of sampling and of the wave decoder's noise, if a request brings none.
        max_batch_size: requests in one pass of the model.
        max_batch_tokens: prompt tokens in one pass, padding included; larger batches are split by prompt length.
        wave_chunk_frames: frames (80 ms each) of one piece of Qwen3-Omni's audio, which is sent while later frames are
            generated. 300 is the library's own chunk size; smaller pieces arrive earlier, and each seam loses 23 ms.
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
    # At least one frame more than the 25 frames of left context that a piece is decoded with.
    wave_chunk_frames: int = Field(default=300, ge=26, le=4_096)
    max_queue: int = Field(default=64, ge=0)


@dataclass(frozen=True, slots=True)
class Decoding:
    """The decoding of one answer.

    Attributes:
        speech: audio is requested.
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
        """True if anything is sampled; such an answer is not batched.

        Sampling draws from one generator for all rows, so an answer would depend on the other rows of its batch.
        """
        return self.temperature > 0 or (self.speech and self.sampled_speech)

    @property
    def batch_key(self) -> Decoding:
        """Equal for answers that can share a batch; without the seed, which greedy rows use one by one only."""
        return replace(self, seed=0)


@dataclass(frozen=True, slots=True)
class Defaults:
    """The decoding of fields that a request leaves unset.

    Attributes:
        speakers: the names that a request may use.
        talker_max_new_tokens: of the options, or one minute of the family's frames.
    """

    options: QwenOmniOptions
    speakers: tuple[str, ...]
    speaker: str
    talker_max_new_tokens: int

    def decoding(self, request: Request) -> Decoding:
        """The decoding of a request.

        Raises:
            ContractError: BAD_REQUEST for what the model does not support.
        """
        requested, options = request.decoding, self.options
        if requested.beam_size not in (None, 1):
            raise bad_request(
                f"decoding.beam_size is {requested.beam_size}, but Qwen-Omni has no beam search: unset it"
            )
        if request.words_per_minute is not None:
            raise bad_request(f"voice.words_per_minute is {request.words_per_minute:g}, but Qwen-Omni's rate is fixed")
        temperature = requested.temperature or 0.0
        # Refused rather than ignored: the caller expects sampling.
        if not temperature and (requested.top_p not in (None, 1.0) or requested.top_k is not None):
            raise bad_request(
                "decoding sets top_p or top_k, which need a temperature over 0: set one, or leave them unset"
            )
        return Decoding(
            speech=request.output is Modality.SPEECH,
            max_new_tokens=first_set(requested.max_new_tokens, options.max_new_tokens),
            talker_max_new_tokens=limit_of(requested.extra, TALKER_LIMIT, "codec frames", self.talker_max_new_tokens),
            speaker=self._speaker(request.voice),
            temperature=temperature,
            top_p=requested.top_p,
            top_k=requested.top_k,
            repetition_penalty=requested.repetition_penalty,
            sampled_speech=options.profile == "upstream",
            seed=first_set(requested.seed, options.seed),
        )

    def _speaker(self, name: str | None) -> str:
        if not name:
            return self.speaker
        # Case-insensitive, unlike Qwen2.5-Omni in the library.
        for known in self.speakers:
            if known.lower() == name.lower():
                return known
        raise bad_request(f"voice {name!r} is not a speaker of this checkpoint: use {', '.join(self.speakers)}")
