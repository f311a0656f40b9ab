"""The fleet of a command: configured endpoints, Compose's services, child processes, or a combination."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnigap_orchestrator.config.services import FleetKind
from omnigap_orchestrator.fleet import COMPOSE_PORTS, Endpoints, Fleet, FleetError, Required, Role, ServiceSpec, choose
from omnigap_orchestrator.fleet.compose import IN_COMPOSE, compose_address
from tests.helpers.running import Setting, item, outcomes
from tests.helpers.served_doubles import ServeWire, Wire, plain

CONFIGURED = Endpoints({"omni": ("10.0.0.1:1",)}, ("10.0.0.2:2",), ("10.0.0.3:3",))
NOTHING = Required((), scorer=False, tts=False)


@pytest.fixture
def compose(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Role, int]]:
    """Compose's ports, replaced by a port without a service."""
    for name, (role, _) in list(COMPOSE_PORTS.items()):
        monkeypatch.setitem(COMPOSE_PORTS, name, (role, 1))
    return COMPOSE_PORTS


async def chosen(
    kind: FleetKind = FleetKind.AUTO,
    configured: Endpoints | None = None,
    required: Required | None = None,
    services: tuple[ServiceSpec, ...] = (),
    remembered: FleetKind | None = None,
    notes: list[str] | None = None,
) -> Fleet:
    note = print if notes is None else notes.append
    how = {"remembered": remembered, "patience_s": 7.0}
    return await choose(kind, configured, services, Path("unused"), note, 1.0, required, **how)  # type: ignore[arg-type]


async def serve_compose(compose: dict[str, tuple[Role, int]], host_wire: ServeWire, *names: str) -> None:
    for name in names:
        address = await host_wire(Wire(plain))
        compose[name] = (compose[name][0], int(address.rpartition(":")[2]))


async def test_auto_starts_the_default_services_without_endpoints_or_compose(
    compose: dict[str, tuple[Role, int]],
) -> None:
    fleet = await chosen()
    assert fleet.description.startswith("embedded fleet: espeak, asr, demo ")


@pytest.mark.parametrize("present", ["espeak", "asr", "demo"])
async def test_auto_stays_with_compose_if_any_of_its_services_answers(
    compose: dict[str, tuple[Role, int]], host_wire: ServeWire, present: str
) -> None:
    await serve_compose(compose, host_wire, present)
    notes: list[str] = []
    fleet = await chosen(notes=notes)
    assert fleet.description.startswith("compose fleet: Compose's services answer")
    assert fleet.kind is FleetKind.COMPOSE
    (note,) = notes
    assert all((f"{name} (127.0.0.1" in note) == (name != present) for name in ("espeak", "asr", "demo"))
    assert "docker compose up -d --wait" in note and "--fleet embedded" in note and "7 s" in note
    async with fleet as endpoints:
        places = {name: (f"127.0.0.1:{port}",) for name, (_, port) in compose.items()}
        assert endpoints == Endpoints({"demo": places["demo"]}, places["asr"], places["espeak"])


async def test_complete_endpoints_need_no_other_fleet(
    compose: dict[str, tuple[Role, int]],
) -> None:
    for kind in (FleetKind.AUTO, FleetKind.STATIC):
        fleet = await chosen(kind, CONFIGURED, NOTHING)
        async with fleet as endpoints:
            assert endpoints == CONFIGURED


async def test_missing_endpoints_come_from_compose_or_child_processes(
    compose: dict[str, tuple[Role, int]], host_wire: ServeWire
) -> None:
    omni = Endpoints({"omni": ("10.0.0.1:1",)}, (), ())
    required = Required(models=())
    fleet = await chosen(FleetKind.AUTO, omni, required)
    assert fleet.description.startswith("static fleet") and "embedded fleet: espeak, asr " in fleet.description
    await serve_compose(compose, host_wire, "asr", "espeak")
    async with await chosen(FleetKind.AUTO, omni, required) as endpoints:
        assert endpoints.models == omni.models
        assert (endpoints.scorer, endpoints.tts) == tuple(
            (f"127.0.0.1:{compose[name][1]}",) for name in ("asr", "espeak")
        )


async def test_a_static_fleet_starts_nothing(compose: dict[str, tuple[Role, int]]) -> None:
    omni = Endpoints({"omni": ("10.0.0.1:1",)}, (), ())
    async with await chosen(FleetKind.STATIC, omni, Required(models=())) as endpoints:
        assert endpoints == omni
    with pytest.raises(FleetError, match="--fleet static"):
        await chosen(FleetKind.STATIC)


async def test_only_required_services_and_their_references_are_started(
    compose: dict[str, tuple[Role, int]],
) -> None:
    async def started(required: Required) -> str:
        return (await chosen(FleetKind.EMBEDDED, None, required)).description

    assert "embedded fleet: asr as" in await started(Required(models=(), tts=False))
    assert "embedded fleet: espeak, demo as" in await started(Required(("demo",), scorer=False, tts=False))
    assert (await started(NOTHING)).startswith("static fleet: none")


async def test_a_part_is_started_only_if_a_service_refers_to_it(
    compose: dict[str, tuple[Role, int]],
) -> None:
    services = (
        ServiceSpec("mind", Role.PART, "echo"),
        ServiceSpec("needless", Role.PART, "echo"),
        ServiceSpec("control", Role.MODEL, "echo", {"answer": "@mind"}),
        ServiceSpec("scorer", Role.SCORER, "echo"),
    )
    fleet = await chosen(required=Required(tts=False), services=services)
    assert fleet.description.startswith("embedded fleet: mind, control, scorer ")


async def test_an_embedded_fleet_notes_that_it_ignores_endpoints(tmp_path: Path) -> None:
    notes: list[str] = []
    fleet = await choose(FleetKind.EMBEDDED, CONFIGURED, (), tmp_path, notes.append, 1.0)
    assert fleet.description.startswith("embedded fleet: espeak, asr, demo")
    (note,) = notes
    assert "--fleet auto" in note


async def test_a_run_on_compose_stores_the_models_of_the_fleet(
    tmp_path: Path, compose: dict[str, tuple[Role, int]], host_wire: ServeWire
) -> None:
    await serve_compose(compose, host_wire, "espeak", "asr", "demo")
    setting = Setting(tmp_path, items=[item("peru")], tables={"fleet": {"kind": "compose"}})
    assert (await setting.drive())["complete"]
    assert outcomes(setting.table(), model="demo") == {"answered": 6}


async def test_scoring_needs_no_fleet_and_plans_its_models(tmp_path: Path) -> None:
    setting = Setting(tmp_path, items=[item("peru")], tables={"fleet": {"services": {"omni": {"service": "echo"}}}})
    assert not (await setting.drive(stages=["score"]))["complete"]
    assert outcomes(setting.table(), model="omni") == {"pending": 6}


async def test_ocr_is_started_only_if_required(compose: dict[str, tuple[Role, int]]) -> None:
    only = Required((), scorer=False, tts=False, ocr=True)
    assert (await chosen(required=only)).description.startswith("embedded fleet: ocr ")
    for required in (None, Required(("demo",))):
        assert "ocr" not in (await chosen(FleetKind.EMBEDDED, CONFIGURED, required)).description
    both = Required((), scorer=False, tts=False, ocr=True)
    assert "ocr" in (await chosen(FleetKind.EMBEDDED, CONFIGURED, both)).description


async def test_composes_ocr_is_used_if_its_profile_is_up(
    compose: dict[str, tuple[Role, int]], host_wire: ServeWire
) -> None:
    only = Required((), scorer=False, tts=False, ocr=True)
    with pytest.raises(FleetError, match=r"--ocr.*docker compose --profile ocr up"):
        await chosen(FleetKind.STATIC, required=only)
    await serve_compose(compose, host_wire, "ocr")
    for kind in (FleetKind.AUTO, FleetKind.COMPOSE):
        fleet = await chosen(kind, required=only)
        assert fleet.description.startswith("compose fleet: Compose's services answer (ocr at 127.0.0.1:")
        async with fleet as endpoints:
            assert endpoints == Endpoints({}, (), (), ocr=(f"127.0.0.1:{compose['ocr'][1]}",))


@pytest.mark.parametrize(
    ("settings", "shell", "address"),
    [
        ("OMNIGAP_DEMO_PORT=6001\n", None, "127.0.0.1:6001"),
        ("# OMNIGAP_DEMO_PORT=6001\n", None, "127.0.0.1:50063"),
        ("OMNIGAP_DEMO_PORT='6001' # mine\nOMNIGAP_ASR_PORT=7\n", None, "127.0.0.1:6001"),
        ("OMNIGAP_DEMO_PORT=6001\nOMNIGAP_DEMO_PORT=6002\n", None, "127.0.0.1:6002"),
        ("OMNIGAP_DEMO_PORT=6001\n", "6003", "127.0.0.1:6003"),
        ("OMNIGAP_DEMO_PORT=\n", None, ""),
        ("OMNIGAP_DEMO_PORT=6001\n", "", ""),
    ],
)
def test_ports_are_those_that_compose_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, shell: str | None, address: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMNIGAP_DEMO_PORT", raising=False)
    if shell is not None:
        monkeypatch.setenv("OMNIGAP_DEMO_PORT", shell)
    Path(".env").write_text(settings)
    assert compose_address("demo") == ("127.0.0.1:50063" if shell is None else address)
    Path("compose.yaml").touch()
    assert compose_address("demo") == address


async def test_a_free_port_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIGAP_DEMO_PORT", "")
    notes: list[str] = []
    async with await chosen(FleetKind.COMPOSE, required=Required(("demo",), False, False), notes=notes) as endpoints:
        assert endpoints.models == {"demo": ()}
    assert any("docker compose port demo 50063" in note for note in notes)


@pytest.mark.parametrize("remembered", [None, FleetKind.EMBEDDED, FleetKind.COMPOSE])
async def test_in_the_orchestrators_container_services_have_names(
    monkeypatch: pytest.MonkeyPatch, remembered: FleetKind | None
) -> None:
    monkeypatch.setenv(IN_COMPOSE, "1")
    async with await chosen(remembered=remembered) as endpoints:
        assert endpoints == Endpoints({"demo": ("demo:50063",)}, ("asr:50062",), ("espeak:50061",))
