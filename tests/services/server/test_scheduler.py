"""Queueing, refusal at the limit, and the batches that are formed."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from PIL import Image

from omnigap.errors import ContractError
from omnigap.media import encode_pcm16, encode_png, encode_wav
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_services.server.metrics import Metrics
from omnigap_services.server.response import ResponseLog
from omnigap_services.server.scheduler import Scheduler
from omnigap_services.server.stream import LoopBridge, ResponseStream
from omnigap_services.server.worker import Worker
from tests.services.server.model_double import PATIENCE_S, WARM_UP, Double, Gate, Start, asking, entered

SPEECH = pb.Audio(data=encode_wav(encode_pcm16(np.zeros(1_600, np.float32)), 16_000), mime_type="audio/wav")
PICTURE = pb.Image(data=encode_png(Image.new("RGB", (8, 8))), mime_type="image/png")


async def test_calls_beyond_the_queue_are_refused_at_once(running: Start) -> None:
    gate = Gate()
    served = await running(Double(gate, max_queue=2))
    caller = served.caller
    calls = [asyncio.create_task(caller.ask(f"question {n}")) for n in range(3)]
    await entered(gate)
    await served.until(inflight=3, pending=2)
    refusal = await caller.refusal("one too many")
    assert refusal.reason is Reason.BUSY
    assert "max_queue = 2" in refusal.message
    gate.open.set()
    answers = await asyncio.gather(*calls)
    assert [answer.text for answer in answers] == ["question 0", "question 1", "question 2"]
    assert (await caller.ask("free again")).text == "free again"


async def test_a_full_server_still_answers_describe_and_health(running: Start) -> None:
    gate = Gate()
    caller = (await running(Double(gate, max_queue=0))).caller
    call = asyncio.create_task(caller.ask("hello"))
    await entered(gate)
    assert (await caller.refusal("hello again")).reason is Reason.BUSY
    assert (await caller.describe()).name == "double"
    health = await health_pb2_grpc.HealthStub(caller.channel).Check(health_pb2.HealthCheckRequest())
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    gate.open.set()
    await call


async def test_batches_have_one_output_and_keep_the_order(running: Start) -> None:
    gate = Gate()
    adapter = Double(gate, max_batch_size=3)
    served = await running(adapter)
    calls = [asyncio.create_task(served.caller.ask("first"))]
    await entered(gate)
    text, speech = pb.MODALITY_TEXT, pb.MODALITY_SPEECH
    for number, output in enumerate([text, speech, text, text, text]):
        calls.append(asyncio.create_task(served.caller.ask(str(number), output=output)))
        await served.until(pending=number + 1)
    gate.open.set()
    answers = await asyncio.gather(*calls)
    assert [[request.carrier for request in batch] for batch in adapter.batches] == [
        ["first"],
        ["0", "2", "3"],
        ["1"],
        ["4"],
    ]
    assert [answer.complete.timings.batch_size for answer in answers] == [1, 3, 1, 3, 3, 1]


async def test_several_workers_run_concurrently(running: Start) -> None:
    gate = Gate()
    caller = (await running(Double(gate, workers=3))).caller
    calls = [asyncio.create_task(caller.ask(f"question {n}")) for n in range(3)]
    for _ in range(3):
        await entered(gate)
    gate.open.set()
    await asyncio.gather(*calls)


async def test_requests_that_arrive_together_share_the_first_batch_of_an_adapter_that_waits(running: Start) -> None:
    adapter = Double(max_batch_size=3, batch_wait_s=1.0)
    served = await running(adapter)
    answers = await asyncio.gather(*(served.caller.ask(text) for text in ("a", "b", "c")))
    assert [answer.complete.timings.batch_size for answer in answers] == [3, 3, 3]
    # A request without others is answered too.
    assert (await served.caller.ask("d")).complete.timings.batch_size == 1


async def test_max_concurrent_fills_the_next_batch_while_one_runs(running: Start) -> None:
    served = await running(Double(max_batch_size=4, workers=2))
    assert (await served.caller.describe()).max_concurrent == 16


async def test_a_caller_that_leaves_the_queue_frees_its_place(running: Start) -> None:
    gate = Gate()
    adapter = Double(gate, max_queue=1)
    served = await running(adapter)
    first = asyncio.create_task(served.caller.ask("first"))
    await entered(gate)
    leaver = served.caller.call(asking("never mind"))
    await served.until(pending=1)
    leaver.cancel()
    await served.until(pending=0, inflight=1)
    second = asyncio.create_task(served.caller.ask("second"))
    await served.until(pending=1)
    gate.open.set()
    await asyncio.gather(first, second)
    assert [[request.carrier for request in batch] for batch in adapter.batches] == [["first"], ["second"]]


@pytest.mark.parametrize("left", [False, True], ids=["deadline", "left"])
@pytest.mark.parametrize("part", ["hello", SPEECH, PICTURE], ids=["text", "speech", "image"])
async def test_an_abandoned_call_ends_with_what_happened(part: str | pb.Audio | pb.Image, left: bool) -> None:
    """Whenever the deadline passes, in the decoder too: a caller that is still there gets DEADLINE_EXCEEDED."""
    worker = Worker(Double())
    scheduler = Scheduler(await worker.load(), "digest", worker, Metrics())
    log = scheduler.admit(asking(part), PATIENCE_S if left else 0.0)
    if left:
        scheduler.leave(log)
    with pytest.raises(ContractError) as caught:
        async with asyncio.timeout(PATIENCE_S):
            [event async for event in log.follow()]
    assert caught.value.reason is (Reason.CANCELLED if left else Reason.DEADLINE_EXCEEDED)
    scheduler.close()
    assert await worker.stop(PATIENCE_S)


async def test_an_adapter_that_stops_at_an_expired_deadline_need_not_tell_it_from_a_caller_that_left() -> None:
    log = ResponseLog(lambda ended, result: None)
    log.join(0.0)
    turn = ResponseStream(WARM_UP, log, LoopBridge(), "digest")
    turn.fail(ContractError(Reason.CANCELLED, "stopped"))
    await asyncio.sleep(0)
    assert log.error is not None
    assert log.error.reason is Reason.DEADLINE_EXCEEDED
