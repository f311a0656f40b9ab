"""A run keeps the fleet that it used first: nothing replaces a container that is away, unless --fleet asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import grpc
import pytest

from omnigap.channel import SERVER_OPTIONS
from omnigap_orchestrator.cli.options import FLEETS
from omnigap_orchestrator.config.services import FleetKind
from omnigap_orchestrator.fleet import COMPOSE_PORTS, Fleet, FleetError, Required, Role, ServiceSpec, choose
from omnigap_orchestrator.journal import FLEET_META, read_meta
from omnigap_orchestrator.pipeline.scope import RunScope
from omnigap_orchestrator.run import Changes, resume
from tests.helpers.running import Setting, Silent, item, outcomes
from tests.helpers.served_doubles import ServeWire, Wire, plain

AUTO, COMPOSE, EMBEDDED, STATIC = FleetKind.AUTO, FleetKind.COMPOSE, FleetKind.EMBEDDED, FleetKind.STATIC
RUN_SERVICES = ("espeak", "asr", "demo")


@pytest.fixture
def compose(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Role, int]]:
    """Compose's ports, replaced by a port without a service."""
    for name, (role, _) in list(COMPOSE_PORTS.items()):
        monkeypatch.setitem(COMPOSE_PORTS, name, (role, 1))
    return COMPOSE_PORTS


async def serve(compose: dict[str, tuple[Role, int]], host_wire: ServeWire, *names: str) -> dict[str, Wire]:
    wires = {name: Wire(plain, digest=f"compose {name}") for name in names}
    for name, wire in wires.items():
        await host_wire(wire)
        compose[name] = (compose[name][0], wire.port)
    return wires


async def chosen(
    kind: FleetKind = AUTO,
    required: Required | None = None,
    services: Sequence[ServiceSpec] = (),
    remembered: FleetKind | None = None,
) -> tuple[Fleet, str]:
    """The fleet, and its notes."""
    notes: list[str] = []
    folder = Path("unused")
    fleet = await choose(kind, None, services, folder, notes.append, 1.0, required, remembered=remembered)
    return fleet, "\n".join(notes)


def test_the_flag_has_every_kind() -> None:
    assert tuple(kind.value for kind in FleetKind) == FLEETS


async def test_a_run_that_used_compose_waits_for_it(compose: dict[str, tuple[Role, int]]) -> None:
    fleet, notes = await chosen(remembered=COMPOSE)
    assert fleet.kind is COMPOSE
    assert "docker compose up -d --wait" in notes and "--fleet embedded" in notes
    async with fleet as endpoints:
        assert endpoints.models == {"demo": ("127.0.0.1:1",)}
    # Also for a command that needs only some of the services.
    for required in (Required((), tts=False), Required((), scorer=False), Required(("demo",), scorer=False, tts=False)):
        assert (await chosen(required=required, remembered=COMPOSE))[0].kind is COMPOSE


async def test_a_run_that_used_child_processes_keeps_them_with_a_note(
    compose: dict[str, tuple[Role, int]], host_wire: ServeWire
) -> None:
    fleet, notes = await chosen(remembered=EMBEDDED)
    assert (fleet.kind, notes) == (EMBEDDED, "")
    await serve(compose, host_wire, "asr")
    fleet, notes = await chosen(remembered=EMBEDDED)
    assert fleet.kind is EMBEDDED
    assert "asr at 127.0.0.1" in notes and "--fleet compose" in notes


@pytest.mark.parametrize(("remembered", "named"), [(COMPOSE, EMBEDDED), (EMBEDDED, COMPOSE)])
async def test_naming_a_fleet_changes_it_with_a_note(
    compose: dict[str, tuple[Role, int]], host_wire: ServeWire, remembered: FleetKind, named: FleetKind
) -> None:
    await serve(compose, host_wire, *RUN_SERVICES)
    fleet, notes = await chosen(named, remembered=remembered)
    assert fleet.kind is named
    assert f"uses the {named} fleet" in notes and f"used the {remembered} fleet so far" in notes


async def test_listed_services_do_not_silently_replace_compose(compose: dict[str, tuple[Role, int]]) -> None:
    services = [ServiceSpec("mine", Role.MODEL, "echo")]
    with pytest.raises(FleetError, match=r"--fleet embedded.*--fleet compose"):
        await chosen(services=services, remembered=COMPOSE)
    assert (await chosen(services=services))[0].kind is EMBEDDED
    fleet, notes = await chosen(COMPOSE, services=services)
    assert fleet.kind is COMPOSE and "[fleet.services]" in notes


async def test_compose_that_still_loads_is_waited_for(
    compose: dict[str, tuple[Role, int]], host_wire: ServeWire
) -> None:
    wires = await serve(compose, host_wire, *RUN_SERVICES)
    for wire in wires.values():
        await wire.set_serving(False)
    fleet, notes = await chosen()
    assert fleet.kind is COMPOSE and "NOT_SERVING" in notes


async def test_a_server_of_another_kind_is_not_compose(compose: dict[str, tuple[Role, int]]) -> None:
    server = grpc.aio.server(options=SERVER_OPTIONS)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        compose["asr"] = (Role.SCORER, port)
        fleet, notes = await chosen()
        assert fleet.kind is EMBEDDED
        assert f"127.0.0.1:{port}" in notes
    finally:
        await server.stop(None)


async def test_a_port_of_compose_may_be_changed_in_the_environment(
    compose: dict[str, tuple[Role, int]], host_wire: ServeWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    (demo,) = (await serve(compose, host_wire, "demo")).values()
    compose["demo"] = (Role.MODEL, 1)
    monkeypatch.setenv("OMNIGAP_DEMO_PORT", str(demo.port))
    assert (await chosen())[0].kind is COMPOSE


async def test_an_ocr_service_whose_profile_is_not_started_is_a_child_process(
    compose: dict[str, tuple[Role, int]],
) -> None:
    only = Required((), scorer=False, tts=False, ocr=True)
    assert (await chosen(required=only, remembered=COMPOSE))[0].kind is EMBEDDED
    fleet, notes = await chosen(COMPOSE, only)
    assert fleet.kind is COMPOSE and "docker compose --profile ocr up -d --wait" in notes


async def test_containers_that_stop_and_return_change_nothing(
    tmp_path: Path, compose: dict[str, tuple[Role, int]], host_wire: ServeWire
) -> None:
    wires = await serve(compose, host_wire, *RUN_SERVICES)
    setting = Setting(tmp_path, items=[item("peru")])
    assert (await setting.drive())["complete"]
    assert read_meta(setting.folder.journal)[FLEET_META] == "compose"
    done = setting.table()
    setting.items = [item("peru"), item("chile")]
    for away in (("demo",), ("demo", "asr"), RUN_SERVICES):
        for name in away:
            with suppress(AttributeError):
                await wires[name].stop()
        summary = await setting.drive()
        assert "6 pending of 12 cells" in summary["incomplete"]
        assert setting.table().filter(item_id="peru").equals(done)
        assert any("--fleet embedded" in note for note in setting.notes)
    for wire in wires.values():
        await wire.start()
    assert (await setting.drive())["complete"]
    assert set(setting.table()["asr_digest"].drop_nulls()) == {"compose asr"}


async def test_a_fleet_that_is_named_is_kept_by_the_folder(
    tmp_path: Path, compose: dict[str, tuple[Role, int]], host_wire: ServeWire
) -> None:
    setting = Setting(tmp_path, items=[item("peru")], tables={"fleet": {"kind": "compose"}})
    assert not (await setting.drive())["complete"]
    setting.tables = {}
    # Nothing of Compose answers, and still no child process is started.
    assert not (await setting.drive())["complete"]
    assert not setting.folder.services.exists()
    await serve(compose, host_wire, *RUN_SERVICES)
    assert (await setting.drive())["complete"]


async def test_static_takes_configured_endpoints_only(
    tmp_path: Path, compose: dict[str, tuple[Role, int]], host_wire: ServeWire
) -> None:
    await serve(compose, host_wire, *RUN_SERVICES)
    setting = Setting(tmp_path, items=[item("peru")], tables={"fleet": {"kind": "static"}})
    with pytest.raises(FleetError, match="--fleet compose"):
        await setting.drive()
    assert FLEET_META not in read_meta(setting.folder.journal)


async def test_a_stored_configuration_with_another_kind_is_followed(
    tmp_path: Path, compose: dict[str, tuple[Role, int]], host_wire: ServeWire
) -> None:
    wires = await serve(compose, host_wire, *RUN_SERVICES)
    setting = Setting(tmp_path, items=[item("peru")])
    await setting.drive()
    scope = RunScope.parse((), (), ("transcribe", "score"))
    assert (await resume(setting.folder, scope, Silent(), Changes(fleet="compose"))).complete
    await wires["asr"].stop()
    assert (await resume(setting.folder, scope, Silent())).complete
    assert outcomes(setting.table()) == {"answered": 6}
