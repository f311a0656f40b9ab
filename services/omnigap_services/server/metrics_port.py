"""HTTP port of the metrics, served by the event loop: few connections at once, each with a time limit."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, make_wsgi_app

# A scraper opens one connection at a time; the rest is for people and probes.
MAX_CONNECTIONS = 32

# From the connection to the last byte of the response.
_PATIENCE_S = 10.0
_MAX_HEADER_BYTES = 16 * 1024

Headers = Sequence[tuple[str, str]]


class MetricsPort:
    """A server that answers one GET per connection with the metrics.

    The HTTP server of prometheus_client starts a thread for every connection and waits for its request without a limit,
    so that a client that only connects holds a thread for as long as it likes.
    """

    def __init__(self, registry: CollectorRegistry, patience_s: float = _PATIENCE_S) -> None:
        self._app = make_wsgi_app(registry)
        self._patience_s = patience_s
        self._open: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def connections(self) -> int:
        """Connections that are open."""
        return len(self._open)

    async def start(self, host: str, port: int) -> None:
        """Listens; raises OSError if the port is taken."""
        loop = asyncio.get_running_loop()
        # One address only: port 0 would otherwise be another port for each address of the host.
        family, _, _, _, address = (await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0]
        self._server = await asyncio.start_server(
            self._connected, str(address[0]), port, family=family, limit=_MAX_HEADER_BYTES
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            async with asyncio.timeout(self._patience_s):
                if len(self._open) > MAX_CONNECTIONS:
                    writer.write(_response("503 Service Unavailable", [], b"too many connections\n"))
                else:
                    writer.write(await self._answer(reader))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        # The client was too slow or went away. There is no response that it would read.
        except (TimeoutError, OSError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _response("431 Request Header Fields Too Large", [], b"")
        except asyncio.IncompleteReadError:
            return b""
        request, *lines = head.decode("latin-1").split("\r\n")
        # "GET /metrics HTTP/1.1"
        words = request.split(" ")
        if len(words) != 3:
            return _response("400 Bad Request", [], b"")
        path, _, query = words[1].partition("?")
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        environ = {
            "REQUEST_METHOD": words[0],
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "HTTP_ACCEPT": fields.get("accept", ""),
            "HTTP_ACCEPT_ENCODING": fields.get("accept-encoding", ""),
        }
        found: list[tuple[str, Headers]] = []
        body = b"".join(self._app(environ, lambda status, headers: found.append((status, headers))))
        return _response(*found[0], body)


def _response(status: str, headers: Headers, body: bytes) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body
