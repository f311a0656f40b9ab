"""The answers: each declared condition gives one, each undeclared one is refused, and streams have the right shape."""

from __future__ import annotations

import math

from omnigap.convert import finish_from_proto
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import CONDITIONS, Modality, Reason
from omnigap_orchestrator.extras.conform.check import (
    NONE_ANSWERED,
    Finding,
    check,
    fault_in_refusal,
    judged,
    refused,
    skipped,
)
from omnigap_orchestrator.extras.conform.questions import question, request_of
from omnigap_orchestrator.extras.conform.reply import Reply
from omnigap_orchestrator.extras.conform.subject import Subject


@check
async def declared_conditions_answer(subject: Subject) -> Finding:
    """What Describe calls native or assisted is answered: with own text, and with audio where speech is asked for."""
    faults, doubts, shown = [], [], []
    for condition, reply in (await subject.samples()).items():
        if reply.fault is not None:
            faults.append(f"{condition} {reply}: answer it, or declare it unsupported")
        elif condition.output is Modality.SPEECH and not reply.pcm:
            doubts.append(f"{condition} answered without audio")
        elif not reply.text:
            doubts.append(f"{condition} answered without own text")
        shown.append(f"{condition} {reply.latency_s:.1f} s")
    return judged(faults, ", ".join(shown), doubts)


@check
async def streams_end_with_one_complete(subject: Subject) -> Finding:
    """A stream is any number of deltas, then exactly one `complete` and nothing more; or it ends with an error."""
    faults = [
        f"{condition} {reply}: end each answer with exactly one `complete`"
        for condition, reply in (await subject.samples()).items()
        if reply.fault is None and not reply.whole
    ]
    return judged(faults, "deltas, then one `complete`")


@check
async def finish_reason_is_set(subject: Subject) -> Finding:
    """`complete` says why the answer ended: stop, length or refused."""
    faults, shown = [], []
    for condition, reply in (await subject.answered_samples()).items():
        try:
            shown.append(f"{condition} {finish_from_proto(reply.complete.finish_reason)}")
        except ValueError:
            number = reply.complete.finish_reason
            faults.append(f"{condition}: finish_reason is {number}: set STOP, LENGTH or REFUSED")
    return judged(faults, ", ".join(shown)) if faults or shown else skipped(NONE_ANSWERED)


@check
async def figures_are_numbers(subject: Subject) -> Finding:
    """Usage, timings and diagnostics are finite; seconds are not negative."""
    answered = await subject.answered_samples()
    faults = [f"{condition}: {fault}" for condition, reply in answered.items() for fault in _faults_in(reply)]
    return judged(faults, "all finite") if answered else skipped(NONE_ANSWERED)


def _faults_in(reply: Reply) -> list[str]:
    done = reply.complete
    faults = [
        f"{field.name} is {value}: seconds are finite and not negative"
        for message in (done.usage, done.timings)
        for field, value in message.ListFields()
        if not math.isfinite(value) or value < 0
    ]
    return faults + [
        f"diagnostics[{name!r}] is {value}: leave out what is not finite"
        for name, value in done.diagnostics.items()
        if not math.isfinite(value)
    ]


@check
async def undeclared_conditions_are_refused(subject: Subject) -> Finding:
    """What Describe does not call native or assisted is refused with UNSUPPORTED_CONDITION."""
    declared = subject.declared
    undeclared = [condition for condition in CONDITIONS if condition not in declared]
    if not undeclared:
        return skipped("all six conditions are declared")
    faults = []
    for condition in undeclared:
        reply = await subject.ask(question(condition))
        if fault := fault_in_refusal(reply, Reason.UNSUPPORTED_CONDITION):
            faults.append(f"{condition} {fault}")
    return judged(faults, f"{', '.join(condition.name for condition in undeclared)} refused")


@check
async def image_output_is_a_bad_request(subject: Subject) -> Finding:
    """An image as the answer, which is no condition, is refused with BAD_REQUEST."""
    return await _output_refused(subject, pb.MODALITY_IMAGE)


@check
async def unset_output_is_a_bad_request(subject: Subject) -> Finding:
    """A request that does not say which output it wants is refused with BAD_REQUEST."""
    return await _output_refused(subject, pb.MODALITY_UNSPECIFIED)


async def _output_refused(subject: Subject, output: pb.Modality.ValueType) -> Finding:
    if not subject.declared:
        return skipped(NONE_ANSWERED)
    request = question(subject.declared[0])
    request.output = output
    fault = fault_in_refusal(await subject.ask(request), Reason.BAD_REQUEST)
    return judged([fault] if fault else [], "BAD_REQUEST")


# Requests without content, and with too much of it.


@check
async def no_parts_is_a_bad_request(subject: Subject) -> Finding:
    """A request without parts is refused with BAD_REQUEST."""
    if not subject.declared:
        return skipped(NONE_ANSWERED)
    return await refused(subject, request_of(subject.declared[0]), Reason.BAD_REQUEST)


@check
async def empty_part_is_a_bad_request(subject: Subject) -> Finding:
    """A part without text, audio or image is refused with BAD_REQUEST."""
    if not subject.declared:
        return skipped(NONE_ANSWERED)
    return await refused(subject, request_of(subject.declared[0], pb.InputPart()), Reason.BAD_REQUEST)


@check
async def long_text_is_too_large(subject: Subject) -> Finding:
    """Text over `limits.max_text_chars` is refused with TOO_LARGE."""
    condition, limit = subject.taking(Modality.TEXT), subject.card.limits.max_text_chars
    if condition is None:
        return skipped("it takes no text")
    if not limit:
        return skipped("limits.max_text_chars is not declared")
    text = ("word " * (limit // 5 + 2))[: limit + 1]
    return await refused(subject, request_of(condition, pb.InputPart(text=text[:-1] + "s")), Reason.TOO_LARGE)
