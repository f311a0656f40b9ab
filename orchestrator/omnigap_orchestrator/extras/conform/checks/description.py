"""Describe, health and reflection: what a service says of itself before it is asked anything."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator

import grpc
from grpc_reflection.v1alpha import reflection_pb2 as reflected

from omnigap.convert import condition_from_proto, support_from_proto
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, Modality, Reason
from omnigap_orchestrator.extras.conform.check import (
    NONE_ANSWERED,
    Finding,
    check,
    failed,
    judged,
    passed,
    refused,
    skipped,
    warned,
    where_it_works,
)
from omnigap_orchestrator.extras.conform.questions import question
from omnigap_orchestrator.extras.conform.reply import Fault
from omnigap_orchestrator.extras.conform.subject import Subject

SERVICE = pb.DESCRIPTOR.services_by_name["ModelService"].full_name

_SHA256 = re.compile(r"[0-9a-f]{64}")
_REFLECTIONS = ("grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection")


@check
async def describe_names_the_service(subject: Subject) -> Finding:
    """Describe answers, with the service's name."""
    name = subject.card.name
    return passed(f"it is {name!r}") if name.strip() else failed("`name` is empty: say which service this is")


@check
async def digest_is_a_sha256(subject: Subject) -> Finding:
    """`digest` is 64 lower-case hexadecimal digits: a SHA-256 over all that changes answers."""
    digest = subject.card.digest
    if _SHA256.fullmatch(digest):
        return passed(digest)
    text = f"`digest` is {digest!r}: send the SHA-256 (hex) of weights revision, versions, dtype, device and decoding"
    return failed(text)


@check
async def conditions_are_declared(subject: Subject) -> Finding:
    """Describe says for each condition native, assisted or unsupported, each once, and for what is not native why."""
    faults, doubts, seen = [], [], set()
    for number, capability in enumerate(subject.card.conditions):
        try:
            condition, support = condition_from_proto(capability), support_from_proto(capability.support)
        except ValueError as error:
            faults.append(f"conditions[{number}]: {error}")
            continue
        if condition in seen:
            faults.append(f"{condition} stands there twice: list each condition once")
        seen.add(condition)
        if capability.support != pb.SUPPORT_NATIVE and not capability.reason:
            doubts.append(f"{condition} is {support} without a `reason`: say with which help, or why not")
    if not subject.declared:
        faults.append("no condition is native or assisted: list what the service answers in `conditions`")
    names = ", ".join(condition.name for condition in subject.declared)
    return judged(faults, f"it answers {names}", doubts)


@check
async def limits_are_declared(subject: Subject) -> Finding:
    """Limits are finite and not negative, told for each input modality; `max_concurrent` is at least 1."""
    limits, faults, doubts = subject.card.limits, [], []
    seconds = limits.max_audio_seconds
    if not math.isfinite(seconds) or seconds < 0:
        faults.append(f"limits.max_audio_seconds is {seconds}: send a number over 0")
    told = {
        Modality.TEXT: ("max_text_chars", limits.max_text_chars),
        Modality.SPEECH: ("max_audio_seconds", seconds),
        Modality.IMAGE: ("max_image_pixels", limits.max_image_pixels),
    }
    for modality, (field, value) in told.items():
        if subject.taking(modality) and not value:
            doubts.append(f"it takes {modality} but limits.{field} is 0: tell callers what is TOO_LARGE")
    if not subject.card.max_concurrent:
        doubts.append("max_concurrent is 0: the orchestrator will send one call at a time")
    shown = ", ".join(f"{field} {value:g}" for field, value in told.values())
    return judged(faults, f"{shown}, max_concurrent {subject.card.max_concurrent}", doubts)


@check
async def health_says_serving(subject: Subject) -> Finding:
    """grpc.health.v1 says SERVING for the empty service name once the service answers."""
    status = await subject.health()
    if status != "SERVING":
        return failed(f"health is {status}: serve grpc.health.v1.Health, and say SERVING once the weights are loaded")
    named = await subject.health(SERVICE)
    if named != "SERVING":
        return warned(f"SERVING for the empty name, but {named} for {SERVICE}: set it for both")
    return passed("SERVING, for the empty name and for the service's")


@check
async def reflection_lists_the_service(subject: Subject) -> Finding:
    """Server reflection lists omnigap.v1.ModelService, so that grpcurl and the like work. Without it, a warning."""
    for reflection in _REFLECTIONS:
        names = await _listed(subject, reflection)
        if SERVICE in names:
            return passed(f"{reflection} lists it")
        if names:
            return warned(f"{reflection} lists {', '.join(names)}: add {SERVICE}")
    return warned("no server reflection answers: register it")


async def _listed(subject: Subject, reflection: str) -> list[str]:
    """The services that one version of reflection lists; the messages of both versions are the same on the wire."""
    method = subject.client.channel.stream_stream(
        f"/{reflection}/ServerReflectionInfo",
        request_serializer=reflected.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflected.ServerReflectionResponse.FromString,
    )

    async def ask() -> AsyncIterator[reflected.ServerReflectionRequest]:
        yield reflected.ServerReflectionRequest(list_services="*")

    try:
        async for response in method(ask(), timeout=subject.timeout_s):
            return [service.name for service in response.list_services_response.service]
    except grpc.RpcError:
        pass
    return []


# The digest: one name for all that changes answers, the same wherever it is told.

_FOREIGN = "0" * 64


@check
async def describe_repeats_the_digest(subject: Subject) -> Finding:
    """Two Describe calls tell the same digest."""
    again = await subject.describe()
    if isinstance(again, Fault):
        return failed(f"the second Describe ended with {again}")
    if again.digest != subject.card.digest:
        text = f"the digest was {subject.card.digest!r}, then {again.digest!r}: leave times and random values out of it"
        return failed(text)
    return passed("the same twice")


@check
async def answers_carry_the_digest(subject: Subject) -> Finding:
    """`complete.digest` is Describe's digest, in every answer."""
    answered = await subject.answered_samples()
    faults = [
        f"{condition}: complete.digest is {reply.complete.digest!r}: send Describe's, {subject.card.digest!r}"
        for condition, reply in answered.items()
        if reply.complete.digest != subject.card.digest
    ]
    return judged(faults, f"the same in {len(answered)} answers") if answered else skipped(NONE_ANSWERED)


@check
@where_it_works
async def own_digest_is_accepted(subject: Subject, condition: Condition) -> Finding:
    """A call whose `expected_digest` is Describe's digest is answered."""
    request = question(condition, 1)
    request.expected_digest = subject.card.digest
    reply = await subject.ask(request)
    return passed("answered") if reply.whole else failed(f"{reply}: compare expected_digest with Describe's digest")


@check
@where_it_works
async def foreign_digest_is_refused(subject: Subject, condition: Condition) -> Finding:
    """A call whose `expected_digest` is another one is refused with DIGEST_MISMATCH."""
    request = question(condition, 1)
    request.expected_digest = _FOREIGN
    return await refused(subject, request, Reason.DIGEST_MISMATCH)
