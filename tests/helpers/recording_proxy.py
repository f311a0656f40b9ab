"""An HTTP proxy that refuses every request and records it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

VARIABLES = tuple(
    name for lower in ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy") for name in (lower, lower.upper())
)
NO_PROXY = ("no_proxy", "NO_PROXY", "no_grpc_proxy")

_REFUSAL = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class RecordingProxy:
    """Listens on a free port.

    Attributes:
        url: of the proxy.
        asked: first line of each request, in order; empty for a connection that sent nothing.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                self.asked.append(connection.recv(4096).decode("latin-1").partition("\r\n")[0])
                connection.sendall(_REFUSAL)


@contextmanager
def recording_proxy() -> Iterator[RecordingProxy]:
    proxy = RecordingProxy()
    try:
        yield proxy
    finally:
        proxy.close()


def point_everything_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets every proxy variable of the environment, and removes the variables that except hosts."""
    for name in VARIABLES:
        monkeypatch.setenv(name, url)
    for name in NO_PROXY:
        monkeypatch.delenv(name, raising=False)
