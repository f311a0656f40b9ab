"""Checks of answers: declared conditions, the structure of streams, refused requests."""

from __future__ import annotations

import math

from omnigap.answer import bound_of
from omnigap.convert import finish_from_proto
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import CONDITIONS, Modality, Reason
from omnigap_orchestrator.extras.conform.check import (
    NONE_ANSWERED,
    Finding,
    check,
    fault_in_refusal,
    finding_of,
    refused,
    skipped,
)
from omnigap_orchestrator.extras.conform.reply import Reply
from omnigap_orchestrator.extras.conform.service import ServiceUnderTest, question, request_of


@check
async def declared_conditions_answer(service: ServiceUnderTest) -> Finding:
    """Every native or assisted condition is answered, with own text."""
    faults, warnings, shown = [], [], []
    for condition, reply in (await service.samples()).items():
        if reply.fault is not None:
            faults.append(f"{condition} {reply}: answer it, or declare it unsupported")
        elif not reply.text:
            # A warning only: a model may have nothing to say to these questions.
            warnings.append(f"{condition} answered without own text")
        shown.append(f"{condition} {reply.latency_s:.1f} s")
    return finding_of(faults, ", ".join(shown), warnings)


@check
async def streams_end_with_one_complete(service: ServiceUnderTest) -> Finding:
    """A stream is any number of deltas with content, then exactly one `complete`; or it ends with an error."""
    faults = [
        f"{condition} {reply}: end each answer with exactly one `complete`"
        for condition, reply in (await service.samples()).items()
        if reply.fault is None and not reply.complete_stream
    ]
    return finding_of(faults, "deltas, then one `complete`")


@check
async def finish_reason_is_set(service: ServiceUnderTest) -> Finding:
    """`complete` has a finish reason: stop, length or refused."""
    faults, shown = [], []
    for condition, reply in (await service.answered_samples()).items():
        try:
            shown.append(f"{condition} {finish_from_proto(reply.complete.finish_reason)}")
        except ValueError:
            number = reply.complete.finish_reason
            faults.append(f"{condition}: finish_reason is {number}: set STOP, LENGTH or REFUSED")
    return finding_of(faults, ", ".join(shown)) if faults or shown else skipped(NONE_ANSWERED)


@check
async def usage_and_timings_are_finite(service: ServiceUnderTest) -> Finding:
    """Usage, timings and diagnostics are finite and within the bounds of the contract; seconds are not negative."""
    answered = await service.answered_samples()
    faults = [f"{condition}: {fault}" for condition, reply in answered.items() for fault in _faults_in(reply)]
    return finding_of(faults, "all finite") if answered else skipped(NONE_ANSWERED)


def _faults_in(reply: Reply) -> list[str]:
    done = reply.complete
    faults = [
        f"{field.name} is {value}: send a finite number, not below 0, at most {bound_of(value):g}"
        for message in (done.usage, done.timings)
        # ListFields gives only the fields that are set.
        for field, value in message.ListFields()
        if not 0 <= value <= bound_of(value)
    ]
    return faults + [
        f"diagnostics[{name!r}] is {value}: leave out what is not finite"
        for name, value in done.diagnostics.items()
        if not math.isfinite(value)
    ]


@check
async def undeclared_conditions_are_refused(service: ServiceUnderTest) -> Finding:
    """A condition that is neither native nor assisted is refused with UNSUPPORTED_CONDITION."""
    declared = service.declared
    undeclared = [condition for condition in CONDITIONS if condition not in declared]
    if not undeclared:
        return skipped("all six conditions are declared")
    faults = []
    for condition in undeclared:
        reply = await service.generate(question(condition))
        if fault := fault_in_refusal(reply, Reason.UNSUPPORTED_CONDITION):
            faults.append(f"{condition} {fault}")
    return finding_of(faults, f"{', '.join(condition.name for condition in undeclared)} refused")


@check
async def image_output_is_a_bad_request(service: ServiceUnderTest) -> Finding:
    """A request for an image as output is refused with BAD_REQUEST."""
    return await _output_refused(service, pb.MODALITY_IMAGE)


@check
async def unset_output_is_a_bad_request(service: ServiceUnderTest) -> Finding:
    """A request without an output modality is refused with BAD_REQUEST."""
    return await _output_refused(service, pb.MODALITY_UNSPECIFIED)


async def _output_refused(service: ServiceUnderTest, output: pb.Modality.ValueType) -> Finding:
    if not service.declared:
        return skipped(NONE_ANSWERED)
    request = question(service.declared[0])
    request.output = output
    fault = fault_in_refusal(await service.generate(request), Reason.BAD_REQUEST)
    return finding_of([fault] if fault else [], "BAD_REQUEST")


@check
async def no_parts_is_a_bad_request(service: ServiceUnderTest) -> Finding:
    """A request without parts is refused with BAD_REQUEST."""
    if not service.declared:
        return skipped(NONE_ANSWERED)
    return await refused(service, request_of(service.declared[0]), Reason.BAD_REQUEST)


@check
async def empty_part_is_a_bad_request(service: ServiceUnderTest) -> Finding:
    """A part without text, audio or image is refused with BAD_REQUEST."""
    if not service.declared:
        return skipped(NONE_ANSWERED)
    return await refused(service, request_of(service.declared[0], pb.InputPart()), Reason.BAD_REQUEST)


@check
async def long_text_is_too_large(service: ServiceUnderTest) -> Finding:
    """Text over `limits.max_text_chars` is refused with TOO_LARGE."""
    condition, limit = service.taking(Modality.TEXT), service.card.limits.max_text_chars
    if condition is None:
        return skipped("no condition with text input is declared")
    if not limit:
        return skipped("limits.max_text_chars is not declared")
    # One character over the limit. The last one is a letter, because a service may strip trailing spaces.
    text = ("word " * (limit // 5 + 2))[: limit + 1]
    return await refused(service, request_of(condition, pb.InputPart(text=text[:-1] + "s")), Reason.TOO_LARGE)
