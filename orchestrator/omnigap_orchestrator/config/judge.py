"""`[judge]`, the language model that rates open answers, and `[scoring]`, which metric scores which task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from omnigap_orchestrator.config.fields import Endpoints, resolve
from omnigap_orchestrator.config.services import DecodingConfig
from omnigap_orchestrator.validation import StrictModel, unknown_key

RUBRICS = ("helpful", "graded", "agrees")
"""The shipped ones; a test holds them and the files together."""
_FILES = (".toml", ".txt", ".md")


def _rubric(name: str, info: ValidationInfo) -> str:
    if name in RUBRICS:
        return name
    if Path(name).suffix.lower() not in _FILES:
        raise ValueError(f"{unknown_key(name, RUBRICS, 'rubric')}; or give a file that ends in {', '.join(_FILES)}")
    return str(resolve(Path(name), info).absolute())


RubricName = Annotated[str, Field(min_length=1), AfterValidator(_rubric)]


class JudgeConfig(StrictModel):
    """The judge of open answers; without this section they are scored by token F1.

    Attributes:
        endpoints: of a service that answers text with text; empty: the fleet's service of the role `judge`.
        rubric: for items without gold answers: the name of a shipped one, or a file.
        reference_rubric: for items with gold answers.
        votes: verdicts asked for each answer, with different seeds; averaged.
        decoding: temperature 0 where none is named.
    """

    endpoints: Endpoints = ()
    rubric: RubricName = "helpful"
    reference_rubric: RubricName = "graded"
    votes: int = Field(default=1, ge=1, le=9)
    decoding: DecodingConfig = DecodingConfig(temperature=0.0)

    @field_validator("decoding")
    @classmethod
    def _cold_unless_asked(cls, decoding: DecodingConfig) -> DecodingConfig:
        return decoding if decoding.temperature is not None else decoding.model_copy(update={"temperature": 0.0})


class ScoringConfig(StrictModel):
    """Which metric scores an item that names none.

    Attributes:
        preset: a benchmark whose own scorers take its subsets, told by the items' tasks: `voicebench`.
        tasks: task -> metric; goes before the preset.
    """

    preset: str | None = None
    tasks: dict[str, str] = Field(default_factory=dict)

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, name: str | None) -> str | None:
        from omnigap_orchestrator.scoring.choose import PRESETS

        if name is not None and name not in PRESETS:
            raise ValueError(unknown_key(name, PRESETS, "preset"))
        return name

    @field_validator("tasks")
    @classmethod
    def _known_metrics(cls, tasks: dict[str, str]) -> dict[str, str]:
        from omnigap_orchestrator.scoring.choose import METRIC_NAMES

        for task, metric in tasks.items():
            if metric not in METRIC_NAMES:
                raise ValueError(f"{task}: {unknown_key(metric, METRIC_NAMES, 'metric')}")
        return tasks
