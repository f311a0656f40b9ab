"""An HTTP server over real sockets that answers chat completions in the form, or with the fault, that a test sets."""

from __future__ import annotations

import base64
import json
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import numpy as np

from omnigap.media import encode_pcm16, encode_wav

PATIENCE_S = 30.0
MODEL = "test/omni"
RATE = 24_000


@dataclass(frozen=True)
class Asked:
    """One received request; header names in lower case."""

    body: dict[str, Any]
    headers: Mapping[str, str]
    at_s: float


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP/1.1 with keep-alive; each request gets the next reply in the queue of the test."""

    protocol_version = "HTTP/1.1"
    server: ChatHttpServer

    def do_GET(self) -> None:
        self.server.owner.lists += 1
        models = {"object": "list", "data": [{"id": MODEL, "object": "model"}]}
        status = self.server.owner.list_status
        self.send(json.dumps(models).encode() if status == 200 else b"{}", status)

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if not data:
            return  # the caller disconnected before it sent anything
        body = json.loads(data)
        owner = self.server.owner
        owner.asked.append(Asked(body, {name.lower(): value for name, value in self.headers.items()}, time.monotonic()))
        (owner.line.popleft() if owner.line else whole())(self, body)

    def send(self, data: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing to stderr."""


class ChatHttpServer(ThreadingHTTPServer):
    daemon_threads = True
    owner: ChatServer


Reply = Callable[[Handler, dict[str, Any]], None]


class ChatServer:
    """Listens on a free port; answers with the queued replies in `line`, then with `whole()`."""

    def __init__(self, handler: type[Handler] = Handler) -> None:
        self._http = ChatHttpServer(("127.0.0.1", 0), handler)
        self._http.owner = self
        self.asked: list[Asked] = []
        self.before: list[Asked] = []
        self.line: deque[Reply] = deque()
        self.lists = 0
        self.list_status = 200
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def then(self, *replies: Reply) -> None:
        """Replaces the queued replies; requests so far move from `asked` to `before`."""
        self.before, self.asked = self.asked, []
        self.line.clear()
        self.line.extend(replies)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def wav(samples: np.ndarray, rate: int = RATE) -> str:
    """A complete WAV file in base64."""
    return base64.b64encode(encode_wav(encode_pcm16(samples), rate)).decode()


def tone(seconds: float = 0.5, rate: int = RATE) -> np.ndarray:
    """A steady 440 Hz tone at half of full scale."""
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def choice(content: str | None = None, finish: str = "stop", audio: dict[str, Any] | None = None) -> dict[str, Any]:
    """One choice; its index is 0, as in the answers of every server."""
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if audio is not None:
        message["audio"] = audio
    return {"index": 0, "message": message, "finish_reason": finish}


def completion(*choices: dict[str, Any], **usage: Any) -> dict[str, Any]:
    """A chat completion around choices."""
    counts = usage or {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": MODEL, "choices": choices, "usage": counts}


def sending(payload: Any, status: int = 200, **headers: str) -> Reply:
    """A reply of this JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, _: handler.send(json.dumps(payload).encode(), status, named)


def whole(text: str = "Paris") -> Reply:
    """The default reply: text, and audio if it is requested."""

    def reply(handler: Handler, body: dict[str, Any]) -> None:
        sound = {"id": "a", "data": wav(tone()), "expires_at": 0, "transcript": ""}
        spoken = "audio" in body.get("modalities", ())
        handler.send(json.dumps(completion(choice(text, audio=sound if spoken else None))).encode())

    return reply


def failing(status: int, message: str = "it broke", **headers: str) -> Reply:
    """A reply with an error, in OpenAI's form."""
    return sending({"error": {"message": message, "type": "server_error", "code": None}}, status, **headers)


def cut_off(handler: Handler, body: dict[str, Any]) -> None:
    """Half of a JSON document, with a Content-Length that fits this half."""
    data = json.dumps(completion(choice("Paris"))).encode()
    handler.send(data[: len(data) // 2])


def short_of_its_length(handler: Handler, body: dict[str, Any]) -> None:
    """Half of the bytes in Content-Length, then the end of the connection."""
    data = json.dumps(completion(choice("Paris"))).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])
    handler.close_connection = True


def reset(handler: Handler, body: dict[str, Any]) -> None:
    """The connection is reset before a byte of an answer."""
    handler.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


class Silence:
    """A reply that never comes: it waits until the caller closes the connection, and sets `left`."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.left = threading.Event()

    def __call__(self, handler: Handler, body: dict[str, Any]) -> None:
        self.entered.set()
        handler.connection.settimeout(PATIENCE_S)
        if handler.connection.recv(1) == b"":
            self.left.set()
        handler.close_connection = True


def streaming(*texts: str, end: bool = True, field: str = "content") -> Reply:
    """Server-sent events, one text each in this field; without `end` the connection closes before the last event."""

    def reply(handler: Handler, body: dict[str, Any]) -> None:
        assert body["stream"] is True
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        events: list[Any] = [{"choices": [{"index": 0, "delta": {field: text}}]} for text in texts]
        if end:
            events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})
            events.append({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": len(texts)}})
        for event in events:
            handler.wfile.write(b"data: " + json.dumps({"id": "c", "model": MODEL, **event}).encode() + b"\n\n")
        handler.wfile.write(b"data: [DONE]\n\n" if end else b"")
        handler.close_connection = True

    return reply
