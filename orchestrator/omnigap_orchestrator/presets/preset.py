"""Reads the shipped presets: one TOML file a benchmark, with the sources of what is known about its files."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from omnigap.errors import OmnigapError
from omnigap_orchestrator.config.items import Column, ColumnConfig, ColumnsConfig
from omnigap_orchestrator.validation import StrictModel, Text, as_list, faults, unknown_key


class PresetError(OmnigapError):
    """A preset that there is not, or files that are not what it describes."""


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
    return pattern


Pattern = Annotated[str, Field(min_length=1), AfterValidator(_compiles)]
Names = Annotated[tuple[Text, ...], BeforeValidator(as_list), Field(strict=False)]


class ScoreSource(StrictModel):
    """Where a score can be read from; the first source of a preset whose column a row has decides.

    Attributes:
        column: its name; a dot leads into a struct. A list of verdicts is combined: numbers by their mean, labels by
            the majority.
        pattern: what of a text is the score, in its one group; a source whose pattern is not found is passed over.
        values: label, lower case -> score.
        low, high: ends of the scale of a number, mapped to 0 and 1.
        complement: 1 minus the score, for rates of errors.
    """

    column: Text
    pattern: Pattern | None = None
    values: dict[str, float] = Field(default_factory=dict)
    low: float = 0.0
    high: float = 1.0
    complement: bool = False

    @model_validator(mode="after")
    def _a_scale(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low is {self.low:g} and high {self.high:g}: high must be above low")
        return self


class ScorerPreset(StrictModel):
    """A scorer of omnigap's own, for files that hold answers without scores.

    Attributes:
        name: `voicebench`: by subset, as that benchmark does; else a metric.
        answer, gold, choices: the columns that it looks at.
        checks: for IFEval: the column of ids, and that of their arguments.
    """

    name: str
    answer: Text
    gold: Text | None = None
    choices: Text | None = None
    checks: Names = ()


class EntriesPreset(StrictModel):
    """One struct column that holds the results of several models or conditions, by name.

    Attributes:
        name: a pattern over the name, with the groups `model` and `condition`.
    """

    column: Text
    name: Pattern


class ResultsPreset(StrictModel):
    """How the benchmark's own per-item result files are laid out.

    Attributes:
        layout: where this was read.
        file: a pattern over the end of a file's path (two folders and its name without the ending), with groups of
            `model`, `task` and `condition`, as far as the path tells them.
        records: key of a JSON object that holds the rows, as a list or by name.
        keep: column -> values of the rows that count.
        entries: where one row holds several results.
        item_id, task, model, condition, cluster: columns.
        default_condition: where the pattern's group is empty.
        conditions: their names -> ours.
        answer: what the model said; a row where it is null or blank is a failed call, missing and not wrong.
        blank_is_answer: a blank one counts as an answer after all.
        same: columns that all rows of one item must agree in; a task where they do not is left out, and said.
        reference: the condition that gaps are measured against, in our names.
    """

    layout: str
    file: Pattern
    records: str | None = None
    keep: dict[str, Names] = Field(default_factory=dict)
    entries: EntriesPreset | None = None
    item_id: Column
    task: Column | None = None
    model: Column | None = None
    condition: Column | None = None
    cluster: Column | None = None
    default_condition: str | None = None
    conditions: dict[str, str] = Field(default_factory=dict)
    scores: tuple[ScoreSource, ...] = Field(default=(), strict=False)
    scorer: ScorerPreset | None = None
    answer: Column | None = None
    blank_is_answer: bool = False
    same: Names = ()
    reference: str

    @model_validator(mode="after")
    def _can_score(self) -> Self:
        if not self.scores and self.scorer is None:
            raise ValueError("scores is empty and there is no scorer: nothing would be scored")
        return self

    def columns(self) -> dict[str, ColumnConfig]:
        """The mapped columns by our names."""
        ours = ("item_id", "task", "model", "condition", "cluster", "answer")
        return {name: column for name in ours if (column := getattr(self, name)) is not None}


class ItemsPreset(StrictModel):
    """How the benchmark's own item files are laid out: as `[items]` would say it.

    Attributes:
        layout: where this was read.
        note: what a user should know before a run.
    """

    layout: str
    note: str = ""
    columns: ColumnsConfig
    separator: str | None = None


class Preset(StrictModel):
    """One benchmark.

    Attributes:
        title: its name.
        source: its repository or paper.
    """

    title: str
    source: str
    description: str = ""
    results: ResultsPreset | None = None
    items: ItemsPreset | None = None


def preset_names() -> tuple[str, ...]:
    """The shipped presets."""
    folder = files(__package__)
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load_preset(name: str) -> Preset:
    """A shipped preset.

    Raises:
        PresetError: for an unknown name, with the nearest known one.
    """
    if name not in preset_names():
        raise PresetError(f"{unknown_key(name, preset_names(), 'preset')} (`analyse --list-presets` tells them all)")
    try:
        return Preset.model_validate(tomllib.loads(files(__package__).joinpath(f"{name}.toml").read_text("utf-8")))
    except ValidationError as error:
        raise PresetError("\n".join(f"preset {name}: {fault}" for fault in faults(error))) from None


def load_presets() -> dict[str, Preset]:
    """All shipped presets by name."""
    return {name: load_preset(name) for name in preset_names()}
