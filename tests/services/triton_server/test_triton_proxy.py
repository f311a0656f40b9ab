"""Proxies of calls to Triton: never the environment's; the option's for another machine, none for loopback."""

from __future__ import annotations

from typing import Any

import pytest

from omnigap.errors import ContractError
from omnigap_services.triton_server.adapter import TritonAdapter
from tests.helpers.recording_proxy import NO_PROXY, point_everything_at, recording_proxy
from tests.services.triton_server.triton_options import OMNI

ELSEWHERE = "triton.example:8001"


def refused(**options: Any) -> str:
    adapter = TritonAdapter({**OMNI, "wait_s": 0.0, **options})
    with pytest.raises(ContractError) as caught:
        adapter.load()
    adapter.close()
    return caught.value.message


def test_a_server_on_loopback_is_called_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    with recording_proxy() as proxy:
        point_everything_at(proxy.url, monkeypatch)
        refused(url="127.0.0.1:1")
        refused(url="127.0.0.1:1", proxy=proxy.url)
        assert proxy.asked == []


def test_another_server_is_called_through_the_options_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NO_PROXY:
        monkeypatch.delenv(name, raising=False)
    with recording_proxy() as proxy:
        message = refused(url=ELSEWHERE, proxy=proxy.url)
        assert set(proxy.asked) == {f"CONNECT {ELSEWHERE} HTTP/1.1"}
    assert f"through the proxy {proxy.url}" in message
