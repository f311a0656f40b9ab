"""What a request brings, by the role that a tensor may have for it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from PIL import Image

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import DecodingOptions, Request
from omnigap_services.triton_server.options import Scalar, TritonOptions
from omnigap_services.triton_server.roles import DECODING

Value = Scalar | AudioClip | Image.Image

# What a model may do without being told.
_NEED_NO_TENSOR = ("sample_rate", "audio_length", "output")


def values_of(request: Request, options: TritonOptions) -> dict[str, Value]:
    """The request's values by input role; what it leaves unset is left out.

    Raises:
        ContractError: BAD_REQUEST where the request brings something that no tensor takes.
    """
    mapped = dict(options.inputs.named())
    found = {**_parts(request, options, mapped), **_manner(request), **_decoding(request.decoding)}
    if "decoding" in mapped:
        found["decoding"] = _as_json(request.decoding, options)
    elif request.decoding.extra:
        named = ", ".join(request.decoding.extra)
        raise _bad(f"decoding.extra sets {named}, and the model has no tensor for it: map inputs.decoding")
    taken = {*mapped, *_NEED_NO_TENSOR, *options.ignore, *(DECODING if "decoding" in mapped else ())}
    for role in found:
        if role not in taken:
            raise _bad(
                f"the request brings {role}, and {options.title} has no tensor for it: leave it out, map inputs.{role},"
                f" or name it in the option ignore"
            )
    return found


def _parts(request: Request, options: TritonOptions, mapped: Mapping[str, str]) -> dict[str, Value]:
    """The carrier, and what is typed beside it, which joins a typed question where it has no tensor of its own."""
    carrier, *others = request.parts
    typed = [part for part in others if isinstance(part, str)]
    if len(typed) < len(others):
        raise _bad(f"{len(request.parts)} parts, and more than one is no text: send the carrier, then the instruction")
    found: dict[str, Value] = {}
    if isinstance(carrier, AudioClip):
        found = {"audio": carrier, "sample_rate": carrier.sample_rate, "audio_length": len(carrier.samples)}
    elif isinstance(carrier, Image.Image):
        found = {"image": carrier}
    elif "instruction" in mapped or not typed:
        found = {"text": carrier}
    else:
        return {"text": options.text_separator.join([carrier, *typed])}
    if typed:
        role = "text" if "text" in mapped and "instruction" not in mapped else "instruction"
        found[role] = options.text_separator.join(typed)
    return found


def _manner(request: Request) -> dict[str, Value]:
    found: dict[str, Value] = {"output": request.output.value}
    if request.system_prompt:
        found["system_prompt"] = request.system_prompt
    if request.language:
        found["language"] = request.language
    if request.voice and request.output is Modality.SPEECH:
        found["voice"] = request.voice
    if request.words_per_minute is not None and request.output is Modality.SPEECH:
        found["words_per_minute"] = request.words_per_minute
    return found


def _decoding(asked: DecodingOptions) -> dict[str, Value]:
    values = {
        "max_tokens": asked.max_new_tokens,
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "top_k": asked.top_k,
        "repetition_penalty": asked.repetition_penalty,
        "seed": asked.seed,
        "beam_size": asked.beam_size,
    }
    return {role: value for role, value in values.items() if value is not None}


def _as_json(asked: DecodingOptions, options: TritonOptions) -> str:
    """One object: what the options set, what the request sets, and its extra, whose JSON is sent as what it means."""
    fields: dict[str, object] = {role: options.defaults[role] for role in DECODING if role in options.defaults}
    fields.update(_decoding(asked))
    for name, value in asked.extra.items():
        try:
            fields[name] = json.loads(value)
        except json.JSONDecodeError:
            fields[name] = value
    return json.dumps(fields, ensure_ascii=False)


def _bad(text: str) -> ContractError:
    return ContractError(Reason.BAD_REQUEST, text)
