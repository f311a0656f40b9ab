"""The configurations and the option table in docs/models/cascade.md are valid."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from omnigap_orchestrator.config import load_config
from omnigap_orchestrator.fleet.choose import services_of
from omnigap_services.cascade.adapter import CascadeAdapter
from omnigap_services.cascade.options import CascadeOptions
from omnigap_services.demo.adapter import DemoOptions
from omnigap_services.options import read_options

PAGE = (Path(__file__).parents[3] / "docs" / "models" / "cascade.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```toml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
CASCADES = [text for name, text in BLOCKS if name in ("control.toml", "writes.toml")]


@pytest.mark.parametrize("text", CASCADES)
def test_each_cascade_of_the_page_has_valid_options(text: str) -> None:
    CascadeAdapter(tomllib.loads(text))


@pytest.mark.parametrize("name", ["study.toml", "control-run.toml"])
def test_each_run_of_the_page_has_a_valid_configuration(tmp_path: Path, name: str) -> None:
    (text,) = [text for found, text in BLOCKS if found == name]
    (tmp_path / name).write_text(text)
    for spec in services_of(load_config(tmp_path / name)):
        if spec.service == "cascade":
            CascadeAdapter(spec.options)


def test_the_examples_are_found() -> None:
    assert len(CASCADES) == 3
    assert len(BLOCKS) == 7


def test_the_page_names_every_option() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE.split("## Options")[1]))
    unnamed = set(CascadeOptions.model_fields) - named
    assert {name for name in unnamed if not name.startswith("asr_")} == set()


def test_the_defaults_on_the_page_are_right() -> None:
    options = read_options(CascadeOptions, "cascade", {"llm": "127.0.0.1:1"})
    demo = read_options(DemoOptions, "demo", {})
    for row in re.findall(r"^\| (.+?) \| (.+?) \|", PAGE.split("## Options")[1], re.MULTILINE):
        names, values = re.findall(r"`(\w+)`", row[0]), re.findall(r"[\d.]+|true|false", row[1])
        if len(names) == len(values):
            known = [options if hasattr(options, name) else demo for name in names]
            defaults = [
                str(getattr(found, name)).lower().removesuffix(".0") for found, name in zip(known, names, strict=True)
            ]
            assert defaults == values, names
