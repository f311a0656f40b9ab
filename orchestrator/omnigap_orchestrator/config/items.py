"""`[items]`: the questions of a run, and the columns of a table that hold them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from omnigap_orchestrator.validation import StrictModel, Text, as_list, resolve, without_repeats

HUB = "hf://"
"""Prefix of paths that polars reads from the Hugging Face hub."""


def _resolve_source(path: str, info: ValidationInfo) -> str:
    return path if path.startswith(HUB) else str(resolve(Path(path), info))


def _check_pattern(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
    if groups < 1:
        raise ValueError(f"{pattern!r} has no group: put the value to extract in parentheses")
    return pattern


class ColumnConfig(StrictModel):
    """The source of one field of an item: a constant, the path of the file, or one or more columns.

    Attributes:
        column: name of the column, or a list of names; `a.b` reads the field b of a struct column a.
        first: instead of `column`, a list of names; the first one that a row has is read. For benchmarks whose files
            differ.
        file: instead of a column, a pattern for the path of the file without its extension; its group is the value.
        const: instead of a column, the same text for every row.
        values: replaces the value, as in {"0" = "A", "1" = "B"} for class numbers; "" removes it. A value that is not
            listed makes the row invalid.
        otherwise: replacement for values that `values` does not list.
        format: combines several columns into one text; `{0}` is the first of them; nulls are empty.
        hash: replaces the text by the first 16 hexadecimal digits of its SHA-256, for files without IDs; a list of
            names restricts this to those columns of `first`.
        letter: replaces the text of a choice by the letter of that choice.
        literal: parses a list that is written as text, such as ['a', 'b'].
        optional: files without the columns leave the field empty.
        when: column -> value; rows with another value leave the field empty.
    """

    # strict=False: in strict mode, pydantic refuses a list (as TOML has it) for a tuple.
    column: Annotated[tuple[Text, ...], BeforeValidator(as_list), Field(strict=False)] = ()
    first: Annotated[tuple[Text, ...], BeforeValidator(as_list), Field(strict=False)] = ()
    file: Annotated[str, AfterValidator(_check_pattern)] | None = None
    const: str | None = None
    values: dict[str, str] = Field(default_factory=dict)
    otherwise: str | None = None
    format: Annotated[str, Field(min_length=1)] | None = None
    hash: bool | Annotated[tuple[Text, ...], Field(strict=False)] = False
    letter: bool = False
    literal: bool = False
    optional: bool = False
    when: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        sources = [bool(self.column), bool(self.first), self.file is not None, self.const is not None]
        if sum(sources) != 1:
            raise ValueError('name a column, as in "prompt", or a constant, as in { const = "qa" }')
        if (self.values or self.otherwise is not None) and self.const is not None:
            raise ValueError("values replaces values of a column: remove it, or const")
        if self.otherwise is not None and not self.values:
            raise ValueError("otherwise replaces what values does not list: set values, or remove otherwise")
        # Tried with the names as values, so that a wrong index is reported now and not at the first row.
        if self.format is not None:
            try:
                self.format.format(*self.column, *self.first[:1], *(("",) if self.file or self.const else ()))
            except (IndexError, KeyError, ValueError, AttributeError) as error:
                raise ValueError(f"format {self.format!r} does not fit, {{0}} is the first column: {error!r}") from None
        return self


def _shorthand(value: object) -> object:
    return {"column": value} if isinstance(value, str | list) else value


Column = Annotated[ColumnConfig, BeforeValidator(_shorthand)]


class CarrierColumnsConfig(StrictModel):
    """Columns with an item's own carriers: paths or `{bytes, path}` structs; for text, the text itself."""

    text: Column | None = None
    speech: Column | None = None
    image: Column | None = None


class ColumnsConfig(StrictModel):
    """The column of each field of an item; a field without an entry is read from the column of the same name."""

    id: Column | None = None
    task: Column | None = None
    language: Column | None = None
    question: Column | None = None
    choices: Column | None = None
    instruction: Column | None = None
    answers: Column | None = None
    answer_type: Column | None = None
    source: Column | None = None
    cluster: Column | None = None
    metric: Column | None = None
    checks: Column | None = None
    carriers: CarrierColumnsConfig = CarrierColumnsConfig()


class ItemsConfig(StrictModel):
    """The items of a run.

    Attributes:
        path: a JSONL, CSV or Parquet file, a folder or pattern (`data/*.parquet`) of such files, or an `hf://` path.
            None: the built-in items.
        builtin: the built-in items: true or `en` for English, `ko` for Korean.
        limit: maximum number of items, round-robin over tasks. None: all.
        tasks: only items of these tasks. Empty: all.
        columns: maps the columns of a table to fields. None: columns have the names of the fields.
        preset: column mapping of a known benchmark (`analyse --list-presets`); `columns` override it.
        separator: splits a text column with several answers or choices.
    """

    path: Annotated[str, Field(min_length=1), AfterValidator(_resolve_source)] | None = None
    builtin: bool | Literal["en", "ko"] | None = None
    limit: int | None = Field(default=None, ge=1)
    tasks: Annotated[
        tuple[Text, ...], BeforeValidator(as_list), Field(strict=False), AfterValidator(without_repeats)
    ] = ()
    preset: str | None = Field(default=None, min_length=1)
    columns: ColumnsConfig | None = None
    separator: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.path is not None and self.builtin:
            raise ValueError(f"path is {self.path!r} and builtin is {str(self.builtin).lower()}: remove one of them")
        if self.path is None and self.builtin is False:
            raise ValueError("builtin is false and there is no path: set path to a file of items")
        if self.path is None and self.columns is not None:
            raise ValueError("columns apply to a file, and there is no path: set path")
        if self.path is None and self.preset is not None:
            raise ValueError(f"preset {self.preset!r} applies to files, and there is no path: set path (--items)")
        return self
