"""How a request is decoded: its own fields on top of the options' defaults, as transformers' generate takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.adapter import DecodingOptions
from omnigap_services.hf.chat.options import ChatOptions

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Decoding:
    """Everything that `generate` is told. Requests with the same one can go through the model together.

    Attributes:
        seed: None where nothing is drawn.
        thinking: asked of the template; None leaves it to the template.
    """

    max_new_tokens: int
    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float
    beam_size: int
    seed: int | None
    thinking: bool | None

    @property
    def samples(self) -> bool:
        """Whether tokens are drawn: then a request goes alone, so that its seed is its own."""
        return self.temperature > 0

    @property
    def streams(self) -> bool:
        """Whether every token is final once it is there; a beam may be given up."""
        return self.beam_size == 1

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `generate`."""
        found: dict[str, Any] = {
            "max_new_tokens": self.max_new_tokens,
            "do_sample": self.samples,
            "num_beams": self.beam_size,
            "repetition_penalty": self.repetition_penalty,
        }
        if self.samples:
            found.update(temperature=self.temperature, top_p=self.top_p, top_k=self.top_k)
        return found

    def template_arguments(self) -> Mapping[str, Any]:
        """Variables of the chat template."""
        return {} if self.thinking is None else {"enable_thinking": self.thinking}


def decoding_of(asked: DecodingOptions, options: ChatOptions) -> Decoding:
    """The decoding of one request.

    Raises:
        ContractError: BAD_REQUEST for an extra field that this service does not know, and for sampled beams.
    """
    temperature = _first(asked.temperature, options.temperature)
    beams = _first(asked.beam_size, options.beam_size)
    if temperature > 0 and beams > 1:
        raise _bad(f"decoding asks for temperature {temperature:g} and beam_size {beams}: set one of them")
    return Decoding(
        max_new_tokens=_first(asked.max_new_tokens, options.max_new_tokens),
        temperature=temperature,
        top_p=_first(asked.top_p, options.top_p),
        top_k=_first(asked.top_k, options.top_k),
        repetition_penalty=_positive(_first(asked.repetition_penalty, options.repetition_penalty)),
        beam_size=beams,
        seed=(asked.seed or 0) if temperature > 0 else None,
        thinking=_thinking(asked.extra),
    )


def _thinking(extra: Mapping[str, str]) -> bool | None:
    if unknown := sorted(set(extra) - {"thinking"}):
        raise _bad(f"decoding.extra sets {', '.join(unknown)}: this service knows thinking (true or false) alone")
    if "thinking" not in extra:
        return None
    value = extra["thinking"].strip().lower()
    if value not in _BOOLEANS:
        raise _bad(f"decoding.extra sets thinking to {extra['thinking']!r}: true or false")
    return _BOOLEANS[value]


def _first(asked: Any, configured: Any) -> Any:
    return configured if asked is None else asked


def _positive(penalty: float) -> float:
    if penalty <= 0:
        raise _bad(f"decoding.repetition_penalty is {penalty:g}: over 0, and 1 for none")
    return penalty


def _bad(text: str) -> ContractError:
    return ContractError(Reason.BAD_REQUEST, text)
