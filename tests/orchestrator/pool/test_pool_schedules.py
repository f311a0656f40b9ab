"""Random schedules of faults over one to three replicas: every call ends, with an answer or a reason."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnigap.answer import Answer
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_orchestrator.pool import CallFailed, RetryPolicy, Unavailable, connect
from tests.helpers.served_doubles import PATIENCE_S, STABLE_PORTS, Wire, text
from tests.orchestrator.pool.asking import asking, echo, raising, words_of

CALLS = 10
TIMEOUT_S = 0.1
POLICY = RetryPolicy(
    max_attempts=3, max_full=5, first_delay_s=0.005, max_delay_s=0.02, patience_s=0.15, quiet_s=0.1, health_s=0.1
)
WITH_REASON = tuple(reason for reason in Reason if reason is not Reason.INCOMPLETE_STREAM)


def cut_off(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
    yield text(words_of(request))


class Door:
    """The way to a service, which can be shut as if the process died: gRPC's server may crash if it is stopped so."""

    def __init__(self, wire: Wire) -> None:
        self.port = 0
        self._wire = wire
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Listens; after `shut` on the same port again."""
        for port in [self.port] if self.port else random.sample(STABLE_PORTS, 100):
            with contextlib.suppress(OSError):
                self._server = await asyncio.start_server(self._connect, "127.0.0.1", port)
                self.port = port
                return
        raise RuntimeError("no free port")

    def shut(self) -> None:
        """Refuses connections from now on, and resets those that are open."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._wire.port)
        self._writers |= {writer, to_writer}
        await asyncio.gather(self._forward(reader, to_writer), self._forward(to_reader, writer))

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()


@dataclass
class Faulty(Wire):
    """Does what its schedule says, request after request, and starts again at its end."""

    schedule: Sequence[str] = ()
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.door = Door(self)
        self.steps = itertools.cycle(self.schedule)

    async def Generate(  # noqa: N802
        self, request: pb.GenerateRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.GenerateResponse]:
        step = next(self.steps)
        if step == "hang":
            await asyncio.Event().wait()
        if step in ("die", "restart"):
            task = asyncio.get_running_loop().create_task(self._end(step))
            self.tasks.add(task)
            await asyncio.Event().wait()
        self.respond = {"answer": echo, "slow": echo, "cut off": cut_off}.get(step, self._refuse(step))
        self.delay_s = 0.15 if step == "slow" else 0.0
        async for response in super().Generate(request, context):
            yield response

    async def _end(self, step: str) -> None:
        self.door.shut()
        if step == "restart":
            await self.door.open()

    def _refuse(self, step: str):  # type: ignore[no-untyped-def]
        def refuse(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
            raise raising(Reason[step])
            yield

        return refuse


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for all schedules."""
    with asyncio.Runner() as runner:
        yield runner


steps = st.sampled_from(["answer", "answer", "slow", "hang", "cut off", "die", "restart", *WITH_REASON])
schedules = st.lists(st.lists(steps, min_size=1, max_size=6), min_size=1, max_size=3)


async def ends_of(schedule: Sequence[Sequence[str]], cancelled: Sequence[int]) -> list[Answer | BaseException]:
    wires = [Faulty(echo, max_concurrent=2, schedule=steps) for steps in schedule]
    for wire in wires:
        await wire.start()
        await wire.door.open()
    service = None
    while service is None:
        # The patience is short, and gRPC may still back off from a port that was closed in an earlier schedule.
        service = await connect("omni", [f"127.0.0.1:{wire.door.port}" for wire in wires], POLICY, lambda _: None)
    calls = [asyncio.create_task(service.pool.call(asking(str(n)), TIMEOUT_S)) for n in range(CALLS)]
    await asyncio.sleep(0.02)
    for number in cancelled:
        calls[number].cancel()
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await asyncio.gather(*calls, return_exceptions=True)
    finally:
        assert service.pool.in_flight == service.pool.waiting == 0
        await service.pool.close()
        for wire in wires:
            await asyncio.gather(*wire.tasks, return_exceptions=True)
            wire.door.shut()
            await wire.stop()
        assert [wire.in_flight for wire in wires] == [0] * len(wires)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(schedule=schedules, cancelled=st.lists(st.integers(0, CALLS - 1), max_size=3))
def test_every_call_ends_with_an_answer_or_a_reason(
    runner: asyncio.Runner, schedule: list[list[str]], cancelled: list[int]
) -> None:
    ends = runner.run(ends_of(schedule, cancelled))
    for number, end in enumerate(ends):
        if isinstance(end, Answer):
            assert end.own_text == str(number)
        elif number not in cancelled:
            assert isinstance(end, CallFailed | Unavailable), repr(end)
    # A service that only answers or is only slow loses no call.
    if all(set(steps) <= {"answer"} for steps in schedule):
        assert sum(isinstance(end, Answer) for end in ends) >= CALLS - len(cancelled)
