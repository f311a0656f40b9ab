"""Serves the services of a stored run again, with the cards in its journal."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NoReturn

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from omnigap.media.audio import PCM
from omnigap.v1 import model_service_pb2 as pb
from omnigap.v1 import model_service_pb2_grpc as pb_grpc
from tests.golden.commands import orchestrate
from tests.golden.folders import study

ASKED_FOR = {"answers": ("cascade",), "transcripts": ("scorer", "second_scorer"), "carriers": ("tts",)}
"""Tables of the journal, and the services that are called if their rows are missing."""

# Audio exceeds gRPC's default message limit of 4 MiB.
SERVER_OPTIONS = [("grpc.max_receive_message_length", -1)]

SILENCE = pb.Audio(data=b"\0\0" * 1600, mime_type=PCM, sample_rate_hz=16_000, channels=1)


class Stored(pb_grpc.ModelServiceServicer):
    """A service with a stored card that records its requests and refuses them."""

    def __init__(self, card: pb.DescribeResponse) -> None:
        self.card = card
        self.asked: list[pb.GenerateRequest] = []

    def Describe(self, request: pb.DescribeRequest, context: object) -> pb.DescribeResponse:  # noqa: N802
        return self.card

    def Generate(  # noqa: N802
        self, request: pb.GenerateRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.GenerateResponse]:
        self.asked.append(request)
        self.refuse(context)
        yield pb.GenerateResponse()

    def refuse(self, context: grpc.ServicerContext) -> NoReturn:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a finished run must not call a service")
        raise AssertionError("abort raises")


class Changed(Stored):
    """A service with another digest that answers its requests."""

    def __init__(self, card: pb.DescribeResponse, digest: str) -> None:
        changed = pb.DescribeResponse()
        changed.CopyFrom(card)
        changed.digest = digest
        super().__init__(changed)

    def Generate(  # noqa: N802
        self, request: pb.GenerateRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.GenerateResponse]:
        self.asked.append(request)
        yield pb.GenerateResponse(delta=pb.Delta(text="Paris"))
        if request.output == pb.MODALITY_SPEECH:
            yield pb.GenerateResponse(delta=pb.Delta(audio=SILENCE))
        yield pb.GenerateResponse(
            complete=pb.Complete(finish_reason=pb.FINISH_REASON_STOP, digest=request.expected_digest)
        )


def stored_cards(folder: Path) -> dict[str, pb.DescribeResponse]:
    """The cards of a run's services by model name, `scorer`, `second_scorer`, `tts`, `judge`; without
    the readers of `verify`."""
    with closing(sqlite3.connect(folder / "journal.sqlite")) as journal:
        rows = journal.execute("SELECT name, describe FROM services WHERE role != 'reader'").fetchall()
    return {name: pb.DescribeResponse.FromString(card) for name, card in rows}


@contextmanager
def serving(services: dict[str, Stored]) -> Iterator[dict[str, str]]:
    """Serves each on a free port; yields the addresses by name."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(_address(service)) for name, service in services.items()}


@contextmanager
def _address(service: Stored) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(4), options=SERVER_OPTIONS)
    pb_grpc.add_ModelServiceServicer_to_server(service, server)
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def asked_without(folder: Path, table: str) -> list[list[str]]:
    """The requests of a finished run that lost a table of its journal.

    Returns:
        Service, request ID and SHA-256 of each request, sorted, without duplicates: cells with equal audio share a
        transcript. All requests are refused, so there are no second passes of controls.
    """
    with closing(sqlite3.connect(folder / "journal.sqlite")) as journal, journal:
        journal.execute(f"DELETE FROM {table}")
    services = {name: Stored(card) for name, card in stored_cards(folder).items()}
    with serving(services) as endpoints:
        config, items = study(folder, endpoints), folder / "items.jsonl"
        orchestrate("run", "-c", config, "--run-dir", folder, "--items", items, "--quiet", code=3)
    asked = {
        (name, request.request_id, hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest())
        for name in ASKED_FOR[table]
        if name in services
        for request in services[name].asked
    }
    return [list(row) for row in sorted(asked)]
