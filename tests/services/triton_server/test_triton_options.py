"""The documented configurations are valid, and the example has the files that its README names."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from omnigap_services.triton_server.options import Inputs, Outputs, TritonOptions, read_triton_options
from tests.services.triton_server.triton_env import EXAMPLE, ROOT

PAGE = (ROOT / "docs" / "models" / "triton.md").read_text(encoding="utf-8")
BLOCKS = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)]


@pytest.mark.parametrize("options", [block for block in BLOCKS if "model" in block], ids=lambda block: block["model"])
def test_a_documented_configuration_is_read(options: dict[str, Any]) -> None:
    assert read_triton_options(options).inputs.text


def test_every_option_and_role_is_documented() -> None:
    documented = set(re.findall(r"`([a-z_0-9]+)`", PAGE))
    assert {*TritonOptions.model_fields, *Inputs.model_fields, *Outputs.model_fields} <= documented


def test_the_example_s_readme_names_its_files() -> None:
    readme = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    for name in (
        "models/whisper/config.pbtxt",
        "models/whisper/1/model.py",
        "asr.toml",
        "serve.py",
        "requirements.txt",
        "requirements.lock.txt",
    ):
        assert f"`{name}`" in readme
        assert (EXAMPLE / name).is_file()
