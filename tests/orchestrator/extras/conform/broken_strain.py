"""Services that keep the contract until callers leave or are too many."""

from __future__ import annotations

import asyncio
from typing import Any

from faults import noticed_by
from honest_service import Honest

from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason


@noticed_by("deadlines-are-honoured")
class RefusesShortDeadlines(Honest):
    async def find_or_work(self, request: pb.GenerateRequest, context: Any) -> list[pb.GenerateResponse]:
        if context.time_remaining() < 1:
            raise ContractError(Reason.MODEL_ERROR, "no time")
        return await super().find_or_work(request, context)


class LosesPlaces(Honest):
    """Its work outlasts the deadlines of the suite, and it has fewer places than callers will leave."""

    slots = 4
    work_s = 0.3
    patience_s = 3.0


@noticed_by("deadlines-are-honoured")
class LosesPlacesAtDeadlines(LosesPlaces):
    def left(self, context: Any) -> None:
        if context.time_remaining() < 1:
            self.free -= 1


@noticed_by("cancelled-calls-free-their-place")
class LosesPlacesOfCancelledCalls(LosesPlaces):
    def left(self, context: Any) -> None:
        if context.time_remaining() > 1:
            self.free -= 1


@noticed_by("health-says-serving")
class SaysServingTooLate(Honest):
    def __init__(self) -> None:
        super().__init__()
        self.health.serving = False

    def check(self, request: pb.GenerateRequest) -> None:
        self.health.serving = True
        super().check(request)


class FewPlaces(Honest):
    """Under load some calls find no place, and only then: nothing else in the suite asks for so many at once."""

    slots = 6
    work_s = 0.1


@noticed_by("overload-is-answered-or-busy")
class CrashesUnderLoad(FewPlaces):
    def overloaded(self) -> None:
        raise RuntimeError("no place left")


@noticed_by("overload-is-answered-or-busy")
class DiesUnderLoad(FewPlaces):
    def overloaded(self) -> None:
        self.dying = asyncio.ensure_future(self.server.stop(None))


@noticed_by("overload-is-answered-or-busy")
class UnwellUnderLoad(FewPlaces):
    def overloaded(self) -> None:
        self.health.serving = False


@noticed_by("overload-is-answered-or-busy")
class CutsStreamsUnderLoad(FewPlaces):
    crowded = False

    def overloaded(self) -> None:
        self.crowded = True

    async def find_or_work(self, request: pb.GenerateRequest, context: Any) -> list[pb.GenerateResponse]:
        answer = await super().find_or_work(request, context)
        return answer[:-1] if self.crowded else answer
