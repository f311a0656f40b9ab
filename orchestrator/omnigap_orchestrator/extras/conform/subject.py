"""The service under test: its client, what it said of itself, and the sample answers that several checks look at."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType

import grpc

from omnigap.client import GenerateClient
from omnigap.convert import condition_from_proto
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import CONDITIONS, Condition, Modality, Reason
from omnigap_orchestrator.extras.conform.questions import question
from omnigap_orchestrator.extras.conform.reply import Fault, Reply, fault_of, gather

_ABLE = (pb.SUPPORT_NATIVE, pb.SUPPORT_ASSISTED)
_HEALTH_TIMEOUT_S = 10.0
_BUSY_PATIENCE_S = 30.0


class Subject:
    """A service at an address. Nothing here raises for what the service does: that is for the checks to judge."""

    def __init__(self, address: str, timeout_s: float, proxy: str = "") -> None:
        """Takes the seconds that one call may take, and the HTTP proxy on the way."""
        self.address = address
        self.timeout_s = timeout_s
        self.card = pb.DescribeResponse()
        self.client = GenerateClient(address, proxy)
        self._samples: dict[Condition, Reply] = {}

    async def __aenter__(self) -> Subject:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.close()

    @property
    def declared(self) -> tuple[Condition, ...]:
        """Conditions that the card calls native or assisted, text answers first, without entries that make no sense."""
        found = set()
        for capability in self.card.conditions:
            try:
                condition = condition_from_proto(capability)
            except ValueError:
                continue
            if capability.support in _ABLE:
                found.add(condition)
        return tuple(condition for condition in CONDITIONS if condition in found)

    def taking(self, modality: Modality) -> Condition | None:
        """The first declared condition with this input."""
        return next((condition for condition in self.declared if condition.input is modality), None)

    @property
    def concurrent(self) -> int:
        """Calls that the card takes at once; one where it says nothing."""
        return max(1, self.card.max_concurrent)

    async def describe(self) -> pb.DescribeResponse | Fault:
        try:
            card: pb.DescribeResponse = await self.client.stub.Describe(pb.DescribeRequest(), timeout=self.timeout_s)
        except grpc.RpcError as error:
            return fault_of(error)
        return card

    async def health(self, service: str = "") -> str:
        """`SERVING`, another status of grpc.health.v1, or the gRPC status of the error."""
        return await self.client.health(service, min(self.timeout_s, _HEALTH_TIMEOUT_S))

    def call(
        self, request: pb.GenerateRequest, timeout_s: float | None = None
    ) -> grpc.aio.UnaryStreamCall[pb.GenerateRequest, pb.GenerateResponse]:
        """A Generate call under way."""
        return self.client.call(request, timeout_s or self.timeout_s)

    async def ask(self, request: pb.GenerateRequest, timeout_s: float | None = None) -> Reply:
        return await gather(self.call(request, timeout_s))

    async def sample(self, condition: Condition) -> Reply:
        """The answer to the sample question of a condition; asked once."""
        if condition not in self._samples:
            self._samples[condition] = await self.ask(question(condition))
        return self._samples[condition]

    async def samples(self) -> dict[Condition, Reply]:
        """The sample answers of all declared conditions."""
        return {condition: await self.sample(condition) for condition in self.declared}

    async def answered_samples(self) -> dict[Condition, Reply]:
        """Those that are whole."""
        return {condition: reply for condition, reply in (await self.samples()).items() if reply.whole}

    async def working(self) -> Condition | None:
        """The first declared condition whose sample answer is whole: the one that further checks ask in."""
        for condition in self.declared:
            if (await self.sample(condition)).whole:
                return condition
        return None

    async def patient_answer(self, condition: Condition) -> Reply:
        """An answer of a service that may still be BUSY with what it was asked before; asked again for a while."""
        end = time.monotonic() + min(self.timeout_s, _BUSY_PATIENCE_S)
        number = 0
        while True:
            number += 1
            reply = await self.ask(question(condition, 1000 + number))
            if reply.fault is None or not reply.fault.has(Reason.BUSY) or time.monotonic() > end:
                return reply
            await asyncio.sleep(0.2)
