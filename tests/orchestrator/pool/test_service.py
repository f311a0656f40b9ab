"""Connecting to the replicas of a service: which are waited for, how long, and which notes the user gets."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import grpc
import pytest

from omnigap.errors import ContractError
from omnigap.rpc_errors import to_status
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_orchestrator.pool import ServiceError, connect
from tests.helpers.served_doubles import PATIENCE_S, ServeWire, Wire, plain
from tests.orchestrator.pool.asking import IMPATIENT, PATIENT, Connect, ask_all, echo, texts

BAD_CARD = ContractError(Reason.MODEL_ERROR, "the digest is not a SHA-256")


BAD_CARD = ContractError(Reason.MODEL_ERROR, "the digest is not a SHA-256")


@dataclass
class BadCard(Wire):
    """Describe ends with an error."""

    error: ContractError = field(default=BAD_CARD)
    described: int = 0

    async def Describe(self, request: pb.DescribeRequest, context: grpc.aio.ServicerContext) -> pb.DescribeResponse:  # noqa: N802
        self.described += 1
        status = to_status(self.error)
        await context.abort(status.code, status.details, status.trailing_metadata)


async def test_connect_refuses_replicas_with_different_digests(host_wire: ServeWire) -> None:
    addresses = [await host_wire(Wire(plain, digest=digest)) for digest in ("a" * 64, "b" * 64)]
    with pytest.raises(ServiceError) as caught:
        await connect("omni", addresses, PATIENT, print)
    for part in (*addresses, "a" * 12, "b" * 12, "[[models]]"):
        assert part in str(caught.value)


async def test_connect_returns_none_if_no_replica_answers(host_wire: ServeWire) -> None:
    wire = Wire(plain)
    address = await host_wire(wire)
    await wire.stop()
    assert await connect("omni", [address], IMPATIENT, print) is None


async def test_a_service_that_starts_late_is_waited_for(
    host_wire: ServeWire, connected: Connect, notes: list[str]
) -> None:
    wire = Wire(echo)
    address = await host_wire(wire)
    await wire.stop()
    connecting = asyncio.create_task(connected(address))
    async with asyncio.timeout(PATIENCE_S):
        while not notes:
            await asyncio.sleep(0.01)
    assert f"waiting up to {PATIENCE_S:g} s" in notes[0] and address in notes[0]
    await wire.start()
    assert texts(await ask_all(await connecting, "late")) == ["late"]


async def test_absent_services_are_waited_for_no_longer_than_the_patience(host_wire: ServeWire) -> None:
    wire = Wire(plain)
    address = await host_wire(wire)
    await wire.stop()
    async with asyncio.timeout(PATIENCE_S / 2):
        assert await connect("omni", [address], replace(PATIENT, patience_s=1.0), print) is None


async def test_a_serving_replica_is_used_without_waiting_for_the_others(
    host_wire: ServeWire, connected: Connect
) -> None:
    wire, gone = Wire(echo), Wire(echo)
    addresses = [await host_wire(wire), await host_wire(gone)]
    await gone.stop()
    async with asyncio.timeout(PATIENCE_S / 2):
        assert texts(await ask_all(await connected(*addresses), "now")) == ["now"]


async def test_a_bad_card_is_reported_and_not_waited_for(host_wire: ServeWire) -> None:
    notes: list[str] = []
    bad = BadCard(plain)
    address = await host_wire(bad)
    assert await connect("omni", [address], PATIENT, notes.append) is None
    assert bad.described == 1
    assert len(notes) == 1 and address in notes[0] and "the digest is not a SHA-256" in notes[0]


async def test_a_card_that_is_not_ready_yet_is_asked_for_again(host_wire: ServeWire, connected: Connect) -> None:
    loading = BadCard(echo, error=ContractError(Reason.NOT_READY, "it loads"))
    address = await host_wire(loading)
    connecting = asyncio.create_task(connected(address))
    async with asyncio.timeout(PATIENCE_S):
        while loading.described < 2:
            await asyncio.sleep(0.01)
    loading.Describe = Wire.Describe.__get__(loading)  # type: ignore[method-assign]
    await loading.stop()
    await loading.start()
    assert texts(await ask_all(await connecting, "ready")) == ["ready"]
