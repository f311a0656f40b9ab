"""One server from bind to drain: port, load, warm-up, health, metrics, shutdown."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from omnigap.channel import SERVER_OPTIONS
from omnigap.errors import OmnigapError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1 import model_service_pb2_grpc as pb_grpc
from omnigap_services.adapter import Adapter
from omnigap_services.server.describe import describe
from omnigap_services.server.desk import Desk
from omnigap_services.server.front import Front
from omnigap_services.server.health import Health
from omnigap_services.server.metrics import Metrics, MetricsPort
from omnigap_services.server.warmup import default_warm_up
from omnigap_services.server.worker import Worker

_log = logging.getLogger(__name__)

SERVICE = pb.DESCRIPTOR.services_by_name["ModelService"].full_name

# For calls that hang on after the drain, such as health watchers.
_LAST_GRACE_S = 0.5

# For the adapter's own close, once nothing runs any more.
_CLOSE_PATIENCE_S = 5.0


class PortTakenError(OmnigapError, OSError):
    """A port that the server was told to use is not free; the message names the flag."""


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where a server listens and how long it drains. Port 0 takes a free one; no metrics port, no metrics."""

    host: str = "127.0.0.1"
    port: int = 0
    metrics_port: int | None = None
    drain_seconds: float = 30.0


class Server:
    """A Generate server around one adapter, made and used on one event loop."""

    def __init__(self, adapter: Adapter, options: ServerOptions | None = None) -> None:
        self.options = options or ServerOptions()
        self.port = 0
        self.metrics_port: int | None = None
        self.description = pb.DescribeResponse()
        self._adapter = adapter
        self._worker = Worker(adapter)
        self.metrics = Metrics()
        self._metrics_http: MetricsPort | None = None
        self._front = Front()
        self._desk: Desk | None = None
        self._health = Health(SERVICE)
        self._grpc = grpc.aio.server(options=SERVER_OPTIONS)

    @property
    def address(self) -> str:
        return self._at(self.port)

    async def start(self) -> None:
        """Binds, loads, warms up and says SERVING; raises what any of these raises."""
        await self.bind()
        await self.load()

    async def bind(self) -> None:
        """Listens, with health at NOT_SERVING.

        Raises:
            PortTakenError: for a port in use. Found here, before minutes of loading.
        """
        pb_grpc.add_ModelServiceServicer_to_server(self._front, self._grpc)  # type: ignore[no-untyped-call]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._grpc)
        wanted = self._at(self.options.port)
        try:
            self.port = self._grpc.add_insecure_port(wanted)
        except RuntimeError as error:
            text = f"cannot listen on {wanted}: is the port in use? Choose another with --port, or 0 for a free one"
            raise PortTakenError(text) from error
        if self.options.metrics_port is not None:
            self._start_metrics(self.options.metrics_port)
        await self._grpc.start()

    async def load(self) -> None:
        """Loads the adapter, lets it answer one request, and opens.

        Raises:
            Exception: what `load` raised, or the ContractError of the warm-up.
        """
        card = await self._worker.load()
        self.description = describe(card, type(self._adapter))
        self._desk = Desk(card, self.description.digest, self._worker, self.metrics)
        await self._desk.try_out(self._adapter.warm_up() or default_warm_up(card))
        self._front.open(self._desk, self.description)
        await self._health.set_serving(True)
        _log.info("%s serves on %s, digest %s", card.name, self.address, self.description.digest)

    async def stop(self) -> bool:
        """Drains, closes the adapter and the ports; False where work was cut off."""
        await self._health.set_serving(False)
        whole = await self._desk.drain(self.options.drain_seconds) if self._desk else True
        await self._grpc.stop(_LAST_GRACE_S)
        if self._desk:
            self._desk.close()
        whole = await self._worker.stop(_CLOSE_PATIENCE_S) and whole
        if self._metrics_http:
            self._metrics_http.close()
        return whole

    def _at(self, port: int) -> str:
        host = self.options.host
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def _start_metrics(self, port: int) -> None:
        try:
            self._metrics_http = self.metrics.serve(self.options.host, port)
        except OSError as error:
            text = f"cannot listen on {self._at(port)} for metrics: choose another with --metrics-port"
            raise PortTakenError(text) from error
        self.metrics_port = self._metrics_http.port
