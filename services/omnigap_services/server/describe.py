"""The Describe response of a card, with the digest of everything that changes answers."""

from __future__ import annotations

import inspect
from importlib import metadata
from pathlib import Path

import omnigap
from omnigap.channel import MAX_MESSAGE_BYTES
from omnigap.convert import architecture_to_proto, modality_to_proto, support_to_proto
from omnigap.digest import digest_of
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import CONDITIONS, Condition, Support
from omnigap_services.adapter import Adapter, Capability, Card, Part
from omnigap_services.registry import has_tiny
from omnigap_services.source import files_hash, package_files


def settings_of(card: Card, adapter: type[Adapter]) -> dict[str, str]:
    """Everything that the digest covers, in readable form: the card's settings, and its identity under dotted names.

    Limits are not covered: another queue length gives the same answers, and a run must not be repeated for it.

    Raises:
        PackageNotFoundError: for a library of the card that is not installed.
    """
    return {
        **card.settings,
        # Weights that are identified by their content are often named after their folder or hub name.
        "service.name": "" if card.weights_source else card.name,
        "service.version": card.version,
        "service.code": code_hash(adapter),
        "service.architecture": card.architecture or "",
        "service.contract": omnigap.__version__,
        "service.weights_revision": card.weights_revision,
        # The versions are read here, so that a card cannot state another one than is installed.
        **{f"library.{name}": metadata.version(name) for name in card.libraries},
        **{f"part.{part.role}": part.digest for part in card.parts},
    }


def code_hash(adapter: type[Adapter]) -> str:
    """SHA-256 of an adapter's source: its module, and the other modules of its package if it is in a separate one.

    The `tiny.py` of an adapter that makes tiny checkpoints is left out, see `package_files`.
    """
    try:
        module = Path(inspect.getfile(adapter))
    except (OSError, TypeError):  # A class defined at a prompt has no source file.
        return ""
    # `omnigap_services.echo` is a single module; `omnigap_services.asr.adapter` is in a separate package.
    if adapter.__module__.count(".") <= 1:
        return files_hash([module])
    modules = package_files(module.parent) if has_tiny(adapter) else module.parent.glob("*.py")
    # The adapter's own module counts under any name.
    return files_hash({*modules, module})


def capacity(card: Card) -> int:
    """Calls that the server holds at once: in the batches of its workers and in the queue."""
    return card.max_batch_size * card.workers + card.max_queue


def max_concurrent(card: Card) -> int:
    """The card's own value, or twice what its workers take: the next batch fills while one runs."""
    # Never above the capacity: a client that follows this figure must not be refused.
    return min(card.max_concurrent or 2 * card.max_batch_size * card.workers, capacity(card))


def describe(card: Card, adapter: type[Adapter]) -> pb.DescribeResponse:
    """The response of Describe."""
    settings = settings_of(card, adapter)
    return pb.DescribeResponse(
        name=card.name,
        version=card.version,
        architecture=architecture_to_proto(card.architecture),
        weights_revision=card.weights_revision + (f" ({card.weights_source})" if card.weights_source else ""),
        digest=digest_of(settings),
        conditions=[_capability(card, condition) for condition in CONDITIONS],
        limits=pb.Limits(
            max_audio_seconds=card.max_audio_seconds,
            max_image_pixels=card.max_image_pixels,
            max_text_chars=card.max_text_chars,
            max_request_bytes=MAX_MESSAGE_BYTES,
            input_sample_rate_hz=card.input_sample_rate_hz,
        ),
        max_concurrent=max_concurrent(card),
        max_batch_size=card.max_batch_size,
        voices=[pb.Voice(name=voice.name, language=voice.language) for voice in card.voices],
        languages=card.languages,
        settings=settings,
        parts=[_part(part) for part in card.parts],
        output_sample_rate_hz=card.output_sample_rate_hz,
        answer_seconds=card.answer_seconds,
        # What a part with random weights recognises, writes or speaks means nothing, so neither does the whole.
        random_weights=card.random_weights or any(part.random_weights for part in card.parts),
    )


def _part(part: Part) -> pb.ServicePart:
    return pb.ServicePart(role=part.role, name=part.name, digest=part.digest, random_weights=part.random_weights)


def _capability(card: Card, condition: Condition) -> pb.Capability:
    found = card.conditions.get(condition, Capability(Support.UNSUPPORTED, f"{card.name} does not support it"))
    return pb.Capability(
        input=modality_to_proto(condition.input),
        output=modality_to_proto(condition.output),
        support=support_to_proto(found.support),
        reason=found.reason,
    )
