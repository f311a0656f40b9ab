"""Client of one service that a cascade calls, and the cascade's own error for each error of that service."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass

from omnigap.answer import Answer
from omnigap.card import has_random_weights
from omnigap.client import GenerateClient, OnDelta
from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_services.adapter import Part, Request
from omnigap_services.cascade.messages import message_of
from omnigap_services.cascade.options import StageOptions
from omnigap_services.loop_thread import Gone, LoopThread

_LOADING_PAUSE_S = 0.2
# A deadline of 0 would fail before a service that is up can answer.
_SHORTEST_S = 0.05

# A service that serves others too may be full for a while. Beyond this the error goes to the caller, whose own retry
# policy decides.
_BUSY_PATIENCE_S = 30.0
_BUSY_DELAYS_S = (0.05, 2.0)

# The service is not there, or not as it was at the start: another attempt, here or later, may succeed.
_UNAVAILABLE = frozenset(
    {Reason.TRANSPORT, Reason.NOT_READY, Reason.DRAINING, Reason.CANCELLED, Reason.UPSTREAM_UNAVAILABLE}
)

# How often a service is asked whether it is still the one of the start, give or take a fifth; without traffic, nothing
# else would show that it was replaced.
_WATCH_S = 5.0
_DESCRIBE_S = 5.0

_TITLES = {"llm": "LLM", "asr": "ASR service", "ocr": "OCR service", "tts": "TTS service"}


@dataclass(frozen=True, slots=True)
class PartAddress:
    """Which service it is, for messages.

    Attributes:
        option: the option that holds the address: `llm`, `asr`, `ocr` or `tts`.
    """

    option: str
    address: str

    @property
    def title(self) -> str:
        """What messages call it, such as "TTS service"."""
        return _TITLES[self.option]

    def __str__(self) -> str:
        return f"{self.title} at {self.address}"


class PartClient:
    """A client of one service. `ask` may be called from many threads.

    No more calls than the service declares (`max_concurrent`) run at once; the others wait here.

    The service's digest is part of the cascade's. So a service that has another digest than at the start is reported
    once, by a call or a few seconds later without one. An absent service, or one with the same digest, is not reported.
    """

    def __init__(
        self, option: str, address: str, options: StageOptions, loop: LoopThread, on_change: Callable[[str], None]
    ) -> None:
        """Connects, and asks the service for its description.

        Args:
            option: `llm`, `asr`, `ocr` or `tts`.
            on_change: called on the loop's thread with a sentence about the service that was replaced.
            options: `wait_s`, how long the service may still be starting or loading; `timeout_s` of one call (the
                caller usually gives up before); `proxy`.
            loop: that all calls run on.

        Raises:
            ContractError: UPSTREAM_UNAVAILABLE if nothing answers at the address in time.
        """
        self.place = PartAddress(option, address)
        self._timeout_s = options.timeout_s
        self._loop = loop
        self._watch: asyncio.Task[None] | None = None
        self._client = loop.run(_opened(address, options.proxy))
        try:
            self.card: pb.DescribeResponse = loop.run(self._describe(options.wait_s))
        except ContractError as error:
            self.close()
            raise unreachable(self.place, error) from error
        self._permits = asyncio.Semaphore(max(1, self.card.max_concurrent))
        self._on_change = on_change
        # What has changed; empty: nothing yet.
        self._change = ""
        self._watch = loop.run(self._watched())

    def part(self, role: str) -> Part:
        """This service as a part in the cascade's card."""
        return Part(role, self.card.name, self.card.digest, has_random_weights(self.card))

    def ask(
        self,
        request: Request,
        gone: Gone,
        on_text: Callable[[str], None] | None = None,
        on_reasoning: Callable[[str], None] | None = None,
        on_audio: Callable[[bytes, int], None] | None = None,
    ) -> Answer:
        """The service's whole answer; its deltas also as they arrive. The call is cancelled once `gone` is true.

        Each request carries the digest that the service had at the start, since that digest is part of the cascade's:
        a service that was replaced in the meantime refuses the call instead of answering under the wrong digest.
        The call then ends with DRAINING, because the cascade has to be started again.

        Args:
            on_text, on_reasoning, on_audio: called on the loop's thread; the last takes 16-bit mono PCM and Hz.

        Raises:
            ContractError: the service's own error, with the service named; UPSTREAM_UNAVAILABLE if it is not reachable;
                DRAINING if it has changed; CANCELLED if the caller has gone away.
        """

        def on_delta(delta: pb.Delta) -> None:
            if delta.HasField("text") and on_text:
                on_text(delta.text)
            elif delta.HasField("reasoning") and on_reasoning:
                on_reasoning(delta.reasoning)
            elif delta.HasField("audio") and on_audio:
                on_audio(delta.audio.data, delta.audio.sample_rate_hz)

        try:
            return self._loop.run(self._ask(message_of(request, self.card.digest), gone, on_delta), gone)
        except CancelledError:
            raise _caller_gone() from None
        except ContractError as error:
            # A cancelled call may also end with an error of the transport, which must not count as the service's fault.
            if gone():
                raise _caller_gone() from error
            if error.reason is Reason.DIGEST_MISMATCH and self._loop.run(self._changed()):
                raise ContractError(Reason.DRAINING, f"{self._change}: ask again after the restart") from error
            raise translated(self.place, error) from error

    def close(self) -> None:
        self._loop.run(self._close())

    async def _close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        await self._client.close()

    async def _watched(self) -> asyncio.Task[None]:
        return asyncio.create_task(self._watch_digest())

    async def _watch_digest(self) -> None:
        """Returns once the service has changed."""
        changed = False
        while not changed:
            # Jitter: cascades that were started together must not ask together.
            await asyncio.sleep(random.uniform(0.8, 1.2) * _WATCH_S)
            changed = await self._changed()

    async def _changed(self) -> bool:
        """Whether the service has, or had, another digest than at the start; the first time, this is reported."""
        if self._change:
            return True
        try:
            card = await self._client.describe(_DESCRIBE_S)
        except ContractError:
            # It is absent or still loading. It may come back with the same digest.
            return False
        if card.digest != self.card.digest and not self._change:
            self._change = (
                f"the {self.place} (option {self.place.option}) has changed since this service started: its digest was"
                f" {self.card.digest} and is {card.digest}"
            )
            self._on_change(self._change)
        return bool(self._change)

    async def _describe(self, wait_s: float) -> pb.DescribeResponse:
        """Raises ContractError if the service is not there, or still loading, after `wait_s` seconds."""
        end = time.monotonic() + max(wait_s, _SHORTEST_S)
        while True:
            try:
                # `wait_for_ready` covers a port that is not bound yet; NOT_READY a service that loads its weights.
                return await self._client.describe(max(end - time.monotonic(), _SHORTEST_S), wait_for_ready=True)
            except ContractError as error:
                if error.reason is not Reason.NOT_READY or time.monotonic() + _LOADING_PAUSE_S > end:
                    raise
            await asyncio.sleep(_LOADING_PAUSE_S)

    async def _ask(self, message: pb.GenerateRequest, gone: Gone, on_delta: OnDelta) -> Answer:
        """One answer; the call is repeated while the service is full and no part of an answer has arrived."""
        received: list[bool] = []

        def forward(delta: pb.Delta) -> None:
            received.append(True)
            on_delta(delta)

        end = time.monotonic() + _BUSY_PATIENCE_S
        delay, longest = _BUSY_DELAYS_S
        async with self._permits:
            # Waiting for the permit may have taken long: the caller may have gone away meanwhile.
            while not gone():
                try:
                    return await self._client.generate(message, self._timeout_s, forward)
                except ContractError as error:
                    full = error.reason in (Reason.BUSY, Reason.RATE_LIMITED)
                    # What was forwarded cannot be taken back, so a second attempt would send the beginning twice.
                    if not full or received or time.monotonic() > end:
                        raise
                # Jitter: callers that were refused together must not return together.
                await asyncio.sleep(random.uniform(0.5, 1) * delay)
                delay = min(longest, 2 * delay)
        raise _caller_gone()


async def _opened(address: str, proxy: str) -> GenerateClient:
    # A coroutine, because an asyncio channel belongs to the loop that it is created on.
    # A part that is scaled in Compose or Kubernetes has several addresses under one name.
    return GenerateClient(address, proxy, spread=True)


def _caller_gone() -> ContractError:
    return ContractError(Reason.CANCELLED, "the caller went away before the answer was complete")


def unreachable(place: PartAddress, error: ContractError) -> ContractError:
    """The error at the start of a cascade when no usable service answers at an address."""
    if error.reason is Reason.MODEL_ERROR:
        # A service answers, but with a card that cannot be used.
        text = f"the {place} can't be used: {error.message}; set {place.option} to another HOST:PORT"
        return ContractError(Reason.UPSTREAM_UNAVAILABLE, text)
    return ContractError(
        Reason.UPSTREAM_UNAVAILABLE,
        f"no {place.title} answers at {place.address} ({error.message}): start one there, increase wait_s, or set"
        f" {place.option} to another HOST:PORT",
    )


def translated(place: PartAddress, error: ContractError) -> ContractError:
    """The cascade's own error for one that a call to a service ended with."""
    if error.reason is Reason.DIGEST_MISMATCH:
        # Its Describe has the digest of the start: another replica behind the address answered, or the service breaks
        # the contract.
        text = f"the {place} answered under another digest than it describes: {error.message}"
        return ContractError(Reason.UPSTREAM_UNAVAILABLE, text)
    if error.reason in _UNAVAILABLE:
        return ContractError(Reason.UPSTREAM_UNAVAILABLE, f"the {place} is not available: {error.message}")
    if error.reason is Reason.UNSUPPORTED_CONDITION:
        # The cascade's card promises only what this service declared, so the caller has made no mistake.
        return ContractError(Reason.MODEL_ERROR, f"the {place} does not do what it declared: {error.message}")
    if error.reason is Reason.DEADLINE_EXCEEDED:
        text = f"the {place} did not answer in time (timeout_s): {error.message}"
        return ContractError(Reason.DEADLINE_EXCEEDED, text)
    return ContractError(error.reason, f"the {place}: {error.message}")
