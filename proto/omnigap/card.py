"""Checks the card of a service (its Describe response) before anything relies on it."""

from __future__ import annotations

from collections.abc import Iterator

from omnigap import convert, limits
from omnigap.errors import ContractError, quoted
from omnigap.media.audio import AudioLimits
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason

_FORMATS = AudioLimits()


def check_card(card: pb.DescribeResponse, address: str) -> list[str]:
    """Checks a card, and lowers `max_concurrent` and `max_batch_size` in place if they are over the bound.

    Returns:
        What was lowered, as messages.

    Raises:
        ContractError: MODEL_ERROR with the field that violates the contract, and its value.
    """
    # The size first: every other check takes time that grows with it.
    size = card.ByteSize()
    fault = f"{size} bytes: at most {limits.MAX_CARD_BYTES}" if size > limits.MAX_CARD_BYTES else _first_fault(card)
    if fault is not None:
        raise ContractError(Reason.MODEL_ERROR, f"{address} describes itself with {fault}")
    notes = []
    for name in ("max_concurrent", "max_batch_size"):
        value = getattr(card, name)
        if value > limits.MAX_CONCURRENT:
            setattr(card, name, limits.MAX_CONCURRENT)
            notes.append(f"{address} declares {name} {value}: {limits.MAX_CONCURRENT} is used")
    return notes


def weights_identity(card: pb.DescribeResponse) -> str:
    """What identifies a service's weights: equal for one checkpoint under several names; empty if it is unknown."""
    # `weights_revision` also contains the source of the weights. Services of other servers do not have this setting.
    return card.settings.get("service.weights_revision") or card.weights_revision


SHIPPED_MODELS = frozenset({"demo", "echo"})
"""Services with a model that ships with omnigap: its numbers say nothing about real models."""

# Settings that only the cards of these models have, also the demo's in runs of 0.1.0, where its name was `cascade`.
_SHIPPED_SETTINGS = (frozenset({"min_match"}), frozenset({"answer", "silent"}))


def is_shipped_model(card: pb.DescribeResponse) -> bool:
    """Whether this is the card of one of `SHIPPED_MODELS`, by its settings: any service can be given their names."""
    return any(card.settings.keys() >= names for names in _SHIPPED_SETTINGS)


def has_random_weights(card: pb.DescribeResponse) -> bool:
    """Whether a service, or one that it calls, answers with random weights (`omnigap-serve --tiny`)."""
    return card.random_weights or any(part.random_weights for part in card.parts)


def _first_fault(card: pb.DescribeResponse) -> str | None:
    return next(_faults(card), None)


def _faults(card: pb.DescribeResponse) -> Iterator[str]:
    for field in ("name", "digest"):
        if not getattr(card, field).strip():
            yield f"no {field}: set it"
    for field, value in (("name", card.name), ("version", card.version), ("digest", card.digest)):
        yield from _name_faults(field, value)
    yield from _name_faults("weights_revision", card.weights_revision, limits.MAX_TEXT_CHARS)
    yield from _name_faults("outdated", card.outdated, limits.MAX_OUTDATED_CHARS)
    try:
        convert.architecture_from_proto(card.architecture)
    except ValueError as error:
        yield f"architecture: {error}"
    yield from _condition_faults(card)
    for field, seconds in (
        ("limits.max_audio_seconds", card.limits.max_audio_seconds),
        ("answer_seconds", card.answer_seconds),
    ):
        # NaN fails every comparison.
        if not 0 <= seconds <= limits.MAX_SECONDS:
            yield f"{field} {seconds}: send 0 to {limits.MAX_SECONDS:g}"
    yield from _rate_faults("output_sample_rate_hz", card.output_sample_rate_hz)
    yield from _rate_faults("limits.input_sample_rate_hz", card.limits.input_sample_rate_hz)
    yield from _list_faults(card)


def _condition_faults(card: pb.DescribeResponse) -> Iterator[str]:
    seen = set()
    for number, capability in enumerate(card.conditions):
        where = f"conditions[{number}]"
        try:
            condition = convert.condition_from_proto(capability)
            convert.support_from_proto(capability.support)
        except ValueError as error:
            yield f"{where}: {error}"
            return
        if condition in seen:
            yield f"{where}: {condition} twice: list each condition once"
        seen.add(condition)
        if len(capability.reason) > limits.MAX_TEXT_CHARS:
            yield f"{where}.reason of {len(capability.reason)} characters: at most {limits.MAX_TEXT_CHARS}"


def _list_faults(card: pb.DescribeResponse) -> Iterator[str]:
    sizes = {
        "voices": len(card.voices),
        "languages": len(card.languages),
        "settings": len(card.settings),
        "parts": len(card.parts),
    }
    for field, size in sizes.items():
        if size > limits.MAX_CARD_ENTRIES:
            yield f"{size} {field}: at most {limits.MAX_CARD_ENTRIES}"
    for voice in card.voices:
        yield from _name_faults("voices.name", voice.name)
        yield from _name_faults("voices.language", voice.language, limits.MAX_LANGUAGE_CHARS)
    for language in card.languages:
        yield from _name_faults("languages", language, limits.MAX_LANGUAGE_CHARS)
    for key, value in card.settings.items():
        yield from _name_faults("the name of a setting", key)
        if len(value) > limits.MAX_TEXT_CHARS:
            yield f"settings[{quoted(key)}] of {len(value)} characters: at most {limits.MAX_TEXT_CHARS}"
    for part in card.parts:
        for field in ("role", "name", "digest"):
            yield from _name_faults(f"parts.{field}", getattr(part, field))


def _name_faults(field: str, value: str, longest: int = limits.MAX_NAME_CHARS) -> Iterator[str]:
    if len(value) > longest or not value.isprintable():
        yield f"{field} {quoted(value)} ({len(value)} characters): at most {longest} printable characters"


def _rate_faults(field: str, rate: int) -> Iterator[str]:
    if rate and not _FORMATS.min_sample_rate <= rate <= _FORMATS.max_sample_rate:
        yield f"{field} {rate}: send {_FORMATS.min_sample_rate} to {_FORMATS.max_sample_rate}, or 0 for none"
