"""A part of the cascade that is a service of its own: whoever it is, it is asked over the Generate contract."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc

from omnigap.errors import ContractError
from omnigap.limits import CHANNEL_OPTIONS
from omnigap.media.audio import Samples
from omnigap.rpc_errors import from_rpc_error
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1.model_service_pb2_grpc import ModelServiceStub
from omnigap.vocabulary import Reason
from omnigap_services.adapter import Part, Request
from omnigap_services.cascade.part_fault import TITLES, Place, absent, as_ours
from omnigap_services.cascade.part_message import Gathered, PartAnswer, message_of
from omnigap_services.cascade.watch import Gone, Watch

_OPTIONS = (
    *CHANNEL_OPTIONS,
    # A proxy of the environment must not catch what stays on this network.
    ("grpc.enable_http_proxy", 0),
    # A part that comes back is noticed within seconds; gRPC's own back-off grows to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)
_LOADING_PAUSE_S = 0.2
_STEP_S = 0.05

# A part that serves others too may be full for a while; beyond this the caller waits instead of us.
_BUSY_PATIENCE_S = 30.0
_BUSY_DELAYS_S = (0.05, 2.0)


def _ignore(_: str) -> None:
    """What is not streamed on is still in the answer."""


def _ignore_audio(_: Samples, __: int) -> None:
    """Likewise."""


class PartClient:
    """A client of one part. `ask` may be called from many threads: no more calls than the part declares run at once."""

    def __init__(self, option: str, address: str, wait_s: float, timeout_s: float, watch: Watch) -> None:
        """Connects, and asks the service who it is.

        Args:
            option: `brain`, `ears`, `reader` or `tts`.
            wait_s: how long it may still be loading, or starting.
            timeout_s: of one call; whoever waits for the answer usually gives up before.

        Raises:
            ContractError: UPSTREAM_UNAVAILABLE where nothing answers at the address in time.
        """
        self.place = Place(TITLES[option], option, address)
        self._timeout_s = timeout_s
        self._watch = watch
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._stub = ModelServiceStub(self._channel)  # type: ignore[no-untyped-call]
        try:
            self.card: pb.DescribeResponse = self._describe(wait_s)
        except ContractError as error:
            self._channel.close()
            raise absent(self.place, error) from error
        self._places = threading.Semaphore(self.max_concurrent)

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
        on_audio: Callable[[Samples, int], None] = _ignore_audio,
    ) -> PartAnswer:
        """The part's answer; its pieces also as they come. The call is cancelled once `gone` is true.

        The service must still be the one that was there at the start: its digest is part of the cascade's.

        Raises:
            ContractError: the part's own error, named as its own; UPSTREAM_UNAVAILABLE where it is away or another
                one; CANCELLED where nobody waits any more.
        """
        message = message_of(request, self.card.digest)
        end = time.monotonic() + _BUSY_PATIENCE_S
        delay, longest = _BUSY_DELAYS_S
        with self._admitted(gone):
            while True:
                gathered = Gathered()
                try:
                    return self._call(message, gathered, gone, on_text, on_reasoning, on_audio)
                except ContractError as error:
                    if gone():
                        raise _nobody_waits() from error
                    full = error.reason in (Reason.BUSY, Reason.RATE_LIMITED)
                    if not full or gathered.texts or gathered.pieces or time.monotonic() > end:
                        raise as_ours(self.place, error) from error
                _pause(random.uniform(0.5, 1) * delay, gone)
                delay = min(longest, 2 * delay)

    def close(self) -> None:
        self._channel.close()

    def _describe(self, wait_s: float) -> pb.DescribeResponse:
        """Raises ContractError where it is not there, or still loading, after `wait_s` seconds."""
        end = time.monotonic() + max(wait_s, _STEP_S)
        while True:
            try:
                card: pb.DescribeResponse = self._stub.Describe(
                    pb.DescribeRequest(), wait_for_ready=True, timeout=max(end - time.monotonic(), _STEP_S)
                )
            except grpc.RpcError as error:
                fault = from_rpc_error(error)
                if fault.reason is not Reason.NOT_READY or time.monotonic() + _LOADING_PAUSE_S > end:
                    raise fault from error
                time.sleep(_LOADING_PAUSE_S)
            else:
                return card

    def _call(
        self,
        message: pb.GenerateRequest,
        gathered: Gathered,
        gone: Gone,
        on_text: Callable[[str], None],
        on_reasoning: Callable[[str], None],
        on_audio: Callable[[Samples, int], None],
    ) -> PartAnswer:
        call = self._stub.Generate(message, timeout=self._timeout_s)
        try:
            with self._watch.over(gone, call.cancel):
                for response in call:
                    if response.HasField("complete"):
                        gathered.complete = response.complete
                    elif response.delta.HasField("text"):
                        gathered.texts.append(response.delta.text)
                        on_text(response.delta.text)
                    elif response.delta.HasField("reasoning"):
                        on_reasoning(response.delta.reasoning)
                    elif response.delta.HasField("audio"):
                        on_audio(gathered.hear(response.delta.audio), gathered.sample_rate)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        finally:
            call.cancel()
        return gathered.answer()

    @contextmanager
    def _admitted(self, gone: Gone) -> Iterator[None]:
        """One of the calls that the part takes at once."""
        while not self._places.acquire(timeout=_STEP_S):
            if gone():
                raise _nobody_waits()
        try:
            # It may have been a long wait: no call is made for nobody.
            if gone():
                raise _nobody_waits()
            yield
        finally:
            self._places.release()


def _pause(seconds: float, gone: Gone) -> None:
    end = time.monotonic() + seconds
    while not gone() and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _STEP_S))


def _nobody_waits() -> ContractError:
    return ContractError(Reason.CANCELLED, "the caller went away before the answer was complete")
