"""Presets: shipped option files, each with the launch command of the server that it fits."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files

from omnigap_services.options import OptionsError


def preset_names() -> tuple[str, ...]:
    """All shipped presets by name."""
    found = files(__package__).joinpath("presets").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in found if file.name.endswith(".toml")))


def with_preset(options: Mapping[str, object]) -> dict[str, object]:
    """The options on top of those of their preset; a key replaces the preset's key as a whole.

    Raises:
        OptionsError: for a preset that is not shipped.
    """
    name = options.get("preset", "")
    if not name:
        return dict(options)
    if name not in preset_names():
        raise OptionsError(f"service openai: option 'preset' is {name!r}: one of {', '.join(preset_names())}")
    text = files(__package__).joinpath("presets", f"{name}.toml").read_text(encoding="utf-8")
    return {**tomllib.loads(text), **options}
