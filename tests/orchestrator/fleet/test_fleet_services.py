"""`[fleet.services]`: tables stand beside the default services, and a default one stands aside for its name or role."""

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


def test_one_service_more_takes_none_away(tmp_path: Path) -> None:
    config = read(tmp_path, '[fleet.services.critic]\nservice = "openai"\nrole = "judge"')
    assert roles(config) == {"critic": Role.JUDGE, **DEFAULT}
    assert roles(Config()) == DEFAULT
    assert lists_role(config, Role.JUDGE)
    assert not lists_role(config, Role.OCR)


def test_a_model_or_a_scorer_of_ones_own_takes_the_place_of_the_default(tmp_path: Path) -> None:
    config = read(tmp_path, '[fleet.services.omni]\nservice = "echo"')
    assert models_of_fleet(config) == ("omni",)
    assert roles(config).keys() == {"omni", "espeak", "asr", "ocr"}
    config = read(tmp_path, '[fleet.services.mine]\nservice = "my-asr"\nrole = "scorer"')
    assert roles(config).keys() == {"mine", "espeak", "demo", "ocr"}


def test_a_default_that_another_refers_to_goes_on_as_a_part(tmp_path: Path) -> None:
    """demo speaks with espeak, whoever reads the questions aloud."""
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
def test_a_table_of_a_default_ones_name_keeps_its_options_where_it_gives_none(
    tmp_path: Path, text: str, options: object, replicas: int
) -> None:
    config = read(tmp_path, f"[fleet.services.demo]\n{text}")
    (found,) = [spec for spec in services_of(config) if spec.name == "demo"]
    assert (found.options, found.replicas) == (options, replicas)
    # As the folder of a run keeps it.
    assert services_of(Config.model_validate(json.loads(config.model_dump_json()))) == services_of(config)


def test_no_replicas_drop_a_default_service(tmp_path: Path) -> None:
    config = read(tmp_path, "[fleet.services.asr]\nreplicas = 0")
    assert roles(config).keys() == {"espeak", "demo", "ocr"}
    with pytest.raises(ConfigError, match="at least 0"):
        read(tmp_path, "[fleet.services.asr]\nreplicas = -1")
