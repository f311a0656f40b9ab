"""Requests without content, and with too much of it."""

from __future__ import annotations

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_orchestrator.extras.conform.checks.working import NONE_ANSWERED
from omnigap_orchestrator.extras.conform.questions import request_of
from omnigap_orchestrator.extras.conform.refusal import refused
from omnigap_orchestrator.extras.conform.subject import Subject
from omnigap_orchestrator.extras.conform.verdict import Finding, check, skipped


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
