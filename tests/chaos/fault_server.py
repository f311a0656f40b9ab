"""Services that misbehave by plan: one port a fault, in raw gRPC, without code of the client or of the model server.

    python -m tests.chaos.fault_server --log FILE NAME [NAME ...]

A NAME is a kind of `kinds.KINDS` or a key of MIXED; `honest`, `tts` and `scorer` follow the contract; `scorer:KIND` is
a scorer with that fault, and `scorer:spoilt` spoils the transcript of every second item, each by another kind. Prints a
line of JSON with the ports. Each request is written to FILE, and synced, before it is answered. After SIGUSR1 all
services are honest.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import grpc

from omnigap.v1 import model_service_pb2 as pb
from tests.chaos.behaviours import ALWAYS, BEHAVIOURS, CARDS, LATER, Abort, Call, error_info
from tests.chaos.kinds import BY_NAME, MIXED, PER_ANSWER
from tests.chaos.payload import RATE, text_of

SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"
HONEST, TTS, SCORER = "honest", "tts", "scorer"
CONDITIONS = [(source, output) for source in (1, 2, 3) for output in (1, 2)]
_ITEM = re.compile(r"[Ii]tem (\d+)")
_CODES = {code.value[0]: code for code in grpc.StatusCode}


def digest_of(name: str) -> str:
    """The digest that the service of this name has as planned."""
    return hashlib.sha256(name.encode()).hexdigest()


def other_digest(name: str) -> str:
    return hashlib.sha256(f"another {name}".encode()).hexdigest()


def answer_text(name: str, item: int, output: str) -> str:
    """The honest answer of a model."""
    return f"answer to item {item} in {output} by {name} {digest_of(name)[:8]}"


@dataclass
class Fault:
    """The service of one port.

    Attributes:
        log: gets a line for each request.
        delay_s: seconds before each answer.
        calm: set once the service has to be honest.
    """

    name: str
    log: BinaryIO
    delay_s: float = 0.0
    calm: asyncio.Event = field(default_factory=asyncio.Event)
    answered: int = 0
    described: int = 0
    checked: int = 0

    @property
    def role(self) -> str:
        """`tts`, `scorer`, or the name of the fault of a model."""
        return self.name.partition(":")[0]

    @property
    def kind(self) -> str:
        """The fault; that of a model is its name."""
        return self.name.partition(":")[2] or self.name

    async def health(self, _: bytes, context: Any) -> bytes:
        self.checked += 1
        if self.calm.is_set():
            return SERVING
        if self.kind == "health_missing":
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "no health service")
        if self.kind == "health_hangs":
            await self.calm.wait()
        return {
            "not_serving_answers": NOT_SERVING,
            "health_noise": b"\xff\xfe\xff",
            "health_unknown": b"\x08\x63",
            "health_flaps": NOT_SERVING if self.checked % 2 else SERVING,
        }.get(self.kind, SERVING)

    async def describe(self, _: bytes, context: Any) -> bytes:
        self.described += 1
        card = pb.DescribeResponse(
            name=self.name,
            version="1",
            architecture=pb.ARCHITECTURE_CASCADE if self.role not in (TTS, SCORER) else 0,
            digest=digest_of(self.name),
            conditions=[pb.Capability(input=i, output=o, support=1) for i, o in CONDITIONS],
            limits=pb.Limits(max_audio_seconds=600, max_image_pixels=10_000_000, max_text_chars=100_000),
            max_concurrent=4,
            max_batch_size=1,
            voices=[pb.Voice(name="en-us", language="en")] if self.name == TTS else [],
            output_sample_rate_hz=RATE,
        )
        if self.calm.is_set():
            return bytes(card.SerializeToString())
        if self.kind == "describe_hangs":
            await self.calm.wait()
        if self.kind == "describe_error":
            await context.abort(grpc.StatusCode.INTERNAL, "Describe is broken")
        changed = CARDS.get(self.kind, lambda card, _: card)(card, self.described)
        return changed if isinstance(changed, bytes) else bytes(changed.SerializeToString())

    async def generate(self, data: bytes, context: Any) -> AsyncIterator[bytes]:
        request = pb.GenerateRequest.FromString(data)
        source, item = _content(request)
        speech = request.output == pb.MODALITY_SPEECH
        kind = self._kind(item)
        hit = kind in BEHAVIOURS and not self.calm.is_set() and self._is_hit(kind, item, speech)
        self._write(request, item, speech, hit)
        repeats = self.role in (TTS, SCORER)
        text = source if repeats else answer_text(self.name, item, "speech" if speech else "text")
        call = Call(request, text, digest_of(self.name), other_digest(self.name), self.answered, speech)
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        events: Any = BEHAVIOURS[kind](call) if hit else iter(call.honest())
        if request.expected_digest not in ("", call.digest) and not hit:
            details = (("grpc-status-details-bin", error_info("DIGEST_MISMATCH", 9)),)
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"the digest is {call.digest}", details)
        try:
            async for event in _each(events):
                yield event if isinstance(event, bytes) else event.SerializeToString()
        except Abort as abort:
            trailing = (("grpc-status-details-bin", abort.details),) if abort.details is not None else ()
            await context.abort(_CODES[abort.code], abort.message, trailing)
        self.answered += 1

    def _kind(self, item: int) -> str:
        kinds = PER_ANSWER if self.kind == "spoilt" else MIXED.get(self.kind, ())
        return kinds[item // 2 % len(kinds)].name if kinds else self.kind

    def _is_hit(self, kind: str, item: int, speech: bool) -> bool:
        if ("speech" if speech else "text") not in BY_NAME[kind].hits:
            return False
        if kind in LATER:
            return self.answered >= 2
        return kind in ALWAYS or item % 2 == 1

    def _write(self, request: pb.GenerateRequest, item: int, speech: bool, hit: bool) -> None:
        line = {
            "at": time.time(),
            "name": self.name,
            "request_id": request.request_id,
            "item": item,
            "output": "speech" if speech else "text",
            "hit": hit,
            "kind": self._kind(item),
        }
        self.log.write(json.dumps(line).encode() + b"\n")
        self.log.flush()
        os.fsync(self.log.fileno())


def _content(request: pb.GenerateRequest) -> tuple[str, int]:
    """The text of the carrier, also where it is inside of audio, and the number of its item; -1 without one."""
    first = request.parts[0] if request.parts else pb.InputPart()
    source = first.text or text_of(first.audio.data) or ""
    found = _ITEM.search(source)
    return source, int(found[1]) if found else -1


async def _each(events: Any) -> AsyncIterator[Any]:
    if hasattr(events, "__aiter__"):
        async for event in events:
            yield event
        return
    for event in events:
        yield event


async def serve(fault: Fault, port: int = 0) -> tuple[grpc.aio.Server, int]:
    """Starts the service of one port."""
    options = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0))
    server = grpc.aio.server(options=(*options, ("grpc.max_metadata_size", 4_000_000)))
    methods: dict[str, dict[str, Callable[..., Any]]] = {
        "omnigap.v1.ModelService": {
            "Describe": grpc.unary_unary_rpc_method_handler(fault.describe),
            "Generate": grpc.unary_stream_rpc_method_handler(fault.generate),
        },
        "grpc.health.v1.Health": {"Check": grpc.unary_unary_rpc_method_handler(fault.health)},
    }
    handlers = [grpc.method_handlers_generic_handler(name, found) for name, found in methods.items()]
    server.add_generic_rpc_handlers(handlers)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    return server, bound


async def _main(names: list[str], log: Path, delay_s: float, ports: list[int]) -> None:
    loop, stop, calm = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, calm.set)
    servers: dict[str, tuple[grpc.aio.Server, int]] = {}
    with log.open("ab") as file:
        for name, port in zip(names, ports or [0] * len(names), strict=True):
            servers[name] = await serve(Fault(name, file, delay_s, calm), port)
        print(
            json.dumps({"event": "serving", "ports": {name: port for name, (_, port) in servers.items()}}), flush=True
        )
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(
                [asyncio.create_task(stop.wait()), asyncio.create_task(_parent_gone())], return_when="FIRST_COMPLETED"
            )
        stopping: list[Awaitable[None]] = [server.stop(None) for server, _ in servers.values()]
        await asyncio.gather(*stopping)


async def _parent_gone() -> None:
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--port", type=int, action="append", default=[])
    parser.add_argument("names", nargs="+")
    given = parser.parse_args()
    sys.exit(asyncio.run(_main(given.names, given.log, given.delay, given.port)))
