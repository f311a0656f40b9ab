"""Whether a call was refused as it should be."""

from __future__ import annotations

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import ERROR_DOMAIN, Reason
from omnigap_orchestrator.extras.conform.reply import Reply
from omnigap_orchestrator.extras.conform.subject import Subject
from omnigap_orchestrator.extras.conform.verdict import Finding, failed, passed


def fault_in_refusal(reply: Reply, *reasons: Reason) -> str:
    """What is wrong with a refusal that should carry one of the reasons; empty where nothing is."""
    wanted = " or ".join(reasons)
    if reply.fault is None:
        return f"{reply} instead of being refused: refuse it with {wanted}"
    if reply.fault.domain != ERROR_DOMAIN:
        return f"{reply}: attach google.rpc.ErrorInfo of domain {ERROR_DOMAIN!r} and reason {wanted}"
    if not reply.fault.has(*reasons):
        return f"{reply}: the reason for this is {wanted}"
    return ""


async def refused(subject: Subject, request: pb.GenerateRequest, *reasons: Reason) -> Finding:
    """Sends a request that must be refused with one of the reasons."""
    reply = await subject.ask(request)
    if fault := fault_in_refusal(reply, *reasons):
        return failed(fault)
    assert reply.fault is not None
    return passed(f"{reply.fault.reason}: {reply.fault.message}")
