"""A part of the cascade that is a service of its own: whoever it is, it is asked over the Generate contract."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import CancelledError

from omnigap.client import Answer, GenerateClient, OnDelta
from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_services.adapter import Part, Request
from omnigap_services.cascade.options import CascadeOptions
from omnigap_services.cascade.part_fault import TITLES, Place, absent, as_ours
from omnigap_services.cascade.part_message import message_of
from omnigap_services.loop_thread import Gone, LoopThread

_LOADING_PAUSE_S = 0.2
_SHORTEST_S = 0.05

# A part that serves others too may be full for a while; beyond this the caller waits instead of us.
_BUSY_PATIENCE_S = 30.0
_BUSY_DELAYS_S = (0.05, 2.0)


def _ignore(_: str) -> None:
    """What is not streamed on is still in the answer."""


def _ignore_audio(_: bytes, __: int) -> None:
    """Likewise."""


class PartClient:
    """A client of one part. `ask` may be called from many threads: no more calls than the part declares run at once."""

    def __init__(self, option: str, address: str, options: CascadeOptions, loop: LoopThread) -> None:
        """Connects, and asks the service who it is.

        Args:
            option: `brain`, `ears`, `reader` or `tts`.
            options: `wait_s`, how long it may still be loading, or starting; `timeout_s` of one call, whoever waits for
                the answer usually gives up before; `proxy`, the way to it.
            loop: that all its calls run on.

        Raises:
            ContractError: UPSTREAM_UNAVAILABLE where nothing answers at the address in time.
        """
        self.place = Place(TITLES[option], option, address)
        self._timeout_s = options.timeout_s
        self._loop = loop
        self._client = loop.run(_opened(address, options.proxy))
        try:
            self.card: pb.DescribeResponse = loop.run(self._describe(options.wait_s))
        except ContractError as error:
            self.close()
            raise absent(self.place, error) from error
        self._places = asyncio.Semaphore(self.max_concurrent)

    @property
    def max_concurrent(self) -> int:
        return max(1, self.card.max_concurrent)

    def part(self, role: str) -> Part:
        """As it stands in the cascade's card."""
        return Part(role, self.card.name, self.card.digest)

    def ask(
        self,
        request: Request,
        gone: Gone,
        on_text: Callable[[str], None] = _ignore,
        on_reasoning: Callable[[str], None] = _ignore,
        on_audio: Callable[[bytes, int], None] = _ignore_audio,
    ) -> Answer:
        """The part's answer; its pieces also as they come. The call is cancelled once `gone` is true.

        The service must still be the one that was there at the start: its digest is part of the cascade's.

        Args:
            on_text, on_reasoning, on_audio: called on the loop's thread; the last takes 16-bit mono PCM and Hz.

        Raises:
            ContractError: the part's own error, named as its own; UPSTREAM_UNAVAILABLE where it is away or another
                one; CANCELLED where nobody waits any more.
        """

        def on_delta(delta: pb.Delta) -> None:
            if delta.HasField("text"):
                on_text(delta.text)
            elif delta.HasField("reasoning"):
                on_reasoning(delta.reasoning)
            elif delta.HasField("audio"):
                on_audio(delta.audio.data, delta.audio.sample_rate_hz)

        try:
            return self._loop.run(self._ask(message_of(request, self.card.digest), gone, on_delta), gone)
        except CancelledError:
            raise _nobody_waits() from None
        except ContractError as error:
            if gone():
                raise _nobody_waits() from error
            raise as_ours(self.place, error) from error

    def close(self) -> None:
        self._loop.run(self._client.close())

    async def _describe(self, wait_s: float) -> pb.DescribeResponse:
        """Raises ContractError where it is not there, or still loading, after `wait_s` seconds."""
        end = time.monotonic() + max(wait_s, _SHORTEST_S)
        while True:
            try:
                return await self._client.describe(max(end - time.monotonic(), _SHORTEST_S), wait_for_ready=True)
            except ContractError as fault:
                if fault.reason is not Reason.NOT_READY or time.monotonic() + _LOADING_PAUSE_S > end:
                    raise
            await asyncio.sleep(_LOADING_PAUSE_S)

    async def _ask(self, message: pb.GenerateRequest, gone: Gone, on_delta: OnDelta) -> Answer:
        """One answer, asked for again while the part is full and nothing of an answer came."""
        came: list[bool] = []

        def passed_on(delta: pb.Delta) -> None:
            came.append(True)
            on_delta(delta)

        end = time.monotonic() + _BUSY_PATIENCE_S
        delay, longest = _BUSY_DELAYS_S
        async with self._places:
            # It may have been a long wait: no call is made for nobody.
            while not gone():
                try:
                    return await self._client.generate(message, self._timeout_s, passed_on)
                except ContractError as error:
                    full = error.reason in (Reason.BUSY, Reason.RATE_LIMITED)
                    if not full or came or time.monotonic() > end:
                        raise
                await asyncio.sleep(random.uniform(0.5, 1) * delay)
                delay = min(longest, 2 * delay)
        raise _nobody_waits()


async def _opened(address: str, proxy: str) -> GenerateClient:
    """A client that belongs to the loop that this runs on."""
    return GenerateClient(address, proxy)


def _nobody_waits() -> ContractError:
    return ContractError(Reason.CANCELLED, "the caller went away before the answer was complete")
