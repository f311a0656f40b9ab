"""Whatever a service sends, the client returns what can be stored, or raises an OmnigapError."""

from __future__ import annotations

import asyncio
import io
import json
import math
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import grpc
import polars as pl
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from omnigap import limits
from omnigap.answer import Answer
from omnigap.client import GenerateClient
from omnigap.errors import ContractError, OmnigapError
from omnigap.media import decode_audio
from omnigap.media.audio import PCM, WAV
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import CONDITIONS, ERROR_DOMAIN, Reason
from omnigap_orchestrator.journal import AnswerRow, TranscriptRow
from omnigap_orchestrator.pipeline.context import RunContext, open_run
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.pool import support_in
from omnigap_services.loop_thread import LoopThread
from tests.helpers.raw_service import SERVING, RawService, Script
from tests.helpers.running import Silent

DIGEST = "d" * 64
ResultT = TypeVar("ResultT")

quick = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))


class Fuzzed:
    """A raw service, its client and an open run, on a loop of their own that all examples share."""

    def __init__(self, folder: Path) -> None:
        self._thread = LoopThread("fuzz")
        self._folder = folder
        self._stack = AsyncExitStack()
        self.service = RawService()
        self.run(self._open())

    def run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        return self._thread.run(work)

    async def _open(self) -> None:
        await self.service.start()
        self._stack.push_async_callback(self.service.stop)
        self.client = await self._stack.enter_async_context(GenerateClient(self.service.address))
        self.context: RunContext = await self._stack.enter_async_context(open_run(RunFolder(self._folder), Silent()))

    def close(self) -> None:
        self.run(self._stack.aclose())
        self._thread.close()

    def ask(self, script: Script, output: pb.Modality.ValueType = pb.MODALITY_SPEECH) -> Answer:
        self.service.generate = script
        request = pb.GenerateRequest(parts=[pb.InputPart(text="?")], output=output, expected_digest=DIGEST)
        return self.run(self.client.generate(request, timeout_s=30))


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    found = Fuzzed(tmp_path_factory.mktemp("fuzz") / "run")
    yield found
    found.close()


# Protobuf strings are valid UTF-8, which has no lone surrogates.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
numbers = st.floats() | st.sampled_from([0.0, 1.5, -0.0, 1e6])
counts = st.integers(0, 2**32 - 1) | st.integers(0, 100)
enums = st.integers(-(2**31), 2**31 - 1) | st.integers(0, 4)
rates = st.sampled_from([24_000, 24_000, 16_000, 0, 1, 192_000, 2**32 - 1])
audio = st.builds(
    pb.Audio,
    data=st.binary(max_size=64) | st.integers(0, 500).map(lambda n: bytes(2 * n)),
    mime_type=st.sampled_from([PCM, PCM, PCM, WAV, "", "audio/pcm; x=\x1b"]),
    sample_rate_hz=rates,
    channels=st.sampled_from([1, 1, 1, 0, 2, 2**32 - 1]),
)
deltas = st.builds(pb.Delta, text=texts) | st.builds(pb.Delta, audio=audio) | st.builds(pb.Delta, reasoning=texts)
usages = st.builds(
    pb.Usage,
    input_tokens=counts,
    output_tokens=counts,
    audio_tokens=counts,
    input_audio_seconds=numbers,
    output_audio_seconds=numbers,
)
timings = st.builds(
    pb.Timings, queue_s=numbers, compute_s=numbers, ttft_s=numbers, audio_ttfp_s=numbers, batch_size=counts
)
completes = st.builds(
    pb.Complete,
    finish_reason=enums | st.sampled_from([1, 2, 3]),
    usage=st.just(pb.Usage()) | usages,
    timings=st.just(pb.Timings()) | timings,
    digest=st.sampled_from([DIGEST, DIGEST, DIGEST, "", "e" * 64]) | texts,
    diagnostics=st.just({}) | st.dictionaries(texts, numbers, max_size=4),
    detected_language=st.sampled_from(["", "en"]) | texts,
)
events = (
    deltas.map(lambda delta: pb.GenerateResponse(delta=delta))
    | completes.map(lambda done: pb.GenerateResponse(complete=done))
    | st.sampled_from([pb.GenerateResponse(), pb.GenerateResponse(delta=pb.Delta())])
).map(pb.GenerateResponse.SerializeToString)
FINISHED = pb.GenerateResponse(
    complete=pb.Complete(finish_reason=pb.FINISH_REASON_STOP, digest=DIGEST)
).SerializeToString()
GOOD = [
    pb.GenerateResponse(delta=pb.Delta(text="Pa\0ris")).SerializeToString(),
    pb.GenerateResponse(
        delta=pb.Delta(audio=pb.Audio(data=b"\1\0" * 50, mime_type=PCM, sample_rate_hz=24_000, channels=1))
    ).SerializeToString(),
    FINISHED,
]


@st.composite
def mutated(draw: st.DrawFn) -> list[bytes]:
    """A valid stream with a few flipped bits, cut or swapped messages."""
    stream = list(GOOD)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(stream) - 1))
        data = bytearray(stream[place])
        kind = draw(st.sampled_from(["flip", "cut", "swap", "twice"]))
        if kind == "flip" and data:
            data[draw(st.integers(0, len(data) - 1))] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del data[draw(st.integers(0, len(data))) :]
        elif kind == "twice":
            stream.append(bytes(data))
        else:
            stream.reverse()
        stream[min(place, len(stream) - 1)] = bytes(data)
    return stream


details = (
    st.binary(max_size=60)
    | st.builds(
        lambda url, value: status_pb2.Status(details=[any_pb2.Any(type_url=url, value=value)]).SerializeToString(),
        st.sampled_from(["type.googleapis.com/google.rpc.ErrorInfo", "type.googleapis.com/google.rpc.Help", "x", ""]),
        st.binary(max_size=30)
        | st.builds(
            lambda reason, domain: error_details_pb2.ErrorInfo(reason=reason, domain=domain).SerializeToString(),
            st.sampled_from(["BUSY", "TOO_LARGE", "NO_SUCH", ""]),
            st.sampled_from([ERROR_DOMAIN, "proxy"]),
        ),
    )
).map(lambda data: ("grpc-status-details-bin", data))
trailing = st.lists(details | st.sampled_from([("x-other", "text"), ("x-bin", b"\xff\0")]), max_size=3)
statuses = st.sampled_from([code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
scripts = st.builds(
    Script,
    messages=st.lists(events | st.binary(max_size=40), max_size=5)
    | st.lists(events, max_size=3).map(lambda some: [*some, FINISHED])
    | mutated(),
    status=st.none() | statuses,
    message=texts | st.just("x" * 3_000) | st.just("\x1b[2J\u202e\n"),
    trailing=trailing,
)


def check_accepted(answer: Answer) -> None:
    assert answer.digest == DIGEST
    for message in (answer.usage, answer.timings):
        assert all(math.isfinite(value) and value >= 0 for _, value in message.ListFields())
    assert all(map(math.isfinite, answer.diagnostics.values()))
    assert answer.sample_rate == 0 or 4_000 <= answer.sample_rate <= 192_000
    assert len(answer.pcm) % 2 == 0
    assert len(answer.own_text) <= limits.MAX_ANSWER_TEXT_CHARS


def check_stored(fuzzed: Fuzzed, answer: Answer) -> None:
    """An accepted answer is stored and read back unchanged, as audio, in the journal and as Parquet."""
    context = fuzzed.context
    row = fuzzed.run(context.save_answer("a", answer))
    heard = fuzzed.run(context.save_transcript("t", answer))
    assert context.journal.all(AnswerRow) == [row]
    assert context.journal.all(TranscriptRow) == [heard]
    json.loads(row.diagnostics, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    if row.media_sha is not None:
        clip = decode_audio(context.store.read(row.media_sha), WAV)
        assert (2 * len(clip.samples), clip.sample_rate) == (len(answer.pcm), answer.sample_rate)
    frame = pl.DataFrame([{"text": row.own_text, "reasoning": row.reasoning, "tokens": row.output_tokens}])
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    assert pl.read_parquet(buffer.getvalue()).equals(frame)


@quick
@given(scripts, st.sampled_from([pb.MODALITY_TEXT, pb.MODALITY_SPEECH]))
@example(Script(GOOD), pb.MODALITY_SPEECH)
@example(Script([b"\xff\xff"]), pb.MODALITY_TEXT)
@example(Script([], grpc.StatusCode.CANCELLED), pb.MODALITY_TEXT)
def test_any_stream_is_a_stored_answer_or_an_omnigap_error(
    fuzzed: Fuzzed, script: Script, output: pb.Modality.ValueType
) -> None:
    try:
        answer = fuzzed.ask(script, output)
    except OmnigapError as error:
        assert len(str(error)) < 2 * limits.MAX_ERROR_CHARS
        assert str(error).isprintable()
        return
    check_accepted(answer)
    check_stored(fuzzed, answer)


def test_the_valid_stream_is_accepted(fuzzed: Fuzzed) -> None:
    assert fuzzed.ask(Script(GOOD)).own_text == "Pa\0ris"


capabilities = st.builds(pb.Capability, input=enums, output=enums, support=enums, reason=texts)
cards = st.builds(
    pb.DescribeResponse,
    name=st.just("omni") | texts,
    version=texts,
    architecture=st.just(0) | enums,
    digest=st.just(DIGEST) | texts,
    conditions=st.lists(capabilities, max_size=3),
    limits=st.builds(pb.Limits, max_audio_seconds=numbers, input_sample_rate_hz=rates),
    max_concurrent=counts,
    answer_seconds=numbers,
    voices=st.lists(st.builds(pb.Voice, name=texts, language=texts), max_size=2),
    languages=st.lists(texts, max_size=2),
    settings=st.dictionaries(texts, texts, max_size=2),
    parts=st.lists(st.builds(pb.ServicePart, role=texts, name=texts, digest=texts), max_size=2),
    output_sample_rate_hz=rates,
    outdated=texts,
).map(pb.DescribeResponse.SerializeToString)


@quick
@given(st.builds(Script, st.lists(cards | st.binary(max_size=60), min_size=1, max_size=1), st.none() | statuses, texts))
@example(Script([b"\xff"]))
@example(Script([pb.DescribeResponse(name="omni", digest=DIGEST).SerializeToString()]))
def test_any_card_can_be_used_or_is_an_omnigap_error(fuzzed: Fuzzed, script: Script) -> None:
    fuzzed.service.describe = script
    try:
        card = fuzzed.run(fuzzed.client.describe(timeout_s=30))
    except OmnigapError as error:
        assert len(str(error)) < 2 * limits.MAX_ERROR_CHARS
        return
    assert card.name.isprintable() and card.name.strip() and card.digest
    assert card.outdated.isprintable()
    assert card.max_concurrent <= limits.MAX_CONCURRENT
    assert math.isfinite(card.limits.max_audio_seconds) and math.isfinite(card.answer_seconds)
    for condition in CONDITIONS:
        support_in(card, condition)


@quick
@given(
    st.builds(Script, st.lists(st.binary(max_size=8) | st.just(SERVING), min_size=1, max_size=1), st.none() | statuses)
)
@example(Script([b"\x08\x63"]))
def test_any_health_reply_is_a_text(fuzzed: Fuzzed, script: Script) -> None:
    fuzzed.service.health = script
    assert isinstance(fuzzed.run(fuzzed.client.health(timeout_s=30)), str)


def test_a_call_that_the_peer_or_a_closed_channel_cancels_is_an_error_not_a_cancellation() -> None:
    """A CancelledError in a task that was not cancelled would end the task without any message."""

    async def ask() -> tuple[ContractError, ContractError]:
        service = RawService(generate=Script([], grpc.StatusCode.CANCELLED, "gone"))
        await service.start()
        client = GenerateClient(service.address)
        errors = []
        for _ in range(2):
            with pytest.raises(ContractError) as caught:
                await client.generate(pb.GenerateRequest(), timeout_s=30)
            errors.append(caught.value)
            await client.close()
        await service.stop()
        return errors[0], errors[1]

    by_peer, closed = asyncio.run(ask())
    assert by_peer.reason is Reason.CANCELLED
    assert "closed" in closed.message


def test_a_message_over_the_limit_of_grpc_is_too_large(fuzzed: Fuzzed) -> None:
    huge = pb.GenerateResponse(delta=pb.Delta(text="a" * 70_000_000)).SerializeToString()
    with pytest.raises(ContractError) as caught:
        fuzzed.ask(Script([huge, FINISHED]))
    assert caught.value.reason is Reason.TOO_LARGE
