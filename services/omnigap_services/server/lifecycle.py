"""One server from bind to drain: port, load, warm-up, health, metrics, shutdown; and the default warm-up request."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import grpc
import numpy as np
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from PIL import Image

from omnigap.channel import SERVER_OPTIONS
from omnigap.errors import NO_AUDIO, ContractError, OmnigapError
from omnigap.media import AudioClip
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import CONDITIONS, Modality, Support
from omnigap_services.adapter import Adapter, Card, DecodingOptions, InputPart, Request
from omnigap_services.server.describe import describe
from omnigap_services.server.metrics import Metrics
from omnigap_services.server.metrics_port import MetricsPort
from omnigap_services.server.scheduler import Scheduler
from omnigap_services.server.servicer import HealthServicer, Servicer, model_service_handler
from omnigap_services.server.worker import Worker

_log = logging.getLogger(__name__)

SERVICE = pb.DESCRIPTOR.services_by_name["ModelService"].full_name

# For calls that are still open after the drain, such as health watchers, which end only with their callers.
_LAST_GRACE_S = 0.5

# For the adapter's own `close`, after all answers have ended.
_CLOSE_PATIENCE_S = 5.0


class PortTakenError(OmnigapError, OSError):
    """A port is not free; the message names the flag that sets it."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where a server listens and how long it drains.

    Attributes:
        port: 0 takes a free one.
        metrics_port: likewise; None: no metrics are served.
        drain_seconds: that running answers get at the end.
        random_weights: `--tiny`; the card and its digest say so.
    """

    host: str = "127.0.0.1"
    port: int = 0
    metrics_port: int | None = None
    drain_seconds: float = 30.0
    random_weights: bool = False


class Server:
    """A Generate server around one adapter, created and used on one event loop."""

    def __init__(
        self, adapter: Adapter, options: ServerOptions | None = None, outdated: Callable[[], str] | None = None
    ) -> None:
        """
        Args:
            outdated: why the service should be started again, empty if it should not; called in a thread at each
                Describe.
        """
        self.options = options or ServerOptions()
        self.port = 0
        self.metrics_port: int | None = None
        self.description = pb.DescribeResponse()
        self._adapter = adapter
        self._worker = Worker(adapter)
        self.metrics = Metrics()
        self._metrics_http: MetricsPort | None = None
        self._servicer = Servicer(outdated)
        self._scheduler: Scheduler | None = None
        self._health = HealthServicer(SERVICE)
        self._grpc = grpc.aio.server(options=SERVER_OPTIONS)
        self._restart = asyncio.Event()
        # asyncio keeps only weak references to tasks.
        self._ending: asyncio.Task[None] | None = None

    @property
    def restart_reason(self) -> str:
        """Why the adapter has asked for a restart; empty if it has not."""
        return self._servicer.restart_reason

    @property
    def address(self) -> str:
        return self._at(self.port)

    async def start(self) -> None:
        """Binds, loads, warms up and reports SERVING; raises what any of these raises."""
        await self.bind()
        await self.load()

    async def bind(self) -> None:
        """Listens, with health at NOT_SERVING. Done before loading: a port in use is then found at once.

        Raises:
            PortTakenError: for a port in use.
        """
        self._grpc.add_generic_rpc_handlers((model_service_handler(SERVICE, self._servicer),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        # Lets tools such as grpcurl call the service without the .proto file.
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._grpc)
        wanted = self._at(self.options.port)
        try:
            self.port = self._grpc.add_insecure_port(wanted)
        except RuntimeError as error:
            text = f"cannot listen on {wanted}: is the port in use? Choose another with --port, or 0 for a free one"
            raise PortTakenError(text) from error
        if self.options.metrics_port is not None:
            await self._start_metrics(self.options.metrics_port)
        await self._grpc.start()

    async def load(self) -> None:
        """Loads the adapter, has it answer one request, and opens the service.

        Raises:
            Exception: what `load` raised, or the ContractError of the warm-up.
        """
        self._adapter.on_restart = partial(_call_soon, asyncio.get_running_loop(), self._end)
        card = await self._worker.load()
        if self.options.random_weights:
            settings = {**card.settings, "weights": "random (--tiny)"}
            card = dataclasses.replace(card, random_weights=True, settings=settings)
        self.description = describe(card, type(self._adapter))
        self._scheduler = Scheduler(card, self.description.digest, self._worker, self.metrics)
        started = time.monotonic()
        await self._warm_up(self._scheduler, self._adapter.warm_up() or default_warm_up(card))
        # Measured unless the adapter knows better: the same model takes seconds on a GPU and minutes on a busy CPU.
        self.description.answer_seconds = card.answer_seconds or time.monotonic() - started
        # Opened before health says SERVING: a client that waits for health may call at once.
        self._servicer.open(self._scheduler, self.description)
        if self.restart_reason:
            self._refuse_calls(self._scheduler)
            return
        await self._health.set_serving(True)
        _log.info("%s serves on %s, digest %s", card.name, self.address, self.description.digest)

    async def _warm_up(self, scheduler: Scheduler, request: Request) -> None:
        """Has the adapter answer a request; raises the ContractError that it ended with."""
        try:
            await scheduler.warm_up(request)
        except ContractError as error:
            # A meaningless question may leave a model speechless, and its text conditions can be measured anyway.
            if not error.message.startswith(NO_AUDIO):
                raise
            _log.warning("warm-up: %s: every answer like it will fail", error.message)

    async def restart_requested(self) -> str:
        """Waits until the adapter asks for a restart; returns why. The caller then stops the server."""
        await self._restart.wait()
        return self.restart_reason

    def _end(self, why: str) -> None:
        """Refuses new calls from now on; `stop` waits for the running ones."""
        if self.restart_reason:
            return
        # Not empty: an empty reason means that no restart was asked for.
        self._servicer.restart_reason = why.strip() or "its adapter gave no reason"
        if self._scheduler:
            self._refuse_calls(self._scheduler)
        self._ending = asyncio.create_task(self._health.set_serving(False))
        self._restart.set()

    def _refuse_calls(self, scheduler: Scheduler) -> None:
        scheduler.draining, scheduler.restart_reason = True, self.restart_reason

    async def stop(self) -> bool:
        """Drains, closes the adapter and the ports; False if answers or the adapter's close were cut off."""
        # Health first, so that clients which watch it send new calls elsewhere during the drain.
        await self._health.set_serving(False)
        complete = await self._scheduler.drain(self.options.drain_seconds) if self._scheduler else True
        # All answers have ended or been failed: this closes the port and the remaining streams.
        await self._grpc.stop(_LAST_GRACE_S)
        if self._scheduler:
            self._scheduler.close()
        complete = await self._worker.stop(_CLOSE_PATIENCE_S) and complete
        if self._metrics_http:
            await self._metrics_http.close()
        return complete

    def _at(self, port: int) -> str:
        host = self.options.host
        # An IPv6 address needs brackets before a port.
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def _start_metrics(self, port: int) -> None:
        metrics = MetricsPort(self.metrics.registry)
        try:
            await metrics.start(self.options.host, port)
        except OSError as error:
            text = f"cannot listen on {self._at(port)} for metrics: choose another with --metrics-port"
            raise PortTakenError(text) from error
        self._metrics_http = metrics
        self.metrics_port = metrics.port


def _call_soon(loop: asyncio.AbstractEventLoop, call: Callable[[str], None], text: str) -> None:
    # After the loop has closed there is nothing left to end.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(call, text)


def default_warm_up(card: Card, max_new_tokens: int | None = None) -> Request:
    """A small request in the last supported condition of the card, which exercises the most of a model.

    The order of the conditions puts speech output after text output, and image input last.

    Args:
        max_new_tokens: of the answer; None: the service's own limit.

    Raises:
        ValueError: for a card that supports no condition.
    """
    supported = [
        c for c in CONDITIONS if c in card.conditions and card.conditions[c].support is not Support.UNSUPPORTED
    ]
    if not supported:
        raise ValueError(f"the card of {card.name} supports no condition: list at least one in its conditions")
    condition = supported[-1]
    decoding = DecodingOptions(max_new_tokens=max_new_tokens)
    return Request(parts=(_carrier(condition.input, card),), output=condition.output, decoding=decoding)


def _carrier(modality: Modality, card: Card) -> InputPart:
    if modality is Modality.TEXT:
        return "Hello."
    if modality is Modality.IMAGE:
        return Image.new("RGB", (64, 64), "white")
    # A tone: the ASR engine skips silence without running its model.
    time = np.arange(card.input_sample_rate_hz // 2) / card.input_sample_rate_hz
    tone = 0.1 * np.sin(2 * np.pi * 440 * time)
    return AudioClip(tone.astype(np.float32), card.input_sample_rate_hz)
