"""HTTP proxies: loopback is always direct, other hosts use a proxy only if the configuration names one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from omnigap.channel import channel_options, check_proxy, is_loopback, proxy_for
from omnigap.client import GenerateClient
from omnigap.errors import ContractError
from omnigap.v1 import model_service_pb2 as pb
from tests.helpers.recording_proxy import NO_PROXY, RecordingProxy, point_everything_at, recording_proxy
from tests.helpers.served_doubles import ServeWire, Wire, complete, plain, text

REMOTE = "model.example:50051"


@pytest.fixture
def proxy() -> Iterator[RecordingProxy]:
    with recording_proxy() as found:
        yield found


@pytest.mark.parametrize(
    "address",
    [
        *("localhost:50051", "LOCALHOST:50051", "localhost.:1", "model.localhost:1", "127.0.0.1:50051", "127.3.2.1:1"),
        *("[::1]:50051", "::1", "127.0.0.1", "0.0.0.0:1", "[::]:1", "[::ffff:127.0.0.1]:1"),
        *("dns:localhost:50051", "dns:///127.0.0.1:50051", "dns://9.9.9.9/localhost:1", "ipv4:127.0.0.1:50051"),
        *("ipv4:127.0.0.1:1,127.0.0.2:2", "ipv6:[::1]:50051", "unix:/run/model.sock", "unix:///run/model.sock"),
        "unix-abstract:model",
    ],
)
def test_loopback_addresses_are_recognised(address: str) -> None:
    assert is_loopback(address)
    assert ("grpc.enable_http_proxy", 0) in channel_options(address, "http://proxy:3128")


@pytest.mark.parametrize(
    "address",
    [
        *(REMOTE, "10.0.0.1:50051", "[2001:db8::1]:50051", "dns:///model.example:50051", "ipv4:10.0.0.1:1"),
        *("ipv4:127.0.0.1:1,10.0.0.1:1", "localhost.example:1", "127.0.0.1.example:1", "notlocalhost:1"),
    ],
)
def test_remote_addresses_are_not_loopback(address: str) -> None:
    assert not is_loopback(address)
    assert ("grpc.enable_http_proxy", 0) in channel_options(address)
    assert ("grpc.http_proxy", "http://proxy:3128") in channel_options(address, "http://proxy:3128")


@pytest.mark.parametrize(
    "proxy", ["proxy:3128", "https://proxy:3128", "http://proxy", "http://user:secret@proxy:1", "http://proxy:1/way"]
)
def test_invalid_proxy_is_refused_without_leaking_the_password(proxy: str) -> None:
    with pytest.raises(ValueError, match="http://HOST:PORT") as caught:
        check_proxy(proxy)
    assert "secret" not in str(caught.value)


async def test_loopback_calls_never_use_a_proxy(
    host_wire: ServeWire, proxy: RecordingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_everything_at(proxy.url, monkeypatch)
    address = await host_wire(Wire(lambda request: iter([text("Paris"), complete()])))
    port = address.rpartition(":")[2]
    for place in (address, f"localhost:{port}", f"dns:///localhost:{port}", f"ipv4:127.0.0.1:{port}"):
        for configured in ("", proxy.url):
            async with GenerateClient(place, configured) as client:
                assert await client.serving()
                answer = await client.generate(pb.GenerateRequest(output=pb.MODALITY_TEXT), timeout_s=10)
                assert answer.own_text == "Paris"
    assert proxy.asked == []


async def test_proxy_of_the_environment_is_ignored(proxy: RecordingProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    point_everything_at(proxy.url, monkeypatch)
    async with GenerateClient("model.invalid:50051") as client:
        assert not await client.serving(timeout_s=2)
    assert proxy.asked == []


async def test_remote_calls_use_the_configured_proxy_and_errors_name_it(
    proxy: RecordingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NO_PROXY:
        monkeypatch.delenv(name, raising=False)
    async with GenerateClient(REMOTE, proxy.url) as client:
        with pytest.raises(ContractError) as caught:
            await client.describe(timeout_s=10)
    assert set(proxy.asked) == {f"CONNECT {REMOTE} HTTP/1.1"}
    assert f"{REMOTE} is called through the proxy {proxy.url}" in caught.value.message


@pytest.mark.parametrize(
    ("no_proxy", "address"),
    [
        ("model.example", REMOTE),
        ("other, .example", "dns:///MODEL.example:50051"),
        ("10.0.0.0/8", "ipv4:10.0.0.1:1,10.0.0.2:1"),
    ],
)
def test_hosts_in_no_proxy_are_called_directly(no_proxy: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_grpc_proxy", raising=False)
    monkeypatch.setenv("no_proxy", no_proxy)
    assert proxy_for(address, "http://proxy:3128") == ""
    # If both are set, gRPC uses only no_grpc_proxy.
    monkeypatch.setenv("no_grpc_proxy", "192.0.2.0/24")
    assert proxy_for(address, "http://proxy:3128") == "http://proxy:3128"


@pytest.mark.parametrize("no_proxy", ["", ",", "other", "10.0.0.0/8", "no/block", "model.example:50051"])
def test_other_no_proxy_entries_keep_the_proxy(no_proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_grpc_proxy", raising=False)
    monkeypatch.setenv("no_proxy", no_proxy)
    assert proxy_for(REMOTE, "http://proxy:3128") == "http://proxy:3128"


async def test_error_of_a_direct_call_names_no_proxy(host_wire: ServeWire) -> None:
    wire = Wire(plain)
    address = await host_wire(wire)
    await wire.stop()
    async with GenerateClient(address, "http://127.0.0.1:9") as client:
        with pytest.raises(ContractError) as caught:
            await client.describe(timeout_s=5)
    assert "proxy" not in caught.value.message
    assert proxy_for(address, "http://127.0.0.1:9") == ""
