"""Hostile media and messages, sent to real services in raw gRPC, and as the media of items of a run."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import grpc
import numpy as np
import psutil
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from omnigap.v1 import model_service_pb2 as pb
from tests.chaos.hostile import Hostile, image_bytes, wav_of
from tests.chaos.payload import pcm_of
from tests.chaos.processes import Service, orchestrate, served
from tests.chaos.table import Row
from tests.helpers.running import Setting, item

SERVICES = ("echo", "espeak", "asr", "ocr")
LIMIT_S = 60.0
GROWTH_MB = 900.0
"""No message may cost a service more memory than this above what it had before."""
_GENERATE = "/omnigap.v1.ModelService/Generate"


async def all_services(folder: Path, cases: Sequence[Hostile], names: Sequence[str] = SERVICES) -> list[Row]:
    """Sends every case to every service; returns a row a service."""
    folder.mkdir(parents=True, exist_ok=True)
    return [await _one_service(folder, name, cases) for name in names]


async def _one_service(folder: Path, name: str, cases: Sequence[Hostile]) -> Row:
    row = Row(f"hostile media and messages to {name}")
    try:
        async with served(name, folder) as service:
            options = (("grpc.max_send_message_length", -1), ("grpc.enable_http_proxy", 0))
            async with grpc.aio.insecure_channel(service.address, options=options) as channel:
                base = service.statistics.memory_info().rss / 1e6
                for case in cases:
                    await _send(row, channel, service, case, 2 if name == "espeak" else 1, base)
    except RuntimeError:
        row.say("not installed: not checked")
    return row


async def _send(row: Row, channel: grpc.aio.Channel, service: Service, case: Hostile, output: int, base: float) -> None:
    row.tries += 1
    peak = _Peak(service)
    call = channel.unary_stream(_GENERATE)(case.request(output), timeout=LIMIT_S)
    try:
        complete = False
        async for data in call:
            complete = pb.GenerateResponse.FromString(data).HasField("complete")
        row.say("answered" if complete else "")
        if not complete:
            row.fail("other", f"{case.name}: no complete and no error")
    except grpc.RpcError as error:
        _judge_error(row, case, error)
    most = peak.stop()
    if most > base + GROWTH_MB:
        row.fail("other", f"{case.name}: {most - base:.0f} MB of memory")
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    try:
        if await check(b"", timeout=30) != b"\x08\x01":
            row.fail("lost", f"{case.name}: not SERVING afterwards")
    except grpc.RpcError as error:
        row.fail("lost", f"{case.name}: health {error.code().name} afterwards")


class _Peak:
    """Watches the resident memory of a service, in megabytes."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._most = 0.0
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        with contextlib.suppress(psutil.Error):
            while True:
                self._most = max(self._most, self._service.statistics.memory_info().rss / 1e6)
                await asyncio.sleep(0.02)

    def stop(self) -> float:
        self._task.cancel()
        return self._most


def _judge_error(row: Row, case: Hostile, error: grpc.RpcError) -> None:
    """An error has to carry ErrorInfo of the contract. gRPC answers what exceeds its own limits without one."""
    code, text = error.code(), error.details() or ""
    row.say(f"{code.name}: {text}")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        row.fail("hangs", f"{case.name}: {LIMIT_S:g} s")
    elif code is grpc.StatusCode.UNAVAILABLE:
        row.fail("lost", f"{case.name}: {text}")
    elif not _reason(error) and code is not grpc.StatusCode.RESOURCE_EXHAUSTED:
        row.fail("other", f"{case.name}: {code.name} without a reason: {text}")
    elif "Traceback" in text or len(text) > 10_000 or _reason(error) == "MODEL_ERROR":
        row.fail("other", f"{case.name}: {code.name} {_reason(error)}: {text}")


def _reason(error: grpc.RpcError) -> str:
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")  # type: ignore[call-overload]
    try:
        for detail in status_pb2.Status.FromString(details).details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info) and info.domain == "omnigap.v1":
                return str(info.reason)
    except DecodeError:
        return ""
    return ""


async def as_items(folder: Path, cases: Sequence[Hostile], limit_s: float) -> Row:
    """Gives each medium to an item, beside a good one: it is refused by name, or the run ends well."""
    row = Row("hostile media as carriers of items")
    gate = asyncio.Semaphore(2)
    async with served("echo", _made(folder)) as echo:

        async def one(number: int, case: Hostile) -> None:
            async with gate:
                await _one_item(row, folder / f"{number}", case, echo.address, limit_s)

        chosen = [case for case in cases if case.kind in ("audio", "image")]
        others = [(f"{what} as a carrier", what) for what in ("fifo", "device", "folder", "missing")]
        files = [*chosen, *(Hostile(name, what, b"") for name, what in others)]
        await asyncio.gather(*(one(number, case) for number, case in enumerate(files)))
    return row


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


_SPECIAL: dict[str, Callable[[Path], object]] = {
    "fifo": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": lambda path: path.mkdir(),
    "missing": lambda path: None,
}


async def _one_item(row: Row, folder: Path, case: Hostile, address: str, limit_s: float) -> None:
    path = _made(folder) / f"carrier.{'png' if case.kind == 'image' else 'wav'}"
    if case.kind in _SPECIAL:
        _SPECIAL[case.kind](path)
    else:
        path.write_bytes(case.data)
    field = "image" if case.kind == "image" else "speech"
    condition = "i2t" if field == "image" else "s2t"
    (folder / "good.wav").write_bytes(wav_of(np.frombuffer(pcm_of("good"), "<i2")))
    (folder / "good.png").write_bytes(image_bytes("PNG"))
    rows = [
        item("bad", carriers={field: {"path": path.name}}),
        item("good", carriers={field: {"path": f"good{path.suffix}"}}),
    ]
    run = {"conditions": ["t2t", condition], "max_retries": 0}
    setting = Setting(folder, {"echo": [address]}, [], [address], items=rows, tables={"run": run})
    ended = await orchestrate("run", "--config", setting.write(), folder=folder, limit_s=limit_s)
    row.tries += 1
    row.say(ended.last_line)
    if ended.hung:
        row.fail("hangs", case.name)
    elif ended.traceback or ended.code not in (0, 1, 2, 3):
        row.fail("other", f"{case.name}: exit code {ended.code}: {ended.traceback or ended.last_line}")
    elif ended.peak_mb > GROWTH_MB:
        row.fail("other", f"{case.name}: {ended.peak_mb:.0f} MB of memory")
    elif ended.code in (1, 2) and not any(word in ended.err for word in (path.name, "bad")):
        row.fail("other", f"{case.name}: the message does not name the item: {ended.last_line}")
