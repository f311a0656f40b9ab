"""The whole configuration: its sections, what must hold between them, and how a file and flags are read."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, create_model, model_validator

from omnigap.errors import OmnigapError
from omnigap_orchestrator.config.items import ItemsConfig
from omnigap_orchestrator.config.sections import (
    AnalysisConfig,
    CarriersConfig,
    JudgeConfig,
    NetworkConfig,
    ReportConfig,
    RunConfig,
    ScoringConfig,
)
from omnigap_orchestrator.config.services import (
    FleetConfig,
    FleetKind,
    ModelConfig,
    ScorerConfig,
    TtsConfig,
)
from omnigap_orchestrator.extension import extras, load
from omnigap_orchestrator.legacy import without_removed
from omnigap_orchestrator.validation import FOLDER, NotUtf8Error, StrictModel, decode_utf8, faults

_Section = TypeVar("_Section", bound=StrictModel)

RECALLED = "recalled"
"""Key of the validation context: the configuration is a run's own record, whose models the fleet may have named."""


def _unique_names(models: tuple[ModelConfig, ...]) -> tuple[ModelConfig, ...]:
    first: dict[str, int] = {}
    for index, model in enumerate(models):
        # Names become keys of tables and parts of file names, also on file systems that ignore case.
        if (before := first.setdefault(model.name.lower(), index)) != index:
            raise ValueError(f"models[{before}] and models[{index}] are both named {model.name!r}: rename one")
    return models


class Config(StrictModel):
    """One run, whole. Every section has defaults: an empty file is the embedded run over the built-in items."""

    run: RunConfig = RunConfig()
    items: ItemsConfig = ItemsConfig()
    carriers: CarriersConfig = CarriersConfig()
    models: Annotated[tuple[ModelConfig, ...], Field(strict=False), AfterValidator(_unique_names)] = ()
    scorer: ScorerConfig = ScorerConfig()
    second_scorer: ScorerConfig | None = None
    tts: TtsConfig = TtsConfig()
    judge: JudgeConfig | None = None
    scoring: ScoringConfig = ScoringConfig()
    fleet: FleetConfig = FleetConfig()
    network: NetworkConfig = NetworkConfig()
    report: ReportConfig = ReportConfig()
    analysis: AnalysisConfig = AnalysisConfig()

    # `Config(...)` and `Config.model_validate(...)` give the class with the sections of extras. It is made on first use
    # and not when this module is imported, because the modules of those sections import this package.
    def __new__(cls, *args: object, **values: object) -> Self:
        made = _with_extras() if cls is Config else cls
        return object.__new__(made)  # type: ignore[return-value]

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        made = _with_extras() if cls is Config else cls
        return super(Config, made).model_validate(obj, **options)  # type: ignore[return-value]

    def section(self, key: str, model: type[_Section]) -> _Section:
        """The section that an extra registered under `key`; its defaults where the configuration has none."""
        found = getattr(self, key, None)
        return found if isinstance(found, model) else model()

    @model_validator(mode="after")
    def _static_models_have_endpoints(self, info: ValidationInfo) -> Config:
        if self.fleet.kind is not FleetKind.STATIC or RECALLED in (info.context or {}):
            return self
        for index, model in enumerate(self.models):
            if not model.endpoints:
                raise ValueError(
                    f"models[{index}].endpoints: {model.name!r} has none, and fleet.kind is 'static': "
                    'write endpoints = ["host:port"], or fleet.kind = "auto"'
                )
        return self


@cache
def _with_extras() -> type[Config]:
    """The configuration with the sections of every installed extra: pydantic then validates all of a file at once."""
    models = {key: load(target) for extra in extras() for key, target in extra.sections.items()}
    fields: dict[str, Any] = {key: (model, model()) for key, model in models.items()}
    return create_model("Config", __base__=Config, **fields)


_FLAGS = {
    "routing.max_p95_latency_s": "--max-p95-latency",
    "carriers.image.font": "--font",
    "items.path": "--items",
    "items.tasks": "--task",
}
"""Keys whose flag is not called like their last part."""


class ConfigError(OmnigapError):
    """A configuration that can't be used; the message names the file, each key, its value, and what to write.

    Attributes:
        faults: one sentence a fault.
    """

    def __init__(self, where: str, found: list[str]) -> None:
        self.faults = tuple(found)
        super().__init__("\n".join(f"{where}: {fault}" for fault in found))


def load_config(path: Path | str | None = None, flags: Mapping[str, object] | None = None) -> Config:
    """Reads and validates a configuration.

    Args:
        path: the TOML file; relative paths inside it start from its folder. None: the defaults.
        flags: what the command line sets, by dotted key (`{"items.limit": 12}`), over the file's values; relative
            paths in it start from the working folder, and a None sets nothing.

    Raises:
        ConfigError: for a file that can't be read, and for every key that is wrong.
    """
    table: dict[str, Any] = {}
    where, folder = "the command line", Path()
    if path is not None:
        where, folder = str(path), Path(path).parent
        table = _read(Path(path))
    return _validated(table, flags or {}, {FOLDER: folder}, where)


def with_flags(config: Config, flags: Mapping[str, object]) -> Config:
    """A run's own configuration, as its folder keeps it, with the command line's flags over it.

    Args:
        flags: as `load_config` takes them.

    Raises:
        ConfigError: for a flag whose value can't be used.
    """
    if all(value is None for value in flags.values()):
        return config
    # As TOML is read, not by pydantic's own JSON mode: that one knows no path that a validator has already made.
    table = json.loads(config.model_dump_json())
    return _validated(table, flags, {FOLDER: Path(), RECALLED: True}, "the run's own configuration")


def _validated(table: dict[str, Any], flags: Mapping[str, object], context: dict[str, object], where: str) -> Config:
    given = {key: value for key, value in flags.items() if value is not None}
    if "scoring" in table:
        table, removed = without_removed(table)
        if removed:
            raise ConfigError(where, removed)
    for key, value in given.items():
        _set(table, key, _from_here(value))
    try:
        return Config.model_validate(table, context=context)
    except ValidationError as error:
        found = faults(error)
        of_flags = [_by_flag(fault, given) for fault in found]
        if all(of_flags):
            raise ConfigError("the command line", of_flags) from None
        raise ConfigError(where, found) from None


def _by_flag(fault: str, flags: Mapping[str, object]) -> str:
    """A fault under the flag that set its key, `--controls: must be ...`; empty where no flag did."""
    path, _, sentence = fault.partition(": ")
    key = path.partition("[")[0]
    if key not in flags:
        return ""
    flag = _FLAGS.get(key, "--" + key.rpartition(".")[2].replace("_", "-"))
    return f"{flag}: {sentence}"


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(decode_utf8(path.read_bytes()))
    except FileNotFoundError:
        raise ConfigError(str(path), ["no such file: write the path of a TOML file after --config"]) from None
    except OSError as error:
        raise ConfigError(str(path), [f"can't be read: {error.strerror}"]) from error
    except NotUtf8Error as error:
        raise ConfigError(str(path), [str(error)]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), [f"is no TOML: {error}"]) from None


def _from_here(value: object) -> object:
    """A path of the command line starts from the working folder, not from the file's."""
    return str(value.absolute()) if isinstance(value, Path) else value


def _set(table: dict[str, Any], key: str, value: object) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        inner = table.setdefault(parent, {})
        if not isinstance(inner, dict):
            return  # The file's value is no table: validation says so, with its key.
        table = inner
    table[last] = value
