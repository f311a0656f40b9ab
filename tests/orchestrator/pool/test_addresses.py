"""A host name with several addresses: one replica at each, which moves with its container.

A resolver of the test maps names to addresses of the loopback network, where real servers listen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import grpc
import pytest
from grpc_health.v1 import health, health_pb2
from hypothesis import given
from hypothesis import strategies as st

from omnigap.answer import Answer
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Reason
from omnigap_orchestrator.pool import Service, ServiceError, connect
from omnigap_orchestrator.pool.addresses import HostNames, look_up, one_family
from tests.helpers.served_doubles import PATIENCE_S, ServeWire, Wire
from tests.orchestrator.pool.asking import PATIENT, Connect, ask_all, echo, raising, texts, words_of

V4 = st.ip_addresses(v=4).map(str)
V6 = st.ip_addresses(v=6).map(str)


class Dns:
    """A name server whose entries a test changes.

    Attributes:
        asked: the names that were looked up.
    """

    def __init__(self, **names: list[str]) -> None:
        self.names = names
        self.asked: list[str] = []

    async def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        if host not in self.names:
            raise OSError(f"{host} is unknown")
        return self.names[host]


async def containers(host_wire: ServeWire, *wires: Wire) -> int:
    """Serves doubles at 127.0.0.2, 127.0.0.3, ... on one port, which is returned."""
    for number, wire in enumerate(wires):
        wire.host, wire.port = f"127.0.0.{2 + number}", wires[0].port
        await host_wire(wire)
    return wires[0].port


async def test_calls_are_spread_over_all_addresses_of_a_name(host_wire: ServeWire, connected: Connect) -> None:
    wires = [Wire(echo, delay_s=0.01, max_concurrent=3) for _ in range(3)]
    port = await containers(host_wire, *wires)
    service = await connected(f"demo:{port}", look_up=Dns(demo=[wire.host for wire in wires]))
    assert service.pool.capacity == 9
    words = [f"question {number}" for number in range(45)]
    answers = await ask_all(service, *words)
    assert texts(answers) == words
    assert [wire.most_in_flight for wire in wires] == [3, 3, 3]
    used = {answer.endpoint for answer in answers if isinstance(answer, Answer)}
    assert used == {f"demo:{port} ({wire.host})" for wire in wires}


async def test_the_other_addresses_answer_when_one_is_gone(
    host_wire: ServeWire, connected: Connect, notes: list[str]
) -> None:
    lost, kept = Wire(echo, delay_s=3600), Wire(echo)
    port = await containers(host_wire, lost, kept)
    service = await connected(f"demo:{port}", look_up=Dns(demo=["127.0.0.2", "127.0.0.3"]))
    words = [f"question {number}" for number in range(12)]
    calls = asyncio.create_task(ask_all(service, *words))
    await lost.until_asked(1)
    await lost.stop()
    assert texts(await calls) == words
    assert f"demo:{port} (127.0.0.2) is unavailable" in notes[0]


async def until_asked_by_all(service: Service, *wires: Wire) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not all(wire.asked for wire in wires):
            await ask_all(service, *(f"{number}" for number in range(2 * len(wires))))


@pytest.mark.parametrize("left", [["127.0.0.4", "127.0.0.3"], ["127.0.0.3", "127.0.0.4", "127.0.0.5"]])
async def test_a_recreated_container_is_used_at_its_new_address(
    host_wire: ServeWire, connected: Connect, notes: list[str], left: list[str]
) -> None:
    wires = [Wire(echo, max_concurrent=1, delay_s=0.01) for _ in range(2)]
    port = await containers(host_wire, *wires)
    dns = Dns(demo=["127.0.0.2", "127.0.0.3"])
    service = await connected(f"demo:{port}", look_up=dns)
    await wires[0].stop()
    recreated = Wire(echo, host="127.0.0.4", port=port)
    await host_wire(recreated)
    dns.names["demo"] = left
    await until_asked_by_all(service, recreated)
    assert [note for note in notes if "replaces it" in note] == [
        f"demo:{port} (127.0.0.2) is gone: demo:{port} (127.0.0.4) replaces it"
    ]
    assert service.pool.capacity == 2


async def test_all_containers_may_be_recreated_one_after_the_other(host_wire: ServeWire, connected: Connect) -> None:
    wires = [Wire(echo, max_concurrent=1, delay_s=0.01) for _ in range(2)]
    port = await containers(host_wire, *wires)
    dns = Dns(demo=["127.0.0.2", "127.0.0.3"])
    service = await connected(f"demo:{port}", look_up=dns)
    calls = asyncio.create_task(ask_all(service, *(f"{number}" for number in range(200))))
    await wires[0].until_asked(1)
    dns.names["demo"] = []
    for wire in wires:
        await wire.stop()
    # Only one address at first, as while Compose recreates them.
    second = [Wire(echo, host=f"127.0.0.{number}", port=port, max_concurrent=1, delay_s=0.01) for number in (4, 5)]
    for wire in second:
        await host_wire(wire)
        dns.names["demo"] = [*dns.names["demo"], wire.host]
        await until_asked_by_all(service, wire)
    assert not [answer for answer in await calls if not isinstance(answer, Answer)]


async def test_no_replica_moves_to_an_address_in_use(
    host_wire: ServeWire, connected: Connect, notes: list[str]
) -> None:
    wires = [Wire(echo, delay_s=0.01) for _ in range(2)]
    port = await containers(host_wire, *wires)
    dns = Dns(demo=["127.0.0.2", "127.0.0.3"])
    service = await connected(f"demo:{port}", look_up=dns)
    dns.names["demo"] = ["127.0.0.3"]
    await wires[0].stop()
    await ask_all(service, *(f"{number}" for number in range(8)))
    looked_up = len(dns.asked)
    async with asyncio.timeout(PATIENCE_S):
        while len(dns.asked) < looked_up + 2:
            await asyncio.sleep(0.01)
    assert not any("replaces" in note for note in notes)
    # Back at its old address.
    dns.names["demo"] = ["127.0.0.2", "127.0.0.3"]
    wires[0].asked.clear()
    await wires[0].start()
    await until_asked_by_all(service, wires[0])


class _ProbedHealth(health.aio.HealthServicer):
    """Counts health checks."""

    def __init__(self) -> None:
        super().__init__()
        self.checks = 0

    async def Check(self, request: object, context: object) -> object:  # noqa: N802
        self.checks += 1
        return await super().Check(request, context)


class _Draining(Wire):
    """Drains as soon as it works on a call `long`, which it finishes when `finish` is set."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._health = self.health = _ProbedHealth()
        self.started, self.finish = asyncio.Event(), asyncio.Event()

    async def Generate(  # noqa: N802
        self, request: pb.GenerateRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.GenerateResponse]:
        if words_of(request) == "long":
            await self.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
            self.started.set()
            await self.finish.wait()
        async for response in super().Generate(request, context):
            yield response


async def test_a_container_that_drains_finishes_its_calls(host_wire: ServeWire, connected: Connect) -> None:
    def respond(request: pb.GenerateRequest) -> Iterator[pb.GenerateResponse]:
        if words_of(request) != "long":
            raise raising(Reason.DRAINING)
        yield from echo(request)

    old = _Draining(respond)
    port = await containers(host_wire, old, Wire(echo))
    dns = Dns(demo=["127.0.0.2", "127.0.0.3"])
    service = await connected(f"demo:{port}", look_up=dns)
    calls = asyncio.create_task(ask_all(service, "long"))
    await old.started.wait()
    recreated = Wire(echo, host="127.0.0.4", port=port)
    await host_wire(recreated)
    # Kubernetes removes the address of a container that is stopping from its name.
    dns.names["demo"] = ["127.0.0.3", "127.0.0.4"]
    await ask_all(service, *(f"{number}" for number in range(8)))
    checks = old.health.checks
    async with asyncio.timeout(PATIENCE_S):
        while old.health.checks < checks + 2:
            await asyncio.sleep(0.01)
    assert not recreated.asked
    old.finish.set()
    assert texts(await calls) == ["long"]
    assert [words_of(request) for request in old.asked].count("long") == 1
    await until_asked_by_all(service, recreated)


async def test_a_name_that_is_not_known_yet_is_waited_for(
    host_wire: ServeWire, connected: Connect, notes: list[str]
) -> None:
    wires = [Wire(echo, delay_s=0.01, max_concurrent=1) for _ in range(2)]
    port = await containers(host_wire, *wires)
    dns = Dns()
    connecting = asyncio.create_task(connected(f"demo.invalid:{port}", look_up=dns))
    async with asyncio.timeout(PATIENCE_S):
        while not notes:
            await asyncio.sleep(0.01)
    assert f"demo.invalid:{port}" in notes[0]
    dns.names["demo.invalid"] = ["127.0.0.2", "127.0.0.3"]
    await until_asked_by_all(await connecting, *wires)


async def test_addresses_with_different_digests_are_refused(host_wire: ServeWire) -> None:
    port = await containers(host_wire, *(Wire(echo, digest=digest) for digest in ("a" * 64, "b" * 64)))
    with pytest.raises(ServiceError) as caught:
        await connect("omni", [f"demo:{port}"], PATIENT, print, look_up=Dns(demo=["127.0.0.2", "127.0.0.3"]))
    for part in (f"demo:{port} (127.0.0.2)", f"demo:{port} (127.0.0.3)", "a" * 12, "b" * 12):
        assert part in str(caught.value)


async def test_one_address_under_two_names_is_one_replica(
    host_wire: ServeWire, connected: Connect, notes: list[str]
) -> None:
    wires = [Wire(echo) for _ in range(2)]
    port = await containers(host_wire, *wires)
    dns = Dns(demo=["127.0.0.2", "127.0.0.3"], alias=["127.0.0.3", "127.0.0.2"])
    service = await connected(f"demo:{port}", f"alias:{port}", f"127.0.0.3:{port}", look_up=dns)
    assert service.pool.capacity == 8
    assert len(notes) == 3 and all("used once" in note and f"demo:{port}" in note for note in notes)
    # Another port is another service.
    assert len((await HostNames(look_up=dns).places(["demo:1", "demo:2"]))[0]) == 4


@pytest.mark.parametrize(
    "endpoint",
    [
        *("localhost:1", "a.localhost:1", "unix:/run/x", "unix:5", "ipv4:10.0.0.1:1,10.0.0.2:1"),
        *("dns://9.9.9.9/demo:1", "xds:///demo:1", "demo", "demo:grpc", "demo:1,other:1", "proxied:1"),
    ],
)
async def test_what_only_grpc_or_a_proxy_can_resolve_is_left_alone(endpoint: str) -> None:
    dns = Dns(demo=["127.0.0.2", "127.0.0.3"])
    # A loopback name is never called through a proxy, so it tests the other rule.
    proxy = "http://proxy:3128" if endpoint.startswith("proxied") else ""
    places, notes = await HostNames(proxy, dns).places([endpoint])
    assert [(place.endpoint, place.ip) for place in places] == [(endpoint, "")]
    assert dns.asked == notes == []


@pytest.mark.parametrize("endpoint", ["demo:7", "dns:///demo:7", "dns:demo:7"])
async def test_a_name_without_a_proxy_is_looked_up(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_grpc_proxy", raising=False)
    monkeypatch.setenv("no_proxy", "demo")
    names = HostNames("http://proxy:3128", Dns(demo=["fd00::2", "fd00::1", "10.0.0.1"]))
    places, _ = await names.places([endpoint])
    clients = [place.client("http://proxy:3128") for place in places]
    assert [client.address for client in clients] == [f"{endpoint} (fd00::1)", f"{endpoint} (fd00::2)"]
    assert {client.proxy for client in clients} == {""}
    for client in clients:
        await client.close()


async def test_a_name_with_one_address_stays_a_name() -> None:
    """gRPC resolves it again after a restart."""
    places, _ = await HostNames(look_up=Dns(demo=["10.0.0.1", "fd00::1"])).places(["demo:1"])
    assert [(place.endpoint, place.ip) for place in places] == [("demo:1", "")]


async def test_a_name_server_that_does_not_answer_holds_up_one_look_up_only(
    host_wire: ServeWire, connected: Connect
) -> None:
    asked = 0

    async def dead(host: str) -> list[str]:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()
        return []

    wire = Wire(echo)
    address = await host_wire(wire)
    names = HostNames(look_up=dead)
    service, *found = await asyncio.gather(
        connected("dead.invalid:1", address, look_up=dead), *(names.addresses("dead.invalid:1") for _ in range(3))
    )
    assert texts(await ask_all(service, "now")) == ["now"]
    assert found == [[], [], []] and asked == 2


async def test_the_resolver_of_the_system_is_used() -> None:
    assert "127.0.0.1" in await look_up("localhost")
    assert await HostNames().addresses("no-such-host.invalid:1") == []
    assert await HostNames().addresses(f"{'a' * 64}.invalid:1") == []


@given(st.lists(V4, max_size=5), st.lists(V6, max_size=5))
def test_a_host_with_both_families_is_counted_once(v4: list[str], v6: list[str]) -> None:
    found = one_family([*v6, *v4, *v4])
    assert len(found) == len(set(found))
    assert set(found) <= set(v4) or set(found) <= set(v6)
    if len(set(v4)) >= len(set(v6)):
        assert set(found) == set(v4)


def test_link_local_addresses_do_not_count() -> None:
    assert one_family(["fe80::1", "fe80::2%eth0", "10.0.0.1"]) == ["10.0.0.1"]
    assert one_family(["fe80::1"]) == []
