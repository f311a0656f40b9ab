"""Responses: deltas, then exactly one `complete` or one error; the server continues after errors."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Sequence

import grpc.aio
import numpy as np
import pytest

from omnigap.channel import channel_options
from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import FinishReason, Reason
from omnigap_services.adapter import Completion, Turn
from omnigap_services.server import lifecycle, scheduler, stream
from omnigap_services.server.stream import ResponseStream
from omnigap_services.server.worker import Worker
from tests.services.server.model_double import PATIENCE_S, Caller, Double, Gate, Start, asking, entered

SPEECH = pb.MODALITY_SPEECH


async def test_text_streams_and_ends_with_one_complete(running: Start) -> None:
    def answer(turn: Turn) -> None:
        turn.reason("The capital, so ")
        turn.write("Pa")
        turn.write("ris")
        turn.complete(Completion(FinishReason.LENGTH, 3, 2, 0, {"avg_logprob": -0.5}, "en"))

    served = await running(Double(answer))
    received = await served.caller.ask("What is the capital of France?")
    assert (received.text, received.reasoning, received.chunks) == ("Paris", "The capital, so ", [])
    complete = received.complete
    assert complete.finish_reason == pb.FINISH_REASON_LENGTH
    assert (complete.usage.input_tokens, complete.usage.output_tokens) == (3, 2)
    assert complete.diagnostics["avg_logprob"] == -0.5
    assert complete.detected_language == "en"
    assert complete.digest == (await served.caller.describe()).digest


async def test_speech_has_its_format_and_the_own_text(running: Start) -> None:
    def answer(turn: Turn) -> None:
        turn.write("Paris")
        turn.speak(np.linspace(-1, 1, 12_000, dtype=np.float32), 24_000)
        turn.speak(np.zeros(12_000, np.float32), 24_000)

    received = await (await running(Double(answer))).caller.ask("Say it", output=SPEECH)
    assert received.text == "Paris"
    assert {(c.mime_type, c.sample_rate_hz, c.channels) for c in received.chunks} == {("audio/pcm", 24_000, 1)}
    assert np.allclose(received.samples[:12_000], np.linspace(-1, 1, 12_000), atol=1 / 32_000)
    assert received.complete.usage.output_audio_seconds == 1.0


async def test_a_long_utterance_is_cut_into_messages_and_loses_no_sample(running: Start) -> None:
    ramp = np.arange(1_000_000, dtype=np.float32) % 30_000 / 32_768
    received = await (await running(Double(lambda turn: turn.speak(ramp, 16_000)))).caller.ask("Speak", output=SPEECH)
    assert len(received.chunks) > 1
    assert np.array_equal(received.samples, ramp)


async def test_an_answer_without_complete_is_completed_for_the_adapter(running: Start) -> None:
    received = await (await running(Double())).caller.ask("hello")
    assert received.complete.finish_reason == pb.FINISH_REASON_STOP


async def test_timings_cover_queue_work_and_first_packets(running: Start) -> None:
    received = await (await running(Double())).caller.ask("hello", output=SPEECH)
    timings = received.complete.timings
    assert timings.batch_size == 1
    assert 0 <= timings.queue_s <= timings.ttft_s <= timings.audio_ttfp_s <= timings.queue_s + timings.compute_s


async def test_first_packets_that_never_came_are_zero(running: Start) -> None:
    received = await (await running(Double(lambda turn: None))).caller.ask("hello")
    assert received.complete.timings.ttft_s == received.complete.timings.audio_ttfp_s == 0


@pytest.mark.parametrize("chunk", [1, 1_000_000], ids=["tiny events", "large events"])
async def test_an_endless_answer_is_cut_off_and_its_model_stopped(
    running: Start, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(stream, "_MAX_ANSWER_BYTES", 3 * 1024**2)
    written = 0

    def endless(turn: Turn) -> None:
        nonlocal written
        while not turn.cancelled:
            turn.write("x" * chunk)
            written += 1

    served = await running(Double(endless))
    refusal = await served.caller.refusal("hello")
    assert refusal.reason is Reason.TOO_LARGE
    assert "3 MiB" in refusal.message
    # Each event counts more than its content.
    assert written < 3 * 1024**2 / (chunk + 64) + 1
    await served.until(inflight=0)


SIZE = 20_000_000


async def test_answers_that_are_not_read_are_bounded(running: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "_MAX_UNREAD_BYTES", 50_000_000)
    served = await running(Double(lambda turn: turn.write("x" * SIZE)))
    # Calls that are not read. Without the probe, the connection's buffers stay at 64 KiB; with it they may grow until
    # a whole answer fits.
    options = (*channel_options(served.server.address), ("grpc.http2.bdp_probe", 0))
    slow = Caller(grpc.aio.insecure_channel(served.server.address, options=options))
    unread = [slow.call(asking(str(number), request_id=str(number))) for number in range(3)]
    for call in unread:
        await call.initial_metadata()
    await served.until(inflight=0)
    refusal = await served.caller.refusal("one more")
    assert refusal.reason is Reason.BUSY
    assert "3 answers" in refusal.message
    for call in unread:
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call.code()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                received = await served.caller.ask("after")
            except ContractError:
                continue
            assert len(received.text) == SIZE
            break
    await slow.channel.close()


async def test_output_after_the_end_is_dropped(running: Start) -> None:
    def answer(turn: Turn) -> None:
        turn.write("all")
        turn.complete(Completion())
        turn.write(" too late")
        turn.complete(Completion())

    assert (await (await running(Double(answer))).caller.ask("hello")).text == "all"


async def test_a_lone_surrogate_is_replaced(running: Start) -> None:
    received = await (await running(Double(lambda turn: turn.write("a\ud83db 한국어")))).caller.ask("hello")
    assert received.text == "a?b 한국어"


class OutOfMemoryError(RuntimeError):
    """Has the name of torch's error."""


def _raise(error: BaseException) -> Callable[[Turn], None]:
    def answer(turn: Turn) -> None:
        raise error

    return answer


@pytest.mark.parametrize(
    ("error", "reason", "words"),
    [
        (ValueError("bad tensor"), Reason.MODEL_ERROR, "in the service's log): bad tensor"),
        (SystemExit(3), Reason.MODEL_ERROR, "SystemExit"),
        (MemoryError(), Reason.OUT_OF_MEMORY, "send fewer calls at once"),
        (OutOfMemoryError("CUDA"), Reason.OUT_OF_MEMORY, "OutOfMemoryError"),
        (RuntimeError("CUDA failed with error out of memory"), Reason.OUT_OF_MEMORY, "max_batch_size"),
        (RuntimeError("긴 " * 20_000), Reason.MODEL_ERROR, "RuntimeError"),
    ],
)
async def test_an_exception_fails_the_turn_with_its_reason_and_the_server_continues(
    running: Start, error: BaseException, reason: Reason, words: str
) -> None:
    adapter = Double(_raise(error))
    caller = (await running(adapter)).caller
    refusal = await caller.refusal("hello")
    assert refusal.reason is reason
    assert words in refusal.message
    adapter.answer = lambda turn: turn.write("recovered")
    assert (await caller.ask("hello")).text == "recovered"


FAULT = re.compile(r"fault ([0-9a-f]{8})")


def logged(caplog: pytest.LogCaptureFixture, message: str) -> list[logging.LogRecord]:
    """The records with a traceback under the fault id in a message."""
    (fault,) = set(FAULT.findall(message))
    return [record for record in caplog.records if record.exc_info and fault in record.getMessage()]


async def test_an_unexpected_exception_is_logged_with_its_traceback_under_the_fault_id(
    running: Start, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(turn: Turn) -> None:
        raise ValueError(f"bad tensor of {turn.request.texts[0]}, and more " + "x" * 5_000)

    caller = (await running(Double(answer))).caller
    refusals = [await caller.refusal(name) for name in ("one", "two")]
    for refusal, name in zip(refusals, ("one", "two"), strict=True):
        records = [record for record in logged(caplog, refusal.message) if name in (record.exc_text or "")]
        assert [record.levelname for record in records] == ["ERROR"]
        assert "in answer" in (records[0].exc_text or "")
    ids = {FAULT.findall(refusal.message)[0] for refusal in refusals}
    assert len(ids) == 1


@pytest.mark.parametrize("ends_itself", [True, False])
async def test_an_exception_that_ends_a_whole_batch_is_logged_once(
    running: Start, caplog: pytest.LogCaptureFixture, ends_itself: bool
) -> None:
    gate = Gate()

    class Failing(Double):
        def generate(self, batch: Sequence[Turn]) -> None:
            if len(batch) == 1:
                super().generate(batch)
                return
            try:
                raise RuntimeError("no such kernel")
            except RuntimeError as error:
                if not ends_itself:
                    raise
                for turn in batch:
                    turn.fail(error)

    served = await running(Failing(gate, max_batch_size=4))
    first = asyncio.create_task(served.caller.ask("first"))
    await entered(gate)
    calls = [asyncio.create_task(served.caller.refusal(name)) for name in ("one", "two")]
    await served.until(pending=2)
    gate.open.set()
    await first
    messages = {(await call).message for call in calls}
    assert len(messages) == 1
    assert len(logged(caplog, messages.pop())) == 1


async def test_a_refusal_is_not_logged_as_a_fault(running: Start, caplog: pytest.LogCaptureFixture) -> None:
    def answer(turn: Turn) -> None:
        turn.fail(ContractError(Reason.BAD_REQUEST, "no such voice"))

    refusal = await (await running(Double(answer))).caller.refusal("hello")
    assert refusal.message == "no such voice"
    assert not [record for record in caplog.records if record.exc_info]


class EagerWorker(Worker):
    """A worker that takes a turn before `admit` has returned to the caller."""

    def submit(self, turn: ResponseStream) -> None:
        assert not turn.cancelled, "no caller has left yet"
        super().submit(turn)


async def test_a_turn_taken_before_its_caller_joined_is_not_cancelled(
    running: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "Worker", EagerWorker)
    assert (await (await running(Double())).caller.ask("hello")).text == "hello"


async def test_an_error_after_deltas_ends_the_stream_as_an_error(running: Start) -> None:
    def answer(turn: Turn) -> None:
        turn.write("half an ans")
        raise ValueError("broke")

    assert (await (await running(Double(answer))).caller.refusal("hello")).reason is Reason.MODEL_ERROR


def _speaks(samples: object, rate: int = 16_000) -> Callable[[Turn], None]:
    return lambda turn: turn.speak(samples, rate)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "output", "words"),
    [
        (_speaks(np.array([0.1, np.nan], np.float32)), SPEECH, "NaN"),
        (_speaks(np.array([0.1, np.inf], np.float32)), SPEECH, "infinite"),
        (_speaks(np.zeros((10, 2), np.float32)), SPEECH, "(10, 2)"),
        (_speaks(np.zeros(10, np.float32), 0), SPEECH, "0 Hz"),
        (_speaks(np.zeros(10, np.float32)), pb.MODALITY_TEXT, "although text was asked for"),
    ],
)
async def test_invalid_audio_fails_the_turn(
    running: Start, answer: Callable[[Turn], None], output: pb.Modality.ValueType, words: str
) -> None:
    refusal = await (await running(Double(answer))).caller.refusal("hello", output=output)
    assert refusal.reason is Reason.MODEL_ERROR
    assert words in refusal.message


async def test_a_second_sample_rate_fails_the_turn(running: Start) -> None:
    def answer(turn: Turn) -> None:
        turn.speak(np.zeros(10, np.float32), 16_000)
        turn.speak(np.zeros(10, np.float32), 24_000)

    refusal = await (await running(Double(answer))).caller.refusal("hello", output=SPEECH)
    assert "24000 Hz after 16000 Hz" in refusal.message
