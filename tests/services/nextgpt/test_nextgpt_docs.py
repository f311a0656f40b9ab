"""The options and configurations in docs/models/nextgpt.md are valid, and its figures are those of the code."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from omnigap_orchestrator.config import load_config
from omnigap_orchestrator.systems import load_systems
from omnigap_services.cascade.adapter import CascadeAdapter
from omnigap_services.nextgpt.adapter import NextgptAdapter
from omnigap_services.nextgpt.options import NextgptOptions
from tests.services.nextgpt.conftest import Make

PAGE = (Path(__file__).parents[3] / "docs" / "models" / "nextgpt.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"```toml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))


def test_the_configurations_of_the_page_are_valid(tmp_path: Path) -> None:
    assert sorted(BLOCKS) == ["nextgpt.toml", "spoken.toml", "study.toml"]
    NextgptAdapter(tomllib.loads(BLOCKS["nextgpt.toml"]))
    CascadeAdapter(tomllib.loads(BLOCKS["spoken.toml"]))
    (tmp_path / "study.toml").write_text(BLOCKS["study.toml"])
    load_config(tmp_path / "study.toml")


def test_the_page_names_every_option_and_its_default() -> None:
    rows = re.findall(r"^\| (`.+?) \| (.+?) \|", PAGE.split("## Options")[1], re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row[0])} == set(NextgptOptions.model_fields)
    for names, defaults in rows:
        values = re.findall(r"[\d,.]*\d|true|false", defaults)
        found = [NextgptOptions.model_fields[name].default for name in re.findall(r"`(\w+)`", names)]
        if len(values) == len(found) and "else" not in defaults:
            assert [json.loads(value.replace(",", "")) for value in values] == found, names


def test_the_registry_says_what_the_service_declares(make: Make) -> None:
    (system,) = [system for system in load_systems() if system.name == "next-gpt"]
    declared = make().load().conditions
    assert system.service == "nextgpt"
    assert system.conditions == {condition: found.support for condition, found in declared.items()}
