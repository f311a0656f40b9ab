"""Services that hang, refuse, or need more time: calls are waited for, tried again, or the service is given up."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from omnigap.answer import Answer
from omnigap.rpc_errors import to_status
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_orchestrator.pool import CallFailed, Service, Unavailable
from omnigap_orchestrator.pool.policy import REFUSALS
from tests.helpers.served_doubles import PATIENCE_S, ServeWire, Wire
from tests.orchestrator.pool.asking import PATIENT, Connect, asking, echo, raising, texts, words_of

QUICK = replace(PATIENT, patience_s=0.3)
TIMEOUT_S = 0.2


async def ask(service: Service, *words: str, timeout_s: float = TIMEOUT_S) -> list[Answer | BaseException]:
    async with asyncio.timeout(PATIENCE_S):
        return await asyncio.gather(
            *(service.pool.call(asking(each), timeout_s) for each in words), return_exceptions=True
        )


def always(reason: Reason, message: str = "requested by the test") -> Wire:
    def refuse(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        raise raising(reason, message)
        yield

    return Wire(refuse)


class _Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Answers until `hangs`."""

    hangs = False
    asked = 0

    async def set(self, service: str, status: object) -> None:
        """As the health service of grpcio, which `Wire` starts."""

    async def Check(self, request: object, context: object) -> object:  # noqa: N802
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


@dataclass
class Hanging(Wire):
    """A process that hangs, its health service included, once `hang` is called."""

    checks: _Health = field(default_factory=_Health)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._health = self.checks  # type: ignore[assignment]

    def hang(self) -> None:
        self.delay_s, self.checks.hangs = 3600, True


async def test_a_service_that_answers_nothing_is_given_up(host_wire: ServeWire, connected: Connect) -> None:
    service = await connected(await host_wire(Wire(echo, delay_s=3600)))
    ends = await ask(service, *map(str, range(40)))
    assert re.match(r"did not answer \d+ calls in a row within 0.2 s each", service.pool.gave_up or "")
    late = [end for end in ends if isinstance(end, CallFailed)]
    assert late and all(end.leaves_pending and end.error.reason is Reason.DEADLINE_EXCEEDED for end in late)
    assert all("request_timeout_s" in end.error.message for end in late)
    assert all(isinstance(end, Unavailable) for end in ends if end not in late)
    # Given up for good: a later call does not wait.
    (later,) = await ask(service, "later")
    assert isinstance(later, Unavailable)
    assert service.pool.in_flight == service.pool.waiting == 0


async def test_an_endless_question_does_not_keep_the_others_from_their_answers(
    host_wire: ServeWire, connected: Connect
) -> None:
    class Endless(Wire):
        async def Generate(self, request: pb.GenerateRequest, context: grpc.aio.ServicerContext):  # type: ignore[no-untyped-def]  # noqa: N802
            if words_of(request) == "endless":
                await asyncio.Event().wait()
            async for response in Wire.Generate(self, request, context):
                yield response

    service = await connected(await host_wire(Endless(echo, delay_s=0.02, max_concurrent=2)))
    words = [str(number) for number in range(60)]
    late, *answers = await ask(service, "endless", *words)
    assert texts(answers) == words
    assert isinstance(late, CallFailed) and late.leaves_pending
    assert late.attempts == 3
    assert service.pool.gave_up is None


async def test_the_next_attempt_after_a_time_out_may_take_longer(host_wire: ServeWire, connected: Connect) -> None:
    wire = Wire(echo, delay_s=1.0)
    service = await connected(await host_wire(wire))
    (answer,) = await ask(service, "slow", timeout_s=0.6)
    assert isinstance(answer, Answer)
    assert len(wire.asked) == 2


async def test_a_declared_time_extends_the_deadline(host_wire: ServeWire, connected: Connect) -> None:
    class Declaring(Wire):
        async def Describe(self, request: pb.DescribeRequest, context: object) -> pb.DescribeResponse:  # noqa: N802
            card = await super().Describe(request, context)
            card.answer_seconds = 10.0
            return card

    wire = Declaring(echo, delay_s=0.5)
    service = await connected(await host_wire(wire))
    assert texts(await ask(service, "slow", timeout_s=0.05)) == ["slow"]
    assert len(wire.asked) == 1


@pytest.mark.parametrize("reason", sorted(REFUSALS))
async def test_a_service_that_refuses_every_call_is_given_up_after_the_patience(
    host_wire: ServeWire, connected: Connect, reason: Reason
) -> None:
    service = await connected(await host_wire(always(reason, "come back later")), policy=QUICK)
    ends = await ask(service, *map(str, range(20)), timeout_s=PATIENCE_S)
    assert all(isinstance(end, Unavailable) for end in ends)
    assert f"refused every call as {reason}" in str(ends[0]) and "come back later" in str(ends[0])


class OneAtATime(Wire):
    """Accepts one call and refuses the others as BUSY."""

    is_full = False
    refused = 0

    async def Generate(  # noqa: N802
        self, request: pb.GenerateRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.GenerateResponse]:
        if self.is_full:
            self.refused += 1
            status = to_status(raising(Reason.BUSY))
            await context.abort(status.code, status.details, status.trailing_metadata)
        self.is_full = True
        try:
            async for response in super().Generate(request, context):
                yield response
        finally:
            self.is_full = False


async def test_a_service_that_works_on_one_call_is_not_given_up_for_its_refusals(
    host_wire: ServeWire, connected: Connect
) -> None:
    wire = OneAtATime(echo, delay_s=1.0)
    service = await connected(await host_wire(wire), policy=QUICK)
    words = ["first", "second", "third"]
    assert texts(await ask(service, *words, timeout_s=PATIENCE_S)) == words
    assert wire.refused > 10


@pytest.mark.parametrize("reason", [Reason.UNAUTHENTICATED, Reason.PERMISSION_DENIED, Reason.QUOTA_EXHAUSTED])
async def test_a_refusal_that_does_not_pass_ends_the_service_at_once(
    host_wire: ServeWire, connected: Connect, reason: Reason
) -> None:
    wire = always(reason, "add credit")
    wire.max_concurrent = 1
    service = await connected(await host_wire(wire))
    ends = await ask(service, *map(str, range(10)))
    assert all(isinstance(end, Unavailable) and "add credit" in str(end) and reason in str(end) for end in ends)
    assert len(wire.asked) == 1


async def test_a_replica_with_a_wrong_key_is_left_out(
    host_wire: ServeWire, connected: Connect, notes: list[str]
) -> None:
    wrong = always(Reason.UNAUTHENTICATED, "no key")
    service = await connected(await host_wire(wrong), await host_wire(Wire(echo)))
    words = [str(number) for number in range(10)]
    assert texts(await ask(service, *words, timeout_s=PATIENCE_S)) == words
    (note,) = notes
    assert wrong.address in note and "no key" in note


async def test_a_hung_process_is_found_before_its_deadline(
    host_wire: ServeWire, connected: Connect, notes: list[str]
) -> None:
    wire = Hanging(echo)
    service = await connected(await host_wire(wire), policy=replace(PATIENT, quiet_s=0.1, health_s=0.1, patience_s=0.2))
    wire.hang()
    ends = await ask(service, "a", "b", timeout_s=3600)
    assert all(isinstance(end, Unavailable) for end in ends)
    assert any("answers neither calls nor health checks" in note for note in notes)


async def test_calls_on_a_hung_replica_are_answered_by_another(
    host_wire: ServeWire, connected: Connect, notes: list[str]
) -> None:
    hung, healthy = Hanging(echo), Wire(echo)
    service = await connected(
        await host_wire(hung), await host_wire(healthy), policy=replace(PATIENT, quiet_s=0.1, health_s=0.1)
    )
    hung.hang()
    words = [str(number) for number in range(8)]
    assert texts(await ask(service, *words, timeout_s=3600)) == words
    assert any(hung.address in note and "health checks" in note for note in notes)


async def test_a_slow_service_that_answers_health_checks_is_left_alone(
    host_wire: ServeWire, connected: Connect, notes: list[str]
) -> None:
    wire = Hanging(echo, delay_s=1.0)
    service = await connected(await host_wire(wire), policy=replace(PATIENT, quiet_s=0.05, health_s=1.0))
    assert texts(await ask(service, "slow", timeout_s=PATIENCE_S)) == ["slow"]
    assert wire.checks.asked > 1
    assert notes == []


async def test_closing_ends_every_call(host_wire: ServeWire, connected: Connect) -> None:
    wire = Wire(echo, delay_s=3600)
    service = await connected(await host_wire(wire))
    calls = asyncio.create_task(ask(service, *map(str, range(12)), timeout_s=3600))
    await wire.until_asked(4)
    await service.pool.close()
    assert all(isinstance(end, Unavailable) for end in await calls)
    assert service.pool.in_flight == service.pool.waiting == 0
