"""The configuration of a run: its sections, constraints between them, and loading from a file and flags."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, create_model, model_validator

from omnigap.errors import OmnigapError
from omnigap.files import SETTINGS_BYTES, read_regular
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
from omnigap_orchestrator.extension import extras, load_object
from omnigap_orchestrator.legacy import renamed_keys, without_removed
from omnigap_orchestrator.validation import FOLDER, NotUtf8Error, StrictModel, beyond_limits, decode_utf8, faults

_Section = TypeVar("_Section", bound=StrictModel)

FROM_RUN_FOLDER = "from_run_folder"
"""Key of the validation context, set if the configuration was stored by a run: the fleet may have named its models."""


def _unique_names(models: tuple[ModelConfig, ...]) -> tuple[ModelConfig, ...]:
    first: dict[str, int] = {}
    for index, model in enumerate(models):
        # Names become parts of file names, and some file systems ignore case.
        if (before := first.setdefault(model.name.lower(), index)) != index:
            raise ValueError(f"models[{before}] and models[{index}] are both named {model.name!r}: rename one")
    return models


class Config(StrictModel):
    """The configuration of one run.

    Every section has defaults: an empty file runs the embedded services on the built-in items.
    """

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

    # `Config(...)` and `Config.model_validate(...)` return the class with the sections of extras. That class is created
    # on first use and not on import, because the modules of those sections import this package.
    def __new__(cls, *args: object, **values: object) -> Self:
        made = _with_extras() if cls is Config else cls
        return object.__new__(made)  # type: ignore[return-value]

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        made = _with_extras() if cls is Config else cls
        return super(Config, made).model_validate(obj, **options)  # type: ignore[return-value]

    def section(self, key: str, model: type[_Section]) -> _Section:
        """The section that an extra registered under `key`; its defaults if the configuration has none."""
        found = getattr(self, key, None)
        return found if isinstance(found, model) else model()

    @model_validator(mode="after")
    def _static_models_have_endpoints(self, info: ValidationInfo) -> Config:
        if self.fleet.kind is not FleetKind.STATIC or FROM_RUN_FOLDER in (info.context or {}):
            return self
        for index, model in enumerate(self.models):
            if not model.endpoints:
                raise ValueError(
                    f"models[{index}].endpoints: {model.name!r} has none, and fleet.kind is 'static': "
                    'set endpoints = ["host:port"], or fleet.kind = "auto"'
                )
        return self


@cache
def _with_extras() -> type[Config]:
    """The configuration class with the sections of every installed extra."""
    # One class for all sections, so that pydantic validates a file in one pass and reports all its faults.
    models = {key: load_object(target) for extra in extras() for key, target in extra.sections.items()}
    fields: dict[str, Any] = {key: (model, model()) for key, model in models.items()}
    return create_model("Config", __base__=Config, **fields)


_FLAGS = {
    "routing.max_p95_latency_s": "--max-p95-latency",
    "carriers.image.font": "--font",
    "items.path": "--items",
    "items.tasks": "--task",
}
"""Keys whose flag does not have the name of their last part."""


class ConfigError(OmnigapError):
    """The configuration is invalid; the message names the file, each key, its value, and a valid value.

    Attributes:
        faults: one sentence per fault.
    """

    def __init__(self, where: str, found: list[str]) -> None:
        self.faults = tuple(found)
        super().__init__("\n".join(f"{where}: {fault}" for fault in found))


def load_config(path: Path | str | None = None, flags: Mapping[str, object] | None = None) -> Config:
    """Reads and validates a configuration.

    Args:
        path: the TOML file; relative paths in it are relative to its folder. None: the defaults.
        flags: values of the command line by dotted key (`{"items.limit": 12}`); they override the file. Relative
            paths are relative to the working folder; None sets nothing.

    Raises:
        ConfigError: the file can't be read, or keys are invalid; the error lists all of them.
    """
    table: dict[str, Any] = {}
    where, folder = "the command line", Path()
    if path is not None:
        where, folder = str(path), Path(path).parent
        table = _read(Path(path))
    return _validated(table, flags or {}, {FOLDER: folder}, where)


def with_flags(config: Config, flags: Mapping[str, object]) -> Config:
    """The stored configuration of a run with the flags of this command.

    Args:
        flags: as for `load_config`.

    Raises:
        ConfigError: the value of a flag is invalid.
    """
    if all(value is None for value in flags.values()):
        return config
    # Parsed first and validated as TOML is: pydantic's JSON mode rejects the `Path` objects that our validators return.
    table = json.loads(config.model_dump_json())
    return _validated(table, flags, {FOLDER: Path(), FROM_RUN_FOLDER: True}, "the stored configuration of the run")


def _validated(table: dict[str, Any], flags: Mapping[str, object], context: dict[str, object], where: str) -> Config:
    given = {key: value for key, value in flags.items() if value is not None}
    if "scoring" in table:
        table, removed = without_removed(table)
        if removed:
            raise ConfigError(where, removed)
    for key, value in given.items():
        _set(table, key, _absolute(value))
    try:
        return Config.model_validate(table, context=context)
    except ValidationError as error:
        if renamed := renamed_keys(table):
            raise ConfigError(where, renamed) from None
        found = faults(error)
        by_flag = [_name_flag(fault, given) for fault in found]
        # If only flags are at fault, the message names them and not the file.
        if all(by_flag):
            raise ConfigError("the command line", by_flag) from None
        raise ConfigError(where, found) from None


def _name_flag(fault: str, flags: Mapping[str, object]) -> str:
    """The fault with the flag that set its key, as in `--controls: must be ...`; empty if no flag did."""
    path, _, sentence = fault.partition(": ")
    key = path.partition("[")[0]
    if key not in flags:
        return ""
    flag = _FLAGS.get(key, "--" + key.rpartition(".")[2].replace("_", "-"))
    return f"{flag}: {sentence}"


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(decode_utf8(read_regular(path, SETTINGS_BYTES)))
    except FileNotFoundError:
        raise ConfigError(str(path), ["no such file: --config takes the path of a TOML file"]) from None
    except OSError as error:
        raise ConfigError(str(path), [f"can't be read: {error.strerror}"]) from error
    except NotUtf8Error as error:
        raise ConfigError(str(path), [str(error)]) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(str(path), [f"not valid TOML: {beyond_limits(error)}"]) from None


def _absolute(value: object) -> object:
    """Makes a path of the command line absolute: it is relative to the working folder, not to the file."""
    return str(value.absolute()) if isinstance(value, Path) else value


def _set(table: dict[str, Any], key: str, value: object) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        inner = table.setdefault(parent, {})
        if not isinstance(inner, dict):
            return  # The file has a plain value here; validation reports it with its key.
        table = inner
    table[last] = value
