"""Minutes of load on an echo service: memory, descriptors and threads of both sides stay flat."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from omnigap.client import GenerateClient
from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from tests.chaos.processes import served
from tests.chaos.table import Row

CALLERS = 16
_EVERY_S = 0.5
MEMORY_MB, MEMORY_SHARE, HANDLES = 8.0, 0.05, 4.0
"""Growth from one half to the other that counts as flat: megabytes plus a share; descriptors or threads."""
FILLS_S, CACHE_MB = 60.0, 64.0
"""In the first minute the replay cache of the service still fills, up to its limit."""


@dataclass(frozen=True, slots=True)
class Sample:
    memory_mb: float
    descriptors: float
    threads: float


def sample(process: psutil.Process) -> Sample:
    with process.oneshot():
        return Sample(process.memory_info().rss / 1e6, process.num_fds(), process.num_threads())


async def echo_load(folder: Path, seconds: float, say: Callable[[str], None]) -> Row:
    """Calls an echo service from 16 callers; the first fifth of the time is not counted.

    Args:
        say: gets the figures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    row = Row(f"{seconds:g} s of load")
    async with served("echo", folder) as service, GenerateClient(service.address) as client:
        begun, counts = time.monotonic(), [0, 0]
        end = begun + seconds
        sides = {"service": service.statistics, "client": psutil.Process()}
        samples: dict[str, list[Sample]] = {name: [] for name in sides}
        callers = [asyncio.create_task(_call(client, number, end, counts, row)) for number in range(CALLERS)]
        while time.monotonic() < end:
            await asyncio.sleep(_EVERY_S)
            if time.monotonic() > begun + seconds / 5:
                for name, process in sides.items():
                    samples[name].append(sample(process))
        _, stuck = await asyncio.wait(callers, timeout=60)
        for caller in stuck:
            caller.cancel()
            row.fail("hangs", "a caller got no answer for 60 s")
    row.tries = counts[0]
    for name, found in samples.items():
        _judge(row, name, found, MEMORY_MB + (CACHE_MB if seconds < FILLS_S else 0.0), say)
    say(f"{counts[0]} calls, {counts[0] / seconds:.0f} a second, {counts[1]} refused as BUSY")
    row.say(f"{counts[0] / seconds:.0f} calls a second; " + _figures("service", samples["service"]))
    return row


async def _call(client: GenerateClient, caller: int, end: float, counts: list[int], row: Row) -> None:
    number = 0
    while time.monotonic() < end:
        number += 1
        text = f"caller {caller} asks question {number}"
        output = pb.MODALITY_SPEECH if number % 4 == 0 else pb.MODALITY_TEXT
        request = pb.GenerateRequest(request_id=text, parts=[pb.InputPart(text=text)], output=output)
        try:
            answer = await client.generate(request, timeout_s=60)
        except ContractError as error:
            counts[1] += 1
            if error.reason != "BUSY":
                row.fail("lost", str(error))
            continue
        counts[0] += 1
        if answer.own_text != text:
            row.fail("wrong", f"{text!r} was answered with {answer.own_text[:60]!r}")


def _halves(found: list[Sample], column: str) -> tuple[float, float]:
    values = [getattr(each, column) for each in found]
    middle = len(values) // 2
    return median(values[:middle] or [0.0]), median(values[middle:] or [0.0])


def _figures(name: str, found: list[Sample]) -> str:
    parts = []
    for column, unit in (("memory_mb", "MB"), ("descriptors", "descriptors"), ("threads", "threads")):
        first, second = _halves(found, column)
        parts.append(f"{first:.0f} -> {second:.0f} {unit}")
    return f"{name} {', '.join(parts)}"


def _judge(row: Row, name: str, found: list[Sample], memory_mb: float, say: Callable[[str], None]) -> None:
    """Compares the second half of the samples with the first.

    Args:
        memory_mb: growth of memory that is allowed beside the share.
    """
    say(_figures(name, found))
    for column in ("memory_mb", "descriptors", "threads"):
        first, second = _halves(found, column)
        allowed = memory_mb + MEMORY_SHARE * first if column == "memory_mb" else HANDLES
        if second > first + allowed:
            row.fail("other", f"{name}: {column} grew from {first:.0f} to {second:.0f}")
