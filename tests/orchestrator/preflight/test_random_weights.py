"""The warning about services with random weights: before a run from its configuration, in a run from the cards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from omnigap.v1 import model_service_pb2 as pb
from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.config import Config, ConfigError, load_config
from omnigap_orchestrator.fleet import Role
from omnigap_orchestrator.items import load_items
from omnigap_orchestrator.preflight import FULL_SCOPE, PreflightScope, ServiceCard, Status, check_plan, check_services
from omnigap_orchestrator.preflight.doctor import check_endpoint
from tests.helpers.running import Setting, orchestrate
from tests.helpers.served_doubles import Double, Serve

ITEMS = load_items("builtin")
TINY = {"service": "qwen-omni", "tiny": True}


def planned(tmp_path: Path, scope: PreflightScope = FULL_SCOPE, **tables: Any) -> str:
    found = check_plan(Config.model_validate(tables), ITEMS, scope, tmp_path)
    random = [each for each in found if each.check == "random weights"]
    assert all(each.status is Status.WARNING for each in random) and len(random) <= 1
    return "".join(each.message for each in random)


def fleet(kind: str = "embedded", **services: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "services": services}


def named(message: str) -> str:
    return message.removeprefix("random weights (--tiny): ").partition(". ")[0]


def test_a_plan_names_every_tiny_service_by_its_role(tmp_path: Path) -> None:
    ears = {"service": "hf-asr", "role": "scorer", "tiny": True}
    voice = {"service": "hf-tts", "role": "tts", "tiny": True}
    critic = {"service": "hf-chat", "role": "judge", "tiny": True}
    found = planned(tmp_path, fleet=fleet(omni=TINY, ears=ears, voice=voice, critic=critic))
    assert named(found) == "model omni, the ASR scorer, the voice, the judge"
    assert planned(tmp_path, fleet=fleet(omni={"service": "qwen-omni"})) == ""
    # A run sees it in the cards, and says it once.
    assert planned(tmp_path, PreflightScope(connects=True), fleet=fleet(omni=TINY)) == ""


def test_a_tiny_part_makes_random_what_refers_to_it_directly_or_not(tmp_path: Path) -> None:
    services = {
        "llm": {"service": "hf-chat", "role": "part", "tiny": True},
        "inner": {"service": "cascade", "role": "part", "options": {"llm": "@llm"}},
        "outer": {"service": "cascade", "options": {"llm": "@inner", "tts": "@espeak"}},
        "other": {"service": "echo"},
    }
    assert named(planned(tmp_path, fleet=fleet(**services))) == "model outer (its part llm)"
    # No model uses the part.
    assert planned(tmp_path, fleet=fleet(llm=services["llm"], other=services["other"])) == ""


def test_services_that_the_fleet_does_not_start_are_not_named(tmp_path: Path) -> None:
    served = [{"name": "omni", "endpoints": ["127.0.0.1:1"]}]
    assert planned(tmp_path, models=served, fleet=fleet("auto", omni=TINY)) == ""
    assert named(planned(tmp_path, models=served, fleet=fleet("embedded", omni=TINY))) == "model omni"
    assert planned(tmp_path, fleet=fleet("compose", omni=TINY)) == ""
    assert planned(tmp_path, PreflightScope(models=("demo",)), fleet=fleet(omni=TINY)) == ""
    ears = {"service": "hf-asr", "role": "scorer", "tiny": True}
    assert planned(tmp_path, scorer={"endpoints": ["127.0.0.1:1"]}, fleet=fleet("auto", ears=ears)) == ""


def test_connected_services_are_named_by_their_cards() -> None:
    part = pb.ServicePart(role="llm", name="small", digest="d", random_weights=True)
    cards = [
        ServiceCard(Role.MODEL, "omni", pb.DescribeResponse(name="a", random_weights=True)),
        # A cascade of another maker may set only the part.
        ServiceCard(Role.MODEL, "composed", pb.DescribeResponse(name="b", parts=[part])),
        ServiceCard(Role.MODEL, "real", pb.DescribeResponse(name="c")),
        ServiceCard(Role.SCORER, "scorer", pb.DescribeResponse(name="d", random_weights=True)),
    ]
    (found,) = [each for each in check_services(Config(), ITEMS, cards) if each.check == "random weights"]
    assert named(found.message) == "model omni, model composed (its part llm small), the ASR scorer"
    assert found.status is Status.WARNING
    rest = check_services(Config(), ITEMS, cards[2:3])
    assert [each for each in rest if each.check == "random weights"] == []


def test_the_voice_that_random_weights_listen_to_is_not_warned_about(tmp_path: Path) -> None:
    espeak = ServiceCard(Role.TTS, "tts", pb.DescribeResponse(name="espeak"))
    for random in (False, True):
        card = pb.DescribeResponse(name="omni", random_weights=random)
        found = check_services(Config(), ITEMS, [espeak, ServiceCard(Role.MODEL, "omni", card)])
        assert ("voice" in {each.check for each in found}) is not random
        table = {"service": "qwen-omni", "tiny": random}
        planned = check_plan(Config.model_validate({"fleet": fleet(omni=table)}), ITEMS, FULL_SCOPE, tmp_path)
        assert ("voice" in {each.check for each in planned}) is not random


def test_the_key_is_checked_like_the_others(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    for text, part in (("tiny = 1", "fleet.services.omni.tiny"), ("tinny = true", "did you mean 'tiny'")):
        path.write_text(f"[fleet.services.omni]\n{text}\n")
        with pytest.raises(ConfigError, match=part):
            load_config(path)


def test_plan_and_doctor_show_it(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[fleet]\nkind = "embedded"\n[fleet.services.omni]\nservice = "qwen-omni"\ntiny = true\n')
    for command in ("plan", "doctor"):
        arguments = [command, "--config", str(path), "--run-dir", str(tmp_path / "run"), "--limit", "7"]
        done = CliRunner().invoke(main, arguments, env={"COLUMNS": "400"})
        assert "random weights (--tiny): model omni" in done.output
        assert command == "plan" or "omni (--tiny)" in done.output


async def test_a_service_without_a_role_is_named_too(host: Serve) -> None:
    """As Compose's services, and the second scorer."""
    address = await host(Double(name="ears-tiny", random_weights=True))
    found = await check_endpoint("compose ears", address, Status.WARNING)
    assert [each.status for each in found] == [Status.OK, Status.WARNING]
    assert "ears-tiny has random weights" in found[1].message
    used_for = (Config(), ITEMS, Role.SCORER, "scorer")
    (named_by_role,) = [
        each for each in await check_endpoint("scorer", address, Status.FAILED, used_for) if "random" in each.message
    ]
    assert "the ASR scorer" in named_by_role.message


async def test_models_marks_them(host: Serve, tmp_path: Path) -> None:
    setting = Setting(tmp_path, {"omni": [await host(Double(random_weights=True))]})
    ended = await orchestrate("models", "--config", setting.write(), folder=tmp_path)
    assert "random weights (--tiny)" in ended.out
