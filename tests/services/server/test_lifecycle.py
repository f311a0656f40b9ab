"""A server from bind to drain: health, refusals, metrics, and the digest of its description."""

from __future__ import annotations

import asyncio
import threading
import urllib.request

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from omnigap.channel import MAX_MESSAGE_BYTES
from omnigap.errors import ContractError
from omnigap.rpc_errors import from_rpc_error
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_services.adapter import Card, Completion, Part, Turn
from omnigap_services.echo import EchoAdapter
from omnigap_services.server import SERVICE, PortTakenError, Server, ServerOptions
from omnigap_services.server.describe import describe
from tests.services.server.model_double import CARD, PATIENCE_S, Double, Gate, Running, Start, asking, collect, entered

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def health(served: Running, service: str = "") -> int:
    stub = health_pb2_grpc.HealthStub(served.caller.channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE_S)).status


class SlowToLoad(Double):
    def __init__(self) -> None:
        super().__init__()
        self.resume = threading.Event()

    def load(self) -> Card:
        assert self.resume.wait(PATIENCE_S)
        return super().load()


async def test_health_is_serving_only_after_load_and_warm_up(running: Start) -> None:
    adapter = SlowToLoad()
    served = await running(adapter, load=False)
    loading = asyncio.create_task(served.server.load())
    assert (await health(served), await health(served, SERVICE)) == (NOT_SERVING, NOT_SERVING)
    assert (await served.caller.refusal("hello")).reason is Reason.NOT_READY
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.caller.describe()
    assert from_rpc_error(caught.value).reason is Reason.NOT_READY
    adapter.resume.set()
    await loading
    assert (await health(served), await health(served, SERVICE)) == (SERVING, SERVING)
    assert (await served.caller.ask("hello")).text == "hello"


async def test_an_adapter_that_still_loads_when_its_server_stops_is_closed(running: Start) -> None:
    adapter = SlowToLoad()
    served = await running(adapter, load=False)
    loading = asyncio.create_task(served.server.load())
    await health(served)
    loading.cancel()
    await asyncio.wait([loading])
    stopping = asyncio.create_task(served.server.stop())
    adapter.resume.set()
    assert await stopping
    assert adapter.closed.is_set()


async def test_a_failed_load_is_raised_and_health_stays_not_serving(running: Start) -> None:
    class Broken(Double):
        def load(self) -> Card:
            raise OSError("no weights at /models/x")

    adapter = Broken()
    served = await running(adapter, load=False)
    with pytest.raises(OSError, match="no weights"):
        await served.server.load()
    assert await health(served) == NOT_SERVING
    assert await asyncio.to_thread(adapter.closed.wait, PATIENCE_S)


async def test_a_service_that_fails_its_warm_up_does_not_open(running: Start) -> None:
    class Failing(Double):
        def generate(self, batch: object) -> None:
            raise ValueError("kernel not compiled for this device")

    served = await running(Failing(), load=False)
    with pytest.raises(ContractError, match="kernel not compiled"):
        await served.server.load()
    assert await health(served) == NOT_SERVING


@pytest.mark.parametrize("error", [OSError("device lost"), SystemExit(3)], ids=["error", "exit"])
async def test_a_failed_close_does_not_block_the_stop(
    running: Start, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    class FailingClose(Double):
        def close(self) -> None:
            raise error

    served = await running(FailingClose(), ServerOptions(drain_seconds=PATIENCE_S))
    assert await served.server.stop()
    assert "the adapter's close failed" in caplog.text


@pytest.mark.parametrize("name", ["t2t", "s2t", "i2t", "t2s", "s2s", "i2s"])
async def test_the_default_warm_up_uses_a_condition_of_the_card(running: Start, name: str) -> None:
    class Plain(Double):
        def warm_up(self) -> None:
            return None

    condition = next(c for c in CARD.conditions if c.name == name)
    adapter = Plain(conditions={condition: CARD.conditions[condition]})
    await running(adapter)
    assert [request.condition for batch in adapter.batches for request in batch] == [condition]


async def test_a_drain_finishes_admitted_answers_and_refuses_new_calls(running: Start) -> None:
    gate = Gate()
    adapter = Double(gate)
    served = await running(adapter, ServerOptions(drain_seconds=PATIENCE_S))
    calls = [asyncio.create_task(served.caller.ask(name)) for name in ("running", "waiting")]
    await entered(gate)
    await served.until(inflight=2)
    stopping = asyncio.create_task(served.server.stop())
    while await health(served) == SERVING:
        await asyncio.sleep(0)
    refusal = await served.caller.refusal("too late")
    assert refusal.reason is Reason.DRAINING
    gate.open.set()
    assert [answer.text for answer in await asyncio.gather(*calls)] == ["running", "waiting"]
    assert await stopping
    assert adapter.closed.is_set()


async def test_an_answer_that_outlasts_the_drain_ends_with_draining(running: Start) -> None:
    gate = Gate()
    served = await running(Double(gate), ServerOptions(drain_seconds=0.1))
    call = asyncio.create_task(served.caller.refusal("hello"))
    await entered(gate)
    assert not await served.server.stop()
    assert (await call).reason is Reason.DRAINING
    assert await asyncio.to_thread(gate.saw_cancel.wait, PATIENCE_S)


async def test_health_watchers_are_notified_after_another_one_left(running: Start) -> None:
    served = await running(Double())
    stub = health_pb2_grpc.HealthStub(served.caller.channel)
    stays, leaves = (stub.Watch(health_pb2.HealthCheckRequest(service=name)) for name in ("", SERVICE))
    assert (await stays.read()).status == (await leaves.read()).status == SERVING
    leaves.cancel()
    stopping = asyncio.create_task(served.server.stop())
    assert (await stays.read()).status == NOT_SERVING
    await stopping


async def test_an_unknown_health_service_is_not_found(running: Start) -> None:
    served = await running(Double())
    stub = health_pb2_grpc.HealthStub(served.caller.channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health(served, "omnigap.v2.ModelService")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    watch = stub.Watch(health_pb2.HealthCheckRequest(service="omnigap.v2.ModelService"))
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()


async def test_reflection_lists_the_service(running: Start) -> None:
    served = await running(Double())
    stub = reflection_pb2_grpc.ServerReflectionStub(served.caller.channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    names = {service.name for service in (await call.read()).list_services_response.service}
    assert {"omnigap.v1.ModelService", "grpc.health.v1.Health"} <= names
    call.cancel()


async def test_a_port_in_use_is_found_before_loading(running: Start) -> None:
    served = await running(Double())
    adapter = Double()
    second = Server(adapter, ServerOptions(port=served.server.port))
    with pytest.raises(PortTakenError, match=f"{served.server.port}.*--port"):
        await second.start()
    third = Server(adapter, ServerOptions(metrics_port=served.server.port))
    with pytest.raises(PortTakenError, match="--metrics-port"):
        await third.start()


async def test_messages_above_the_default_limit_of_4_mib_pass_both_ways(running: Start) -> None:
    served = await running(Double(lambda turn: turn.write("x" * 8_000_000), max_text_chars=10**8))
    received = await served.caller.ask("y" * 8_000_000)
    assert len(received.text) == 8_000_000
    assert (await served.caller.describe()).limits.max_request_bytes == MAX_MESSAGE_BYTES


async def test_metrics_are_served_on_their_own_port(running: Start) -> None:
    gate = Gate()
    served = await running(Double(gate, max_queue=0), ServerOptions(metrics_port=0, drain_seconds=0))
    call = served.caller.call(asking("hello", output=pb.MODALITY_SPEECH))
    answered = asyncio.create_task(collect(call))
    await entered(gate)
    assert "omnigap_inflight 1.0" in await scrape(served)
    assert (await served.caller.refusal("busy?")).reason is Reason.BUSY
    gate.open.set()
    await answered
    text = await scrape(served)
    for line in (
        'omnigap_requests_total{condition="t2s",outcome="answered",reason=""} 1.0',
        'omnigap_requests_total{condition="",outcome="refused",reason="BUSY"} 1.0',
        "omnigap_inflight 0.0",
        "omnigap_pending 0.0",
        'omnigap_audio_seconds_total{direction="out"} 0.1',
    ):
        assert line in text.splitlines()
    for name in ("queue_seconds", "compute_seconds", "ttft_seconds", "audio_ttfp_seconds", "batch_size"):
        assert f"omnigap_{name}_bucket" in text


async def test_tokens_of_answers_and_their_speed_are_in_the_metrics(running: Start) -> None:
    counts = {"ten": Completion(input_tokens=7, output_tokens=10), "four": Completion(output_tokens=4)}

    def answer(turn: Turn) -> None:
        turn.complete(counts.get(turn.request.texts[0], Completion()))

    served = await running(Double(answer), ServerOptions(metrics_port=0, drain_seconds=0))
    for text in ("ten", "four", "a model that counts nothing"):
        await served.caller.ask(text)
    lines = (await scrape(served)).splitlines()
    assert 'omnigap_tokens_total{direction="in"} 7.0' in lines
    assert 'omnigap_tokens_total{direction="out"} 14.0' in lines
    # The answer without a count is not one at 0 tokens a second.
    assert "omnigap_answer_tokens_per_second_count 2.0" in lines
    assert 'omnigap_answer_tokens_per_second_bucket{le="+Inf"} 2.0' in lines


async def scrape(served: Running) -> str:
    url = f"http://127.0.0.1:{served.server.metrics_port}/metrics"

    def read() -> str:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as response:
            return response.read().decode()

    return await asyncio.to_thread(read)


BASE = Card(name="double", conditions=CARD.conditions)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"name": "other"}, False),
        ({"version": "2"}, False),
        ({"weights_revision": "abc"}, False),
        ({"settings": {"dtype": "float32"}}, False),
        ({"libraries": ("numpy",)}, False),
        ({"parts": (Part("tts", "espeak", "0" * 64),)}, False),
        ({"max_queue": 3}, True),
        ({"max_batch_size": 7, "workers": 2}, True),
        ({"max_audio_seconds": 5.0}, True),
    ],
)
def test_the_digest_covers_what_changes_answers_but_not_limits(change: dict[str, object], same: bool) -> None:
    changed = Card(**{"name": "double", "conditions": CARD.conditions, **change})
    assert (describe(changed, Double).digest == describe(BASE, Double).digest) is same


def test_weights_known_by_their_content_have_one_digest_under_every_name() -> None:
    cards = [
        Card(name=name, conditions=CARD.conditions, weights_revision="sha256:abc", weights_source=name)
        for name in ("my-folder", "owner/name@commit")
    ]
    described = [describe(card, Double) for card in cards]
    assert described[0].digest == described[1].digest
    assert [card.weights_revision for card in described] == [
        "sha256:abc (my-folder)",
        "sha256:abc (owner/name@commit)",
    ]
    other = Card(name="a", conditions=CARD.conditions, weights_revision="sha256:abd", weights_source="a")
    assert describe(other, Double).digest != described[0].digest


def test_the_name_of_a_part_is_not_part_of_the_digest() -> None:
    cards = [Card("double", CARD.conditions, parts=(Part("llm", name, "0" * 64),)) for name in ("a", "b")]
    assert len({describe(card, Double).digest for card in cards}) == 1


def test_the_digest_covers_the_source_of_the_adapter() -> None:
    assert describe(BASE, Double).digest != describe(BASE, EchoAdapter).digest


def test_describe_lists_all_six_conditions_with_a_reason_for_each_unsupported_one() -> None:
    only_text = {condition: found for condition, found in CARD.conditions.items() if condition.name == "t2t"}
    described = describe(Card(name="small", conditions=only_text), Double)
    assert len(described.conditions) == 6
    for capability in described.conditions:
        assert capability.support == pb.SUPPORT_NATIVE or capability.reason


async def test_the_description_says_how_long_an_answer_may_take(running: Start) -> None:
    measured = await (await running(Double())).caller.describe()
    stated = await (await running(Double(answer_seconds=90.0))).caller.describe()
    assert measured.answer_seconds > 0
    assert stated.answer_seconds == 90.0
    # A number that differs between starts must not make every answer of a run another model's.
    assert measured.digest == stated.digest
