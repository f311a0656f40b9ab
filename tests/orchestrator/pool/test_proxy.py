"""Services behind a proxy: a failed connection names the proxy and the key to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnigap_orchestrator.config import ConfigError, load_config
from omnigap_orchestrator.pool import connect
from omnigap_orchestrator.preflight import Status
from omnigap_orchestrator.preflight.doctor import check_endpoint
from tests.helpers.recording_proxy import NO_PROXY, recording_proxy
from tests.orchestrator.pool.asking import IMPATIENT

ELSEWHERE = "model.example:50051"


@pytest.fixture(autouse=True)
def _no_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NO_PROXY:
        monkeypatch.delenv(name, raising=False)


async def test_a_failed_connection_names_the_proxy() -> None:
    notes: list[str] = []
    with recording_proxy() as proxy:
        assert await connect("omni", ["127.0.0.1:1", ELSEWHERE], IMPATIENT, notes.append, proxy.url) is None
        assert proxy.asked
    note = notes[-1]
    assert (
        proxy.url in note
        and ELSEWHERE in note
        and "[network] proxy" in note
        and "127.0.0.1" not in note.replace(proxy.url, "")
    )


async def test_a_failed_loopback_connection_names_no_proxy() -> None:
    notes: list[str] = []
    with recording_proxy() as proxy:
        assert await connect("omni", ["127.0.0.1:1"], IMPATIENT, notes.append, proxy.url) is None
        assert proxy.asked == []
    assert not any(proxy.url in note for note in notes)


async def test_doctor_names_the_proxy() -> None:
    with recording_proxy() as proxy:
        (finding,) = await check_endpoint("omni", ELSEWHERE, Status.FAILED, proxy=proxy.url)
    assert proxy.url in finding.message and "[network] proxy" in finding.message


def test_an_invalid_proxy_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[network]\nproxy = "http://proxy:3128"\n')
    assert load_config(path).network.proxy == "http://proxy:3128"
    path.write_text('[network]\nproxy = "proxy:3128"\n')
    with pytest.raises(ConfigError, match=r"network\.proxy.*http://HOST:PORT"):
        load_config(path)
