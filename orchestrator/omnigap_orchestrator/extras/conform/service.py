"""The service under test: its client, its description, and the sample answers that several checks use."""

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
_BUSY_TIMEOUT_S = 30.0


class ServiceUnderTest:
    """A service at an address. Its faults are returned as values, not raised: the checks judge them."""

    def __init__(self, address: str, timeout_s: float, proxy: str = "") -> None:
        """`timeout_s`: time limit of one call; `proxy`: URL of an HTTP proxy to the service."""
        self.address = address
        self.timeout_s = timeout_s
        self.card = pb.DescribeResponse()
        self.client = GenerateClient(address, proxy)
        self._samples: dict[Condition, Reply] = {}

    async def __aenter__(self) -> ServiceUnderTest:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.close()

    @property
    def declared(self) -> tuple[Condition, ...]:
        """Conditions that are declared native or assisted, text answers first; invalid entries are ignored."""
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
        """Declared number of concurrent calls; 1 if none is declared."""
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
        """Starts a Generate call."""
        return self.client.call(request, timeout_s or self.timeout_s)

    async def generate(self, request: pb.GenerateRequest, timeout_s: float | None = None) -> Reply:
        """Sends a request and collects the complete stream."""
        return await gather(self.call(request, timeout_s))

    # Several checks judge the same answers; asking again would multiply the time of a slow model.
    async def sample(self, condition: Condition) -> Reply:
        """The answer to the sample question of a condition; sent once and cached."""
        if condition not in self._samples:
            self._samples[condition] = await self.generate(question(condition))
        return self._samples[condition]

    async def samples(self) -> dict[Condition, Reply]:
        """The sample answers of all declared conditions."""
        return {condition: await self.sample(condition) for condition in self.declared}

    async def answered_samples(self) -> dict[Condition, Reply]:
        """The complete sample answers."""
        return {condition: reply for condition, reply in (await self.samples()).items() if reply.complete_stream}

    async def working(self) -> Condition | None:
        """The first declared condition with a complete sample answer; further checks use it."""
        for condition in self.declared:
            if (await self.sample(condition)).complete_stream:
                return condition
        return None

    async def answer_when_idle(self, condition: Condition) -> Reply:
        """An answer; a service that is still BUSY with earlier calls is asked again for a while."""
        end = time.monotonic() + min(self.timeout_s, _BUSY_TIMEOUT_S)
        number = 0
        while True:
            number += 1
            # A fresh question each time, so that no answer is replayed.
            reply = await self.generate(question(condition, 1000 + number))
            if reply.fault is None or not reply.fault.has(Reason.BUSY) or time.monotonic() > end:
                return reply
            # Long enough not to add to the load, short compared with a model's answer.
            await asyncio.sleep(0.2)
