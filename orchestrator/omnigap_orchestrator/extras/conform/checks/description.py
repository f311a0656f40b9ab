"""Checks of Describe, health, reflection and the digest."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator

import grpc
from grpc_reflection.v1alpha import reflection_pb2 as reflected

from omnigap.card import check_card
from omnigap.convert import condition_from_proto, support_from_proto
from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Condition, Modality, Reason
from omnigap_orchestrator.extras.conform.check import (
    NONE_ANSWERED,
    Finding,
    check,
    failed,
    finding_of,
    in_working_condition,
    passed,
    refused,
    skipped,
    warned,
)
from omnigap_orchestrator.extras.conform.reply import Fault
from omnigap_orchestrator.extras.conform.service import ServiceUnderTest, question

SERVICE = pb.DESCRIPTOR.services_by_name["ModelService"].full_name

_SHA256 = re.compile(r"[0-9a-f]{64}")
_REFLECTIONS = ("grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection")


@check
async def describe_names_the_service(service: ServiceUnderTest) -> Finding:
    """Describe returns the name of the service."""
    name = service.card.name
    return passed(repr(name)) if name.strip() else failed("`name` is empty: set it to the name of the service")


@check
async def digest_is_a_sha256(service: ServiceUnderTest) -> Finding:
    """`digest` is 64 lower-case hexadecimal digits: a SHA-256 over all that changes answers."""
    digest = service.card.digest
    if _SHA256.fullmatch(digest):
        return passed(digest)
    text = f"`digest` is {digest!r}: send the SHA-256 (hex) of weights revision, versions, dtype, device and decoding"
    return failed(text)


@check
async def card_is_within_the_bounds(service: ServiceUnderTest) -> Finding:
    """Names, lists, rates and limits of Describe are within the bounds of the contract, with known enum values."""
    card = pb.DescribeResponse.FromString(service.card.SerializeToString())
    try:
        notes = check_card(card, service.address)
    except ContractError as error:
        return failed(error.message)
    return warned("; ".join(notes)) if notes else passed(f"{card.ByteSize()} bytes")


@check
async def conditions_are_declared(service: ServiceUnderTest) -> Finding:
    """Describe lists each condition once as native, assisted or unsupported, with a reason for the last two."""
    faults, warnings, seen = [], [], set()
    for number, capability in enumerate(service.card.conditions):
        try:
            condition, support = condition_from_proto(capability), support_from_proto(capability.support)
        except ValueError as error:
            faults.append(f"conditions[{number}]: {error}")
            continue
        if condition in seen:
            faults.append(f"{condition} is listed twice: list each condition once")
        seen.add(condition)
        if capability.support != pb.SUPPORT_NATIVE and not capability.reason:
            warnings.append(f"{condition} is {support} without a `reason`: name the assisting service, or the reason")
    if not service.declared:
        faults.append("no condition is native or assisted: list the supported conditions in `conditions`")
    names = ", ".join(condition.name for condition in service.declared)
    return finding_of(faults, names, warnings)


@check
async def limits_are_declared(service: ServiceUnderTest) -> Finding:
    """Limits and `answer_seconds` are finite and not negative; limits are set for each input modality."""
    limits, faults, warnings = service.card.limits, [], []
    seconds = limits.max_audio_seconds
    if not math.isfinite(seconds) or seconds < 0:
        faults.append(f"limits.max_audio_seconds is {seconds}: send a number over 0")
    answer_s = service.card.answer_seconds
    if not math.isfinite(answer_s) or answer_s < 0:
        faults.append(f"answer_seconds is {answer_s}: send the seconds that one answer may take, or 0")
    declared = {
        Modality.TEXT: ("max_text_chars", limits.max_text_chars),
        Modality.SPEECH: ("max_audio_seconds", seconds),
        Modality.IMAGE: ("max_image_pixels", limits.max_image_pixels),
    }
    for modality, (field, value) in declared.items():
        if service.taking(modality) and not value:
            warnings.append(f"{modality} input is supported but limits.{field} is 0: declare the limit for TOO_LARGE")
    if not service.card.max_concurrent:
        warnings.append("max_concurrent is 0: the orchestrator will send one call at a time")
    shown = ", ".join(f"{field} {value:g}" for field, value in declared.values())
    return finding_of(faults, f"{shown}, max_concurrent {service.card.max_concurrent}", warnings)


@check
async def health_is_serving(service: ServiceUnderTest) -> Finding:
    """grpc.health.v1 reports SERVING for the empty service name once the service answers."""
    status = await service.health()
    if status != "SERVING":
        return failed(f"health is {status}: serve grpc.health.v1.Health, and report SERVING once weights are loaded")
    # Kubernetes probes the empty name by default; gRPC clients may ask for the service name.
    named = await service.health(SERVICE)
    if named != "SERVING":
        return warned(f"SERVING for the empty name, but {named} for {SERVICE}: set it for both")
    return passed(f"SERVING for the empty name and for {SERVICE}")


@check
async def reflection_lists_the_service(service: ServiceUnderTest) -> Finding:
    """Server reflection lists omnigap.v1.ModelService, for tools such as grpcurl; a warning if it does not."""
    for reflection in _REFLECTIONS:
        names = await _listed(service, reflection)
        if SERVICE in names:
            return passed(f"{reflection} lists it")
        if names:
            return warned(f"{reflection} lists {', '.join(names)}: add {SERVICE}")
    return warned("no server reflection: register it")


async def _listed(service: ServiceUnderTest, reflection: str) -> list[str]:
    """The services that one version of reflection lists."""
    # The messages of v1 and v1alpha are the same on the wire, so one set of stubs reads both.
    method = service.client.channel.stream_stream(
        f"/{reflection}/ServerReflectionInfo",
        request_serializer=reflected.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflected.ServerReflectionResponse.FromString,
    )

    async def ask() -> AsyncIterator[reflected.ServerReflectionRequest]:
        yield reflected.ServerReflectionRequest(list_services="*")

    try:
        async for response in method(ask(), timeout=service.timeout_s):
            return [listed.name for listed in response.list_services_response.service]
    except grpc.RpcError:
        pass
    return []


_OTHER_DIGEST = "0" * 64


@check
async def digest_is_stable(service: ServiceUnderTest) -> Finding:
    """Two Describe calls return the same digest."""
    again = await service.describe()
    if isinstance(again, Fault):
        return failed(f"the second Describe ended with {again}")
    if again.digest != service.card.digest:
        text = f"the digest was {service.card.digest!r}, then {again.digest!r}: exclude times and random values from it"
        return failed(text)
    return passed("the same digest twice")


@check
async def answers_contain_the_digest(service: ServiceUnderTest) -> Finding:
    """`complete.digest` of every answer is the digest of Describe."""
    answered = await service.answered_samples()
    faults = [
        f"{condition}: complete.digest is {reply.complete.digest!r}: send that of Describe, {service.card.digest!r}"
        for condition, reply in answered.items()
        if reply.complete.digest != service.card.digest
    ]
    return finding_of(faults, f"the same in {len(answered)} answers") if answered else skipped(NONE_ANSWERED)


@check
@in_working_condition
async def own_digest_is_accepted(service: ServiceUnderTest, condition: Condition) -> Finding:
    """A call whose `expected_digest` is the digest of Describe is answered."""
    request = question(condition, 1)
    request.expected_digest = service.card.digest
    reply = await service.generate(request)
    if reply.complete_stream:
        return passed("answered")
    return failed(f"{reply}: compare expected_digest with the digest of Describe")


@check
@in_working_condition
async def other_digest_is_refused(service: ServiceUnderTest, condition: Condition) -> Finding:
    """A call with another `expected_digest` is refused with DIGEST_MISMATCH."""
    request = question(condition, 1)
    request.expected_digest = _OTHER_DIGEST
    return await refused(service, request, Reason.DIGEST_MISMATCH)
