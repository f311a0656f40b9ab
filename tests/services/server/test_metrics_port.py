"""The metrics port: a client that is slow, silent or many takes no thread and is closed."""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
from collections.abc import AsyncIterator

import pytest

from omnigap_services.server.metrics import Metrics
from omnigap_services.server.metrics_port import MAX_CONNECTIONS, MetricsPort
from tests.services.server.model_double import PATIENCE_S

GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
async def port() -> AsyncIterator[MetricsPort]:
    """A port whose time limit is short."""
    port = MetricsPort(Metrics().registry, patience_s=0.3)
    await port.start("127.0.0.1", 0)
    yield port
    await port.close()


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(port: MetricsPort, sent: bytes) -> Connection:
    reader, writer = await asyncio.open_connection("127.0.0.1", port.port)
    writer.write(sent)
    return reader, writer


async def closed(connection: Connection) -> bytes:
    """What the server sent until it closed the connection."""
    async with asyncio.timeout(PATIENCE_S):
        try:
            return await connection[0].read()
        except ConnectionResetError:
            return b""


@pytest.mark.parametrize(
    "sent", [b"", b"GET", b"GET / HTTP/1.1\r\n", GET[:-1]], ids=["nothing", "a word", "a line", "no last byte"]
)
async def test_a_client_without_a_whole_request_is_closed(port: MetricsPort, sent: bytes) -> None:
    assert await closed(await connect(port, sent)) == b""


async def test_a_client_that_sends_byte_by_byte_is_closed(port: MetricsPort) -> None:
    connection = await connect(port, b"")

    async def drip() -> None:
        # Each byte renews a time limit on single reads; the limit has to cover the request.
        while not connection[1].is_closing():
            connection[1].write(b"x")
            await asyncio.sleep(0.01)

    dripping = asyncio.create_task(drip())
    assert await closed(connection) == b""
    dripping.cancel()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (GET + b"GET /second HTTP/1.1\r\n\r\n", b"200"),
        (b"x" * 70_000, b"431"),
        (b"\r\n\r\n", b"400"),
        (b"\xff\xfe\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\n\r\n", b"405"),
    ],
)
async def test_every_request_gets_one_response(port: MetricsPort, sent: bytes, status: bytes) -> None:
    answer = await closed(await connect(port, sent))
    # A client that still sends may see the connection reset before it reads the response.
    assert answer.startswith(b"HTTP/1.1 " + status) or (status == b"431" and not answer)
    assert answer.count(b"HTTP/1.1") == bool(answer)


async def test_metrics_are_compressed_on_request(port: MetricsPort) -> None:
    answer = await closed(await connect(port, GET.replace(b"Host: x", b"Accept-Encoding: gzip")))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"omnigap_batch_size" in gzip.decompress(body)


async def test_many_idle_connections_take_no_threads_and_leave_room_again(port: MetricsPort) -> None:
    threads = threading.active_count()
    connections = [await connect(port, b"") for _ in range(3 * MAX_CONNECTIONS)]
    answers = await asyncio.gather(*map(closed, connections))
    # Threads of earlier tests may end meanwhile.
    assert threading.active_count() <= threads
    assert sum(answer.startswith(b"HTTP/1.1 503") for answer in answers) >= MAX_CONNECTIONS
    assert (await closed(await connect(port, GET))).startswith(b"HTTP/1.1 200")


async def test_a_client_that_does_not_read_is_closed() -> None:
    metrics = Metrics()
    # More than the buffers of two sockets hold.
    for number in range(1_000):
        metrics.watch(f"gauge_{number}", "x" * 20_000, lambda: 0.0)
    port = MetricsPort(metrics.registry, patience_s=0.3)
    await port.start("127.0.0.1", 0)
    raw = socket.create_connection(("127.0.0.1", port.port))
    raw.sendall(GET)
    async with asyncio.timeout(PATIENCE_S):
        while not port.connections:
            await asyncio.sleep(0.01)
        while port.connections:
            await asyncio.sleep(0.01)
    raw.close()
    await port.close()


async def test_close_ends_open_connections() -> None:
    port = MetricsPort(Metrics().registry)
    await port.start("localhost", 0)
    connection = await asyncio.open_connection("localhost", port.port)
    while not port.connections:
        await asyncio.sleep(0.01)
    await port.close()
    assert await closed(connection) == b""
