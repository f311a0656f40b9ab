"""Proxies of calls to an OpenAI-compatible server: none for loopback, else that of the option or the environment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.openai_server.adapter import OpenaiAdapter
from tests.helpers.chat_server import ChatServer, whole
from tests.helpers.recording_proxy import NO_PROXY, RecordingProxy, point_everything_at, recording_proxy
from tests.services.openai_server.through import Through

ELSEWHERE = "http://model.example/v1"


@pytest.fixture
def proxy() -> Iterator[RecordingProxy]:
    with recording_proxy() as found:
        yield found


def refusal(**options: object) -> ContractError:
    """The error of loading with a server on another machine: the proxy answers 502."""
    adapter = OpenaiAdapter({"base_url": ELSEWHERE, "model": "m", "wait_s": 0, "max_retries": 0, **options})
    with pytest.raises(ContractError) as caught:
        adapter.load()
    adapter.close()
    return caught.value


def test_a_server_on_loopback_is_called_directly(
    chat: ChatServer, through: Through, proxy: RecordingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_everything_at(proxy.url, monkeypatch)
    for options in ({}, {"proxy": proxy.url}):
        served = through(**options)
        chat.then(whole("Paris"))
        assert served.ask("Where?").text == "Paris"
    assert proxy.asked == []


def test_another_server_is_called_through_the_options_proxy_which_the_error_names(
    proxy: RecordingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_everything_at("http://127.0.0.1:9", monkeypatch)
    error = refusal(proxy=proxy.url)
    assert proxy.asked[0] == f"GET {ELSEWHERE}/models HTTP/1.1"
    assert error.reason is Reason.UPSTREAM_UNAVAILABLE
    assert f"through the proxy {proxy.url}" in error.message


def test_another_server_is_called_through_the_environments_proxy(
    proxy: RecordingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NO_PROXY:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", proxy.url)
    refusal()
    assert proxy.asked[0] == f"GET {ELSEWHERE}/models HTTP/1.1"
