"""Services as child processes: started in order, restarted when they die, stopped at the end."""

from __future__ import annotations

import os
import re
from pathlib import Path

import psutil
import pytest

from omnigap.client import GenerateClient
from omnigap.errors import first_error
from omnigap.v1 import model_service_pb2 as pb
from omnigap_orchestrator import run
from omnigap_orchestrator.fleet import EmbeddedFleet, FleetError, Role, ServiceSpec
from omnigap_orchestrator.pipeline.context import open_run
from omnigap_orchestrator.pipeline.scope import RunScope
from tests.helpers.running import Setting, Silent, item, outcomes, until
from tests.helpers.served_doubles import PATIENCE_S

FRAGILE = "tests.helpers.fragile_model:Fragile"
NOISE = "tests.helpers.noise_model:Noise"


@pytest.fixture(autouse=True)
def importable_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))


_others: list[psutil.Process] = []


@pytest.fixture(autouse=True)
def of_other_tests() -> None:
    """Leaves out processes of other tests of the session."""
    _others[:] = psutil.Process().children(recursive=True)


def children(recursive: bool = True) -> list[psutil.Process]:
    """The processes that this test started."""
    return [child for child in psutil.Process().children(recursive) if child not in _others]


async def ask(address: str, words: str) -> str:
    request = pb.GenerateRequest(parts=[pb.InputPart(text=words)], output=pb.MODALITY_TEXT)
    async with GenerateClient(address) as endpoint:
        return (await endpoint.generate(request, timeout_s=PATIENCE_S)).own_text


async def test_services_start_on_free_ports_and_stop_at_the_end(tmp_path: Path) -> None:
    services = (
        ServiceSpec("omni", Role.MODEL, "echo", {"answer": "@voice"}, replicas=2),
        ServiceSpec("voice", Role.TTS, "echo"),
    )
    fleet = EmbeddedFleet(services, tmp_path, print)
    assert fleet.description.startswith("embedded fleet: omni, voice ")
    async with fleet as endpoints:
        assert (len(endpoints.models["omni"]), len(endpoints.tts), endpoints.scorer) == (2, 1, ())
        assert len({*endpoints.models["omni"], *endpoints.tts}) == 3
        assert {await ask(address, "Where is the voice?") for address in endpoints.models["omni"]} == {endpoints.tts[0]}
        assert len(children()) == 3
    assert children() == []


async def test_a_service_that_cannot_start_names_the_command_that_fetches_its_files(tmp_path: Path) -> None:
    services = (ServiceSpec("scorer", Role.SCORER, "asr", {"checkpoint": "./weights/missing"}),)
    fleet = EmbeddedFleet(services, tmp_path, print, setup="python weights/fetch.py")
    with pytest.raises(ExceptionGroup) as caught:
        await fleet.__aenter__()
    message = str(first_error(caught.value))
    assert "weights/missing" in message
    assert message.endswith("fetch them first: python weights/fetch.py")
    assert children() == []


async def test_a_killed_child_restarts_on_its_port_without_its_old_children(tmp_path: Path) -> None:
    notes: list[str] = []
    services = (ServiceSpec("omni", Role.MODEL, FRAGILE, {"child": True}),)
    async with EmbeddedFleet(services, tmp_path, notes.append) as endpoints:
        (address,) = endpoints.models["omni"]
        (service,) = children(recursive=False)
        (grandchild,) = service.children()
        service.kill()
        await until(lambda: "omni was restarted" in notes, "a new process")
        assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE
        assert await ask(address, "hello") == "hello"
        assert notes[0].startswith("omni died with exit code -9")
    assert children() == []


async def test_a_service_is_not_blocked_by_its_output(tmp_path: Path) -> None:
    services = (ServiceSpec("omni", Role.MODEL, FRAGILE, {"chatter": True}),)
    async with EmbeddedFleet(services, tmp_path, print) as endpoints:
        (address,) = endpoints.models["omni"]
        assert [await ask(address, "hello") for _ in range(3)] == ["hello"] * 3


async def test_a_service_that_dies_at_start_stops_the_fleet_with_its_log(tmp_path: Path) -> None:
    services = (
        ServiceSpec("voice", Role.TTS, "echo"),
        ServiceSpec("omni", Role.MODEL, "echo", {"anser": "Paris"}),
    )
    with pytest.raises(BaseExceptionGroup) as caught:
        async with EmbeddedFleet(services, tmp_path, print):
            pass
    error = first_error(caught.value)
    assert isinstance(error, FleetError)
    assert "omni" in str(error) and "exit code 1" in str(error)
    assert "unknown option 'anser'" in str(error)
    assert children() == []


async def test_a_service_that_starts_too_slowly_is_named(tmp_path: Path) -> None:
    with pytest.raises(BaseExceptionGroup) as caught:
        async with EmbeddedFleet([ServiceSpec("voice", Role.TTS, "echo")], tmp_path, print, start_timeout_s=0.001):
            pass
    assert re.search(r"voice.*0\.001 s", str(first_error(caught.value)))
    assert children() == []


async def test_references_to_a_missing_service_are_named(tmp_path: Path) -> None:
    services = [ServiceSpec("omni", Role.MODEL, "echo", {"answer": "@voice"})]
    with pytest.raises(FleetError, match=r"omni.*voice"):
        async with EmbeddedFleet(services, tmp_path, print):
            pass


async def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "services").write_text("in the way")
    with pytest.raises(BaseExceptionGroup) as caught:
        async with EmbeddedFleet([ServiceSpec("voice", Role.TTS, "echo")], tmp_path / "services", print):
            pass
    assert "--run-dir" in str(first_error(caught.value))


async def test_questions_that_crash_their_service_fail_and_others_are_answered(tmp_path: Path) -> None:
    """Two of them: together more crashes than the failed starts that a service may have."""
    items = [item(name) for name in ("france", "poison", "peru", "poison again", "spain")]
    setting = Setting(tmp_path, {"omni": []}, items=items, tables={"run": {"conditions": ["t2t"], "patience_s": 60}})
    config, observer = setting.config(), Silent()
    setting.folder.make()
    fleet = EmbeddedFleet([ServiceSpec("omni", Role.MODEL, FRAGILE)], setting.folder.services, observer.note)
    async with open_run(setting.folder, observer) as context, fleet as endpoints:
        await run.process_cells(context, config, setting.load_items(), RunScope(), endpoints)
    table = setting.table()
    assert outcomes(table) == {"answered": 3, "failed": 2}
    failed = table.filter(outcome="failed")
    assert set(failed["item_id"]) == {"poison", "poison again"}
    assert set(failed["error_reason"]) == {"TRANSPORT"}
    assert any("the question was poison" in note for note in observer.notes)
    assert children() == []


TRAPS = ("grpc", "numpy", "json", "sitecustomize", "usercustomize", "omnigap", "click")


async def test_files_of_the_working_directory_are_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / "work"
    work.mkdir()
    for name in TRAPS:
        (work / f"{name}.py").write_text(f"open({str(work / 'imported')!r}, 'a').write({name!r})\n")
    monkeypatch.chdir(work)
    # An empty entry of the path is the working directory too.
    monkeypatch.setenv("PYTHONPATH", f":{os.environ['PYTHONPATH']}:")
    services = (ServiceSpec("omni", Role.MODEL, "echo"), ServiceSpec("own", Role.MODEL, FRAGILE))
    async with EmbeddedFleet(services, tmp_path / "services", print) as endpoints:
        assert len(endpoints.models) == 2
    assert not (work / "imported").exists()


async def test_an_adapter_of_the_working_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_sibling.py").write_text("from omnigap_services.echo import EchoAdapter\n")
    (tmp_path / "my_model.py").write_text("from my_sibling import EchoAdapter\n\nclass Mine(EchoAdapter):\n    pass\n")
    (tmp_path / "grpc.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.chdir(tmp_path)
    fleet = EmbeddedFleet((ServiceSpec("omni", Role.MODEL, "my_model:Mine"),), tmp_path / "services", print)
    async with fleet as endpoints:
        assert await ask(endpoints.models["omni"][0], "Where?")


async def test_a_log_line_can_not_control_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "services").mkdir()
    notes: list[str] = []
    services = (ServiceSpec("omni", Role.MODEL, "no\x1b[2Jsuch:\u202eThing"),)
    with pytest.raises(BaseExceptionGroup) as caught:
        async with EmbeddedFleet(services, tmp_path / "services", notes.append):
            pass
    written = (tmp_path / "services" / "omni.log").read_bytes()
    assert written and b"\x1b" not in written
    assert "\x1b[2J" not in str(first_error(caught.value)).partition("before it served")[2]


async def test_a_tiny_service_is_started_with_random_weights_and_no_other_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The environment of the orchestrator is not a choice for the services.
    monkeypatch.setenv("OMNIGAP_SERVE_TINY", "1")
    services = (
        ServiceSpec("noise", Role.MODEL, NOISE, {"seed": 3}, replicas=2, tiny=True),
        ServiceSpec("voice", Role.TTS, "echo"),
    )
    async with EmbeddedFleet(services, tmp_path, print) as endpoints:
        digests = set()
        for address in (*endpoints.models["noise"], *endpoints.tts):
            async with GenerateClient(address) as client:
                card = await client.describe()
            assert card.random_weights is (address not in endpoints.tts)
            digests.add(card.digest)
        assert len(digests) == 2


async def test_a_service_without_a_tiny_checkpoint_is_named_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(BaseExceptionGroup) as caught:
        async with EmbeddedFleet([ServiceSpec("voice", Role.TTS, "echo", tiny=True)], tmp_path, print):
            pass
    assert re.search(r"voice.*--tiny", str(first_error(caught.value)), re.DOTALL)
