"""A TCP proxy in front of a service: it spoils bytes by plan, and frames of HTTP/2 without reading their headers."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

_CHUNK = 65_536
Send = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Spoil:
    """A fault of connections.

    Attributes:
        what: what happens to the bytes.
        alters: it changes bytes silently, which plain TCP can't show: a text may then arrive with other letters.
    """

    name: str
    what: str
    alters: bool = False


SPOILS = (
    Spoil("drop", "every second connection is closed at once"),
    Spoil("hold", "every second connection is accepted, and no byte is passed on"),
    Spoil("rst", "every second connection is reset at once"),
    Spoil("rst_later", "a reset after some bytes of answers"),
    Spoil("truncate", "the connection ends after some bytes of answers"),
    Spoil("half_close", "the sending half ends after some bytes of requests"),
    Spoil("black_hole", "after some bytes nothing is passed on, and the connection stays"),
    Spoil("delay", "each piece is 20 to 100 ms late"),
    Spoil("one_byte", "after some bytes, one byte a second"),
    Spoil("small_pieces", "pieces of 1 to 7 bytes"),
    Spoil("flip_answers", "a bit of every 300 bytes of answers is flipped", alters=True),
    Spoil("flip_requests", "a bit of every 600 bytes of requests is flipped", alters=True),
    Spoil("repeat", "some bytes of answers arrive twice", alters=True),
    Spoil("zeros", "some bytes of answers are zeros", alters=True),
    Spoil("preamble", "an HTTP/1.1 page comes before the answers"),
    Spoil("goaway", "GOAWAY after some frames"),
    Spoil("rst_stream", "RST_STREAM for the streams of some answers"),
    Spoil("compressed", "messages are marked as compressed and are not"),
    Spoil("long_message", "messages are marked as 2 GB long"),
    Spoil("huge_frame", "a frame of 16 MB is announced"),
    Spoil("ping_flood", "a thousand pings with each answer"),
    Spoil("settings_flood", "a thousand SETTINGS frames with each answer"),
    Spoil("window_zero", "a SETTINGS frame that allows frames of 16 bytes and windows of 0"),
    Spoil("unknown_frames", "frames of unknown types"),
)
FRAMED = frozenset(
    {"goaway", "rst_stream", "compressed", "long_message", "huge_frame", "ping_flood", "settings_flood", "window_zero",
     "unknown_frames"}
)  # fmt: skip


@dataclass
class Proxy:
    """Listens on a free port and passes bytes on to `target`.

    Attributes:
        calm: passes everything on unchanged.
        spoilt: number of connections that a fault hit.
    """

    spoil: Spoil
    target: int
    seed: int
    calm: bool = False
    spoilt: int = 0
    port: int = 0
    _count: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def reset(self) -> None:
        """Lets the faults end; open connections are closed."""
        self.calm = True
        for task in list(self._tasks):
            task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._count += 1
        draw = random.Random(f"{self.seed} {self.spoil.name} {self._count}")
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._connection(reader, writer, draw)
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, draw: random.Random
    ) -> None:
        name = "" if self.calm else self.spoil.name
        if name in ("drop", "hold", "rst") and self._count % 2:
            self.spoilt += 1
            if name == "hold":
                await asyncio.Event().wait()
            if name == "rst":
                _reset_on_close(writer)
            return
        self.spoilt += bool(name)
        back_reader, back = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            if name == "preamble":
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nno\n")
            answers = Framed(name, draw) if name in FRAMED else Stream(name, draw)
            requests = Stream({"flip_requests": "flip_answers", "half_close": "truncate"}.get(name, ""), draw)
            down = asyncio.create_task(_pump(back_reader, writer, answers))
            up = asyncio.create_task(_pump(reader, back, requests))
            try:
                await asyncio.wait([down] if name == "half_close" else [down, up], return_when="FIRST_COMPLETED")
                if answers.resets:
                    _reset_on_close(writer)
            finally:
                down.cancel()
                up.cancel()
                await asyncio.gather(down, up, return_exceptions=True)
        finally:
            back.transport.abort()


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    """Closing sends RST instead of FIN."""
    found = writer.get_extra_info("socket")
    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: Stream | Framed) -> None:
    """Passes bytes on until the stream ends or its fault ends it."""

    async def send(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    while data := await reader.read(_CHUNK):
        if not await stream.passed(data, send):
            break
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()


class Stream:
    """Faults of one direction that know nothing about HTTP/2."""

    def __init__(self, name: str, draw: random.Random) -> None:
        self._name = name
        self._draw = draw
        self._left = draw.randrange(300, 3_000)
        self.resets = name == "rst_later"

    async def passed(self, data: bytes, send: Send) -> bool:
        """Sends what becomes of some bytes; False once the stream is to end."""
        name, draw = self._name, self._draw
        if name == "delay":
            await asyncio.sleep(draw.uniform(0.02, 0.1))
        elif name == "small_pieces":
            while data:
                size = draw.randrange(1, 8)
                await send(data[:size])
                data = data[size:]
            return True
        elif name in ("truncate", "rst_later", "black_hole", "one_byte"):
            kept, data = data[: self._left], data[self._left :]
            self._left -= len(kept)
            await send(kept)
            return await self._at_end(data, send) if self._left <= 0 else True
        elif name in ("flip_answers", "repeat", "zeros"):
            data = self._altered(data)
        await send(data)
        return True

    async def _at_end(self, rest: bytes, send: Send) -> bool:
        if self._name == "black_hole":
            await asyncio.Event().wait()
        if self._name == "one_byte":
            for place in range(len(rest)):
                await asyncio.sleep(1.0)
                await send(rest[place : place + 1])
            return True
        return False

    def _altered(self, data: bytes) -> bytes:
        found, draw = bytearray(data), self._draw
        self._left -= len(data)
        while self._left <= 0 and found:
            place = draw.randrange(len(found))
            if self._name == "flip_answers":
                found[place] ^= 1 << draw.randrange(8)
            elif self._name == "zeros":
                found[place : place + 8] = bytes(len(found[place : place + 8]))
            else:
                found[place:place] = found[place : place + 40]
            self._left += draw.randrange(300, 900)
        return bytes(found)


class Framed:
    """Faults of the HTTP/2 frames of answers. Frame: length (3 bytes), type, flags, stream (4 bytes), payload."""

    resets = False

    def __init__(self, name: str, draw: random.Random) -> None:
        self._name = name
        self._buffer = b""
        self._seen = 0
        self._first = draw.randrange(1, 4)

    async def passed(self, data: bytes, send: Send) -> bool:
        """Sends whole frames, some of them changed."""
        self._buffer += data
        while len(self._buffer) >= 9:
            size = 9 + int.from_bytes(self._buffer[:3], "big")
            if len(self._buffer) < size:
                break
            frame, self._buffer = self._buffer[:size], self._buffer[size:]
            # Type 0 is DATA. The first ones are answers to health checks and Describe.
            if frame[3] == 0 and size > 9:
                self._seen += 1
                if self._seen > self._first + 1 and self._seen % 2:
                    frame = self._spoilt(frame)
            await send(frame)
        return True

    def _spoilt(self, frame: bytes) -> bytes:
        stream, name = frame[5:9], self._name
        if name == "goaway":
            return (
                _frame(7, b"\x7f\xff\xff\xff" + b"\0\0\0\0") + frame
                if self._seen % 4
                else frame + _frame(7, stream + b"\0\0\0\x02")
            )
        if name == "rst_stream":
            return _frame(3, b"\0\0\0\x02", stream)
        if name == "compressed" and len(frame) > 14:
            return frame[:9] + b"\x01" + frame[10:]
        if name == "long_message" and len(frame) > 14:
            return frame[:10] + b"\x7f\xff\xff\xff" + frame[14:]
        if name == "huge_frame":
            return b"\xff\xff\xff" + frame[3:]
        if name == "ping_flood":
            return frame + _frame(6, b"chaoschs") * 1_000
        if name == "settings_flood":
            return frame + _frame(4, b"") * 1_000
        if name == "window_zero":
            return frame + _frame(4, b"\0\x05\0\0\0\x10" + b"\0\x04\0\0\0\0")
        return _frame(0x42, b"what is this") * 10 + frame


def _frame(kind: int, payload: bytes, stream: bytes = b"\0\0\0\0") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, 0]) + stream + payload
