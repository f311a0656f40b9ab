"""Services that break the contract after abandoned calls or under load."""

from __future__ import annotations

import asyncio
from typing import Any

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from tests.orchestrator.extras.conform.faults import fails
from tests.orchestrator.extras.conform.reference_service import ReferenceService


@fails("deadlines-are-honoured")
class RefusesShortDeadlines(ReferenceService):
    async def find_or_work(self, request: pb.GenerateRequest, context: Any) -> list[pb.GenerateResponse]:
        if context.time_remaining() < 1:
            raise ContractError(Reason.MODEL_ERROR, "no time")
        return await super().find_or_work(request, context)


class SlowWithFewSlots(ReferenceService):
    """Its work takes longer than the deadlines of the suite, and it has fewer slots than calls are abandoned."""

    slots = 4
    work_s = 0.3
    patience_s = 3.0


@fails("deadlines-are-honoured")
class LeaksSlotsAtDeadlines(SlowWithFewSlots):
    def abandoned(self, context: Any) -> None:
        if context.time_remaining() < 1:
            self.free -= 1


@fails("cancelled-calls-free-their-slot")
class LeaksSlotsOfCancelledCalls(SlowWithFewSlots):
    def abandoned(self, context: Any) -> None:
        if context.time_remaining() > 1:
            self.free -= 1


@fails("health-is-serving")
class ReportsServingTooLate(ReferenceService):
    def __init__(self) -> None:
        super().__init__()
        self.health.serving = False

    def check(self, request: pb.GenerateRequest) -> None:
        self.health.serving = True
        super().check(request)


class FewSlots(ReferenceService):
    """Has no free slot for some calls of the overload check; no other check sends that many calls at once."""

    slots = 6
    work_s = 0.1


@fails("overload-is-answered-or-busy")
class CrashesUnderLoad(FewSlots):
    def overloaded(self) -> None:
        raise RuntimeError("no free slot")


@fails("overload-is-answered-or-busy")
class DiesUnderLoad(FewSlots):
    def overloaded(self) -> None:
        self.dying = asyncio.ensure_future(self.server.stop(None))


@fails("overload-is-answered-or-busy")
class NotServingUnderLoad(FewSlots):
    def overloaded(self) -> None:
        self.health.serving = False


@fails("overload-is-answered-or-busy")
class TruncatesStreamsUnderLoad(FewSlots):
    is_overloaded = False

    def overloaded(self) -> None:
        self.is_overloaded = True

    async def find_or_work(self, request: pb.GenerateRequest, context: Any) -> list[pb.GenerateResponse]:
        answer = await super().find_or_work(request, context)
        return answer[:-1] if self.is_overloaded else answer
