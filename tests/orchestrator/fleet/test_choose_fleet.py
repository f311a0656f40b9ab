"""Which fleet a run takes: the configuration's endpoints, Compose's services, child processes, or some of each."""

from __future__ import annotations

from pathlib import Path

import pytest
from running import Setting, item, outcomes
from served_doubles import ServeWire, Wire, plain

from omnigap_orchestrator.config.services import FleetKind
from omnigap_orchestrator.fleet import COMPOSE_PORTS, Endpoints, Fleet, FleetError, Required, Role, ServiceSpec, choose

CONFIGURED = Endpoints({"omni": ("10.0.0.1:1",)}, ("10.0.0.2:2",), ("10.0.0.3:3",))
NOTHING = Required((), scorer=False, tts=False)


@pytest.fixture
def compose(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Role, int]]:
    """Compose's ports, moved to where nobody listens."""
    for name, (role, _) in list(COMPOSE_PORTS.items()):
        monkeypatch.setitem(COMPOSE_PORTS, name, (role, 1))
    return COMPOSE_PORTS


async def chosen(
    kind: FleetKind = FleetKind.AUTO,
    configured: Endpoints | None = None,
    wanted: Required | None = None,
    services: tuple[ServiceSpec, ...] = (),
) -> Fleet:
    return await choose(kind, configured, services, Path("unused"), print, 1.0, wanted)


async def serve_compose(compose: dict[str, tuple[Role, int]], host_wire: ServeWire, *names: str) -> None:
    for name in names:
        address = await host_wire(Wire(plain))
        compose[name] = (compose[name][0], int(address.rpartition(":")[2]))


async def test_auto_starts_the_default_services_where_nothing_is_configured_and_nothing_answers(
    compose: dict[str, tuple[Role, int]],
) -> None:
    fleet = await chosen()
    assert fleet.description == "embedded fleet: espeak, asr, demo as child processes of this machine"


async def test_auto_takes_composes_services_where_a_model_of_theirs_answers(
    compose: dict[str, tuple[Role, int]], host_wire: ServeWire
) -> None:
    await serve_compose(compose, host_wire, "asr")
    assert (await chosen()).description.startswith("embedded fleet")
    await serve_compose(compose, host_wire, "demo")
    fleet = await chosen()
    assert fleet.description.startswith(
        "static fleet: Compose's services answer on their loopback ports (espeak 1, asr"
    )
    async with fleet as endpoints:
        places = {name: (f"127.0.0.1:{port}",) for name, (_, port) in compose.items()}
        assert endpoints == Endpoints({"demo": places["demo"]}, places["asr"], places["espeak"])


async def test_endpoints_of_the_configuration_are_enough_where_they_leave_nothing_out(
    compose: dict[str, tuple[Role, int]],
) -> None:
    for kind in (FleetKind.AUTO, FleetKind.STATIC):
        fleet = await chosen(kind, CONFIGURED, NOTHING)
        assert fleet.description == "static fleet: the endpoints of the configuration"
        async with fleet as endpoints:
            assert endpoints == CONFIGURED


async def test_what_the_configuration_leaves_out_comes_from_compose_or_child_processes(
    compose: dict[str, tuple[Role, int]], host_wire: ServeWire
) -> None:
    omni = Endpoints({"omni": ("10.0.0.1:1",)}, (), ())
    wanted = Required(models=())
    fleet = await chosen(FleetKind.AUTO, omni, wanted)
    assert fleet.description == (
        "static fleet: the endpoints of the configuration; for the rest, "
        "embedded fleet: espeak, asr as child processes of this machine"
    )
    await serve_compose(compose, host_wire, "asr", "espeak")
    async with await chosen(FleetKind.AUTO, omni, wanted) as endpoints:
        assert endpoints.models == omni.models
        assert (endpoints.scorer, endpoints.tts) == tuple(
            (f"127.0.0.1:{compose[name][1]}",) for name in ("asr", "espeak")
        )


async def test_a_static_fleet_starts_nothing_and_leaves_the_rest_away(compose: dict[str, tuple[Role, int]]) -> None:
    omni = Endpoints({"omni": ("10.0.0.1:1",)}, (), ())
    async with await chosen(FleetKind.STATIC, omni, Required(models=())) as endpoints:
        assert endpoints == omni
    with pytest.raises(FleetError, match="--fleet static needs endpoints"):
        await chosen(FleetKind.STATIC)


async def test_only_what_a_call_needs_is_started_with_what_that_refers_to(
    compose: dict[str, tuple[Role, int]],
) -> None:
    async def started(wanted: Required) -> str:
        return (await chosen(FleetKind.EMBEDDED, None, wanted)).description

    assert "embedded fleet: asr as" in await started(Required(models=(), tts=False))
    assert "embedded fleet: espeak, demo as" in await started(Required(("demo",), scorer=False, tts=False))
    assert await started(NOTHING) == "static fleet: none, this call needs no service"


async def test_a_part_is_started_with_whoever_refers_to_it_and_is_nothing_else(
    compose: dict[str, tuple[Role, int]],
) -> None:
    services = (
        ServiceSpec("mind", Role.PART, "echo"),
        ServiceSpec("needless", Role.PART, "echo"),
        ServiceSpec("control", Role.MODEL, "echo", {"answer": "@mind"}),
        ServiceSpec("scorer", Role.SCORER, "echo"),
    )
    fleet = await chosen(wanted=Required(tts=False), services=services)
    assert fleet.description == "embedded fleet: mind, control, scorer as child processes of this machine"


async def test_an_embedded_fleet_says_that_it_leaves_configured_endpoints_alone(tmp_path: Path) -> None:
    notes: list[str] = []
    fleet = await choose(FleetKind.EMBEDDED, CONFIGURED, (), tmp_path, notes.append, 1.0)
    assert fleet.description.startswith("embedded fleet: espeak, asr, demo")
    (note,) = notes
    assert note.startswith("the fleet is embedded and starts its own services: the endpoints of the configuration are")


async def test_a_run_on_composes_services_can_be_told_again_from_its_folder(
    tmp_path: Path, compose: dict[str, tuple[Role, int]], host_wire: ServeWire
) -> None:
    await serve_compose(compose, host_wire, "espeak", "asr", "demo")
    setting = Setting(tmp_path, items=[item("peru")], tables={"fleet": {"kind": "static"}})
    assert (await setting.drive())["whole"]
    assert outcomes(setting.table(), model="demo") == {"answered": 6}


async def test_scoring_alone_needs_no_fleet_and_plans_what_the_fleet_would_bring(tmp_path: Path) -> None:
    setting = Setting(tmp_path, items=[item("peru")], tables={"fleet": {"services": {"omni": {"service": "echo"}}}})
    assert not (await setting.drive(stages=["score"]))["whole"]
    assert outcomes(setting.table(), model="omni") == {"pending": 6}


async def test_the_reader_is_started_only_where_it_is_wanted(compose: dict[str, tuple[Role, int]]) -> None:
    only = Required((), scorer=False, tts=False, ocr=True)
    assert (await chosen(wanted=only)).description == "embedded fleet: ocr as child processes of this machine"
    for wanted in (None, Required(("demo",))):
        assert "ocr" not in (await chosen(FleetKind.EMBEDDED, CONFIGURED, wanted)).description
    both = Required((), scorer=False, tts=False, ocr=True)
    assert "ocr" in (await chosen(FleetKind.EMBEDDED, CONFIGURED, both)).description


async def test_composes_reader_is_found_where_its_profile_is_up(
    compose: dict[str, tuple[Role, int]], host_wire: ServeWire
) -> None:
    only = Required((), scorer=False, tts=False, ocr=True)
    with pytest.raises(FleetError, match=r"--ocr.*docker compose --profile ocr up"):
        await chosen(FleetKind.STATIC, wanted=only)
    await serve_compose(compose, host_wire, "ocr")
    for kind in (FleetKind.AUTO, FleetKind.STATIC):
        fleet = await chosen(kind, wanted=only)
        assert fleet.description.startswith("static fleet: Compose's services answer on their loopback ports (ocr ")
        async with fleet as endpoints:
            assert endpoints == Endpoints({}, (), (), ocr=(f"127.0.0.1:{compose['ocr'][1]}",))
