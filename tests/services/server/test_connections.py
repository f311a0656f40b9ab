"""Connections: silent and half-open ones are dropped, and calls survive the age at which one is replaced."""

from __future__ import annotations

import asyncio
import socket

import grpc
import grpc.aio
import pytest

from omnigap.channel import SERVER_OPTIONS
from omnigap.errors import ContractError
from omnigap_services.server import lifecycle
from tests.services.server.model_double import PATIENCE_S, Double, Gate, Start, asking, collect, entered, reply

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# Frame: length (3 bytes), type, flags, stream (4 bytes).
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
# Announces 255 bytes of headers and sends three.
HALF_HEADERS = b"\0\0\xff\1\4\0\0\0\1abc"


@pytest.fixture
def shortened(monkeypatch: pytest.MonkeyPatch) -> dict[str, int | str]:
    """The options of the server; a test shortens times in them before it starts one."""
    options = dict(SERVER_OPTIONS)
    for name in ("handshake_timeout_ms", "max_connection_idle_ms", "max_connection_age_ms"):
        # A misspelt option is ignored by gRPC, so that the tests below would pass without effect on real servers.
        assert any(name in key for key in options)
    monkeypatch.setattr(lifecycle, "SERVER_OPTIONS", options.items())
    return options


async def closed_by_server(port: int, sent: bytes) -> None:
    """Connects, sends these bytes and waits until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as raw:
        raw.sendall(sent)

        def drain() -> None:
            try:
                while raw.recv(65_536):
                    pass
            except ConnectionResetError:
                pass

        await asyncio.to_thread(drain)


@pytest.mark.parametrize(
    "sent",
    [b"", PREFACE[:9], PREFACE, PREFACE + SETTINGS, PREFACE + SETTINGS + HALF_HEADERS, b"GET / HTTP/1.1\r\n"],
    ids=["nothing", "half a preface", "no settings", "no calls", "half a header", "HTTP/1"],
)
async def test_a_peer_that_does_not_finish_what_it_begins_is_dropped(
    running: Start, shortened: dict[str, int], sent: bytes
) -> None:
    shortened["grpc.server_handshake_timeout_ms"] = 200
    shortened["grpc.keepalive_time_ms"] = shortened["grpc.keepalive_timeout_ms"] = 500
    shortened["grpc.max_connection_idle_ms"] = 500
    served = await running(Double())
    await asyncio.gather(*(closed_by_server(served.server.port, sent) for _ in range(20)))
    assert (await served.caller.ask("hello")).text == "hello"


async def test_calls_that_outlast_the_age_of_their_connection_end_whole(
    running: Start, shortened: dict[str, int]
) -> None:
    shortened["grpc.max_connection_age_ms"] = 100
    gate = Gate()
    served = await running(Double(lambda turn: (gate if turn.request.carrier == "slow" else reply)(turn), workers=2))
    slow = asyncio.create_task(served.caller.ask("slow"))
    await entered(gate)
    channel = served.caller.channel
    for _ in range(5):
        # The server gives the connection up, and the next call opens a new one.
        await asyncio.wait_for(channel.wait_for_state_change(grpc.ChannelConnectivity.READY), PATIENCE_S)
        answers = await asyncio.gather(*(served.caller.ask("quick") for _ in range(50)))
        assert {answer.text for answer in answers} == {"quick"}
    gate.open.set()
    assert (await slow).text == "slow"


async def test_new_calls_never_meet_a_connection_that_is_being_closed(
    running: Start, shortened: dict[str, int]
) -> None:
    shortened["grpc.max_connection_age_ms"] = 20
    served = await running(Double())
    for _ in range(500):
        assert (await served.caller.ask("quick")).text == "quick"


async def test_headers_over_the_limit_are_refused_always(running: Start) -> None:
    served = await running(Double())
    for size, refused in ((12_000, False), (20_000, True)):
        calls = [served.caller.stub.Generate(asking("hello"), metadata=(("x", "y" * size),)) for _ in range(20)]
        for call in calls:
            try:
                await collect(call)
            except ContractError as error:
                assert refused, error
            else:
                assert not refused
