"""Reads the shipped presets: one TOML file per benchmark, with the source of each layout."""

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
    """A preset does not exist or is invalid, or files do not match its layout."""


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a valid regular expression: {error}") from None
    return pattern


Pattern = Annotated[str, Field(min_length=1), AfterValidator(_compiles)]
Names = Annotated[tuple[Text, ...], BeforeValidator(as_list), Field(strict=False)]


class ScoreSource(StrictModel):
    """A source of the score; of a preset's sources, the first whose column exists in the row is used.

    Attributes:
        column: column name; a dot selects a field of a struct. A list of verdicts is combined, numbers by their mean
            and labels by the majority.
        pattern: regular expression with one group that extracts the score from a text; if it does not match, the next
            source is tried.
        values: label in lower case -> score.
        low, high: ends of a numeric scale, mapped to 0 and 1.
        complement: use 1 minus the score, for error rates.
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
    """A scorer of omnigap, for files with answers but without scores.

    Attributes:
        name: `voicebench`, which selects the metric by subset, or the name of a metric.
        answer, gold, choices: columns that the scorer reads.
        checks: for IFEval, the columns of ids and of their arguments.
    """

    name: str
    answer: Text
    gold: Text | None = None
    choices: Text | None = None
    checks: Names = ()


class ChancePreset(StrictModel):
    """The chance of guessing an item right; of the three sources, the first that applies to a row is used.

    Attributes:
        choices: a column with a list of the choices, or one column for each choice, of which empty ones don't count.
        tasks: task -> chance.
        value: chance of all other items; None: unknown.
    """

    choices: Names = ()
    tasks: dict[str, Annotated[float, Field(ge=0, lt=1)]] = Field(default_factory=dict)
    value: float | None = Field(default=None, ge=0, lt=1)


class EntriesPreset(StrictModel):
    """A struct column with the results of several models or conditions.

    Attributes:
        name: regular expression for the field names, with groups `model` and `condition`.
    """

    column: Text
    name: Pattern


class ResultsPreset(StrictModel):
    """Layout of the benchmark's per-item result files.

    Attributes:
        layout: source of the layout.
        file: regular expression for the end of a file's path (two folders and the file name without extension), with
            groups `model`, `task` and `condition` for the parts that the path contains.
        records: key of a JSON object that contains the rows, as a list or by name.
        head: column that is added to each row -> dotted key of the JSON object around the rows.
        keep: column -> values of the rows that are used.
        entries: set if one row contains several results.
        item_id, task, model, condition, cluster: columns.
        default_condition: condition if the pattern's group is empty.
        conditions: the benchmark's condition names -> those of omnigap.
        scores, scorer: sources of the score, and a scorer for files without any of these columns, and for --rescore.
        answer: column of the answer. A null or blank answer is a failed call: missing, not wrong.
        blank_is_answer: count a blank answer as an answer.
        writes_failures: a failed call has a row. An item without a row was then never asked: it is of another sample.
        same: columns that must be equal in all rows of an item; tasks that violate this are skipped and reported.
        chance: the chance of guessing, which the ceiling (MMC) and relative gaps need.
        reference: reference condition of gaps, as named in omnigap.
    """

    layout: str
    file: Pattern
    records: str | None = None
    head: dict[str, str] = Field(default_factory=dict)
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
    writes_failures: bool = False
    same: Names = ()
    chance: ChancePreset = Field(default_factory=ChancePreset)
    reference: str

    @model_validator(mode="after")
    def _can_score(self) -> Self:
        if not self.scores and self.scorer is None:
            raise ValueError("scores is empty and there is no scorer: add one of them")
        return self

    def columns(self) -> dict[str, ColumnConfig]:
        """The mapped columns, by omnigap's names."""
        ours = ("item_id", "task", "model", "condition", "cluster", "answer")
        return {name: column for name in ours if (column := getattr(self, name)) is not None}


class ItemsPreset(StrictModel):
    """Layout of the benchmark's item files, in the terms of `[items]`.

    Attributes:
        layout: source of the layout.
        note: notice for users before a run.
    """

    layout: str
    note: str = ""
    columns: ColumnsConfig
    separator: str | None = None


class Preset(StrictModel):
    """One benchmark.

    Attributes:
        title: name of the benchmark.
        source: repository or paper.
    """

    title: str
    source: str
    description: str = ""
    results: ResultsPreset | None = None
    items: ItemsPreset | None = None


def preset_names() -> tuple[str, ...]:
    """Names of the shipped presets, sorted."""
    folder = files(__package__)
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def load_preset(name: str) -> Preset:
    """Loads a shipped preset.

    Raises:
        PresetError: the name is unknown; the message suggests the nearest known one.
    """
    # Checked against the list, so that a name such as "../x" cannot read another file.
    if name not in preset_names():
        raise PresetError(f"{unknown_key(name, preset_names(), 'preset')} (`analyse --list-presets` lists all)")
    try:
        return Preset.model_validate(tomllib.loads(files(__package__).joinpath(f"{name}.toml").read_text("utf-8")))
    except ValidationError as error:
        raise PresetError("\n".join(f"preset {name}: {fault}" for fault in faults(error))) from None


def load_presets() -> dict[str, Preset]:
    """Loads all shipped presets, by name."""
    return {name: load_preset(name) for name in preset_names()}
