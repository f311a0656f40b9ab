"""The decoding of one request to a model that writes text: the request's own fields over the options' defaults."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.adapter import DecodingOptions
from omnigap_services.torch_utils.checkpoint import CheckpointOptions

DECODING_OPTIONS = ("max_new_tokens", "temperature", "top_p", "top_k", "repetition_penalty", "beam_size")


class GenerationOptions(CheckpointOptions):
    """Base of the options of services whose model writes text; extends `CheckpointOptions`.

    Attributes:
        max_new_tokens, temperature, top_p, top_k, repetition_penalty, beam_size: decoding defaults. Temperature 0 is
            greedy; the sampling settings of the checkpoint's generation config are not used.
    """

    max_new_tokens: int = Field(default=256, ge=1, le=131_072)
    temperature: float = Field(default=0.0, ge=0, le=100)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    repetition_penalty: float = Field(default=1.0, gt=0, le=100)
    beam_size: int = Field(default=1, ge=1, le=64)


@dataclass(frozen=True, slots=True)
class Decoding:
    """The decoding of one request. Requests with equal values can share a batch.

    Attributes:
        seed: None for greedy and beam search, so that requests with different seeds can share a batch.
    """

    max_new_tokens: int
    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float
    beam_size: int
    seed: int | None

    @property
    def samples(self) -> bool:
        """True if tokens are sampled; such a request is not batched, so that its tokens depend only on its seed."""
        return self.temperature > 0

    @property
    def streams(self) -> bool:
        """True if every token is final when it appears; with beam search a beam may still be dropped."""
        return self.beam_size == 1

    def generate_arguments(self) -> dict[str, Any]:
        """Keyword arguments of `generate`."""
        found: dict[str, Any] = {
            "max_new_tokens": self.max_new_tokens,
            "do_sample": self.samples,
            "num_beams": self.beam_size,
            "repetition_penalty": self.repetition_penalty,
        }
        # transformers warns about sampling parameters in a greedy call.
        if self.samples:
            found.update(temperature=self.temperature, top_p=self.top_p, top_k=self.top_k)
        return found


def decoding_of(requested: DecodingOptions, options: GenerationOptions, known_extra: Collection[str] = ()) -> Decoding:
    """The decoding of one request.

    Args:
        known_extra: keys of `requested.extra` that the service reads itself.

    Raises:
        ContractError: BAD_REQUEST for an unknown extra field, and for sampling together with beam search.
    """
    if unknown := sorted(set(requested.extra) - set(known_extra)):
        known = f"the only known key is {', '.join(known_extra)}" if known_extra else "this service has no such keys"
        raise bad_request(f"decoding.extra sets {', '.join(unknown)}, but {known}")
    values = {name: first_set(getattr(requested, name), getattr(options, name)) for name in DECODING_OPTIONS}
    temperature, beams, penalty = values["temperature"], values["beam_size"], values["repetition_penalty"]
    if temperature > 0 and beams > 1:
        raise bad_request(f"decoding asks for temperature {temperature:g} and beam_size {beams}: set one of them")
    if penalty <= 0:
        raise bad_request(f"decoding.repetition_penalty is {penalty:g}: it must be over 0, and 1 is none")
    return Decoding(**values, seed=(requested.seed or 0) if temperature > 0 else None)


def first_set(requested: Any, configured: Any) -> Any:
    """The value of a request's field, or the option's if the request leaves it unset."""
    return configured if requested is None else requested


def limit_of(extra: Mapping[str, str], key: str, unit: str, default: int) -> int:
    """The limit that a request sets in `decoding.extra` under the only key that its service reads.

    Args:
        unit: what the limit counts, for the message.
        default: used if the request does not set it.

    Raises:
        ContractError: BAD_REQUEST for another key, and for a value that is no whole number of at least 1.
    """
    if unknown := sorted(set(extra) - {key}):
        raise bad_request(f"decoding.extra sets {', '.join(unknown)}, but the only known key is {key}")
    value = extra.get(key)
    if value is None:
        return default
    # Nine digits at most: Python refuses to read thousands of them.
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) < 1:
        raise bad_request(f"decoding.extra.{key} is {value!r}: use a whole number of {unit}, at least 1")
    return int(value)


def bad_request(text: str) -> ContractError:
    """The error about a field of a request."""
    return ContractError(Reason.BAD_REQUEST, text)
