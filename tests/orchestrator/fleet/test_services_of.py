"""`[fleet.services]`: tables are added to the default services and replace those of the same name or role."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omnigap_orchestrator.config import Config, ConfigError, load_config
from omnigap_orchestrator.fleet import Role
from omnigap_orchestrator.fleet.choose import lists_role, models_of_fleet, services_of


def roles(config: Config) -> dict[str, Role]:
    return {spec.name: spec.role for spec in services_of(config)}


def read(folder: Path, text: str) -> Config:
    path = folder / "c.toml"
    path.write_text(text)
    return load_config(path)


DEFAULT = {"espeak": Role.TTS, "asr": Role.SCORER, "demo": Role.MODEL, "ocr": Role.OCR}


def test_a_service_with_a_new_role_replaces_no_default(tmp_path: Path) -> None:
    config = read(tmp_path, '[fleet.services.critic]\nservice = "openai"\nrole = "judge"')
    assert roles(config) == {"critic": Role.JUDGE, **DEFAULT}
    assert roles(Config()) == DEFAULT
    assert lists_role(config, Role.JUDGE)
    assert not lists_role(config, Role.OCR)


def test_a_service_replaces_the_default_of_its_role(tmp_path: Path) -> None:
    config = read(tmp_path, '[fleet.services.omni]\nservice = "echo"')
    assert models_of_fleet(config) == ("omni",)
    assert roles(config).keys() == {"omni", "espeak", "asr", "ocr"}
    config = read(tmp_path, '[fleet.services.mine]\nservice = "my-asr"\nrole = "scorer"')
    assert roles(config).keys() == {"mine", "espeak", "demo", "ocr"}


def test_piper_speaks_the_questions_without_a_role(tmp_path: Path) -> None:
    config = read(tmp_path, '[fleet.services.piper]\noptions = { voices = ["weights/piper"] }')
    assert roles(config) == {"piper": Role.TTS, **DEFAULT, "espeak": Role.PART}


def test_a_replaced_default_with_a_reference_becomes_a_part(tmp_path: Path) -> None:
    """demo refers to espeak, even if another service synthesises the questions."""
    config = read(tmp_path, '[fleet.services.natural]\nservice = "hf-tts"\nrole = "tts"')
    assert roles(config) == {"natural": Role.TTS, **DEFAULT, "espeak": Role.PART}


@pytest.mark.parametrize(
    ("text", "options", "replicas"),
    [
        ("replicas = 2", {"tts": "@espeak"}, 2),
        ("options = {}", {}, 1),
        ('service = "echo"', {}, 1),
    ],
)
def test_a_table_without_options_keeps_those_of_the_default(
    tmp_path: Path, text: str, options: object, replicas: int
) -> None:
    config = read(tmp_path, f"[fleet.services.demo]\n{text}")
    (found,) = [spec for spec in services_of(config) if spec.name == "demo"]
    assert (found.options, found.replicas) == (options, replicas)
    # Also after being stored in the folder of a run.
    assert services_of(Config.model_validate(json.loads(config.model_dump_json()))) == services_of(config)


def test_zero_replicas_remove_a_default_service(tmp_path: Path) -> None:
    config = read(tmp_path, "[fleet.services.asr]\nreplicas = 0")
    assert roles(config).keys() == {"espeak", "demo", "ocr"}
    with pytest.raises(ConfigError, match="at least 0"):
        read(tmp_path, "[fleet.services.asr]\nreplicas = -1")
