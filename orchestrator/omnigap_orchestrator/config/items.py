"""`[items]`: which questions are asked, and which columns of a table hold them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from omnigap_orchestrator.validation import StrictModel, Text, as_list, resolve, without_repeats

HUB = "hf://"
"""Beginning of a path that polars reads from the Hugging Face hub."""


def _resolve_source(path: str, info: ValidationInfo) -> str:
    return path if path.startswith(HUB) else str(resolve(Path(path), info))


def _check_pattern(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
    if groups < 1:
        raise ValueError(f"{pattern!r} has no group: put what is to be found in parentheses")
    return pattern


class ColumnConfig(StrictModel):
    """Where one field of an item comes from: a constant, the file's path, one column, or several.

    Attributes:
        column: its name, or several; `a.b` reads the field b of a struct column a.
        first: instead of `column`: names of which the first that a row has is read, where a benchmark's files differ.
        file: instead of a column: a pattern over the file's path without its ending; its group holds the value.
        const: the same text for every row, instead of a column.
        values: replaces what was found, as {"0" = "A", "1" = "B"} does for class numbers, by nothing at all where ""
            stands; what is not listed is a bad row.
        otherwise: takes the place of what `values` does not list.
        format: one text of several columns, `{0}` for the first of them; nulls are empty.
        hash: the first 16 hexadecimal digits of the SHA-256 of the texts, for files without ids; a list of names hashes
            only what is read from those of `first`.
        letter: the text of a choice, written as the choice's letter.
        literal: a list that is written as text, as in ['a', 'b'], is read as a list.
        optional: files without the columns have no such field.
        when: column -> value; where a row has another one, nothing is read.
    """

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
            raise ValueError("values replace what a column holds: a constant needs none")
        if self.otherwise is not None and not self.values:
            raise ValueError("otherwise stands for what values do not list: list some")
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
    """Columns that hold an item's own carriers: paths, or `{bytes, path}` structs; for text, the text itself."""

    text: Column | None = None
    speech: Column | None = None
    image: Column | None = None


class ColumnsConfig(StrictModel):
    """For each field of an item its column; a field that is not named here is read from the column of its own name."""

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
    """Which items are asked.

    Attributes:
        path: a JSONL, CSV or Parquet file, a folder or a pattern (`data/*.parquet`) of such files, or an `hf://` path;
            None: the built-in items.
        builtin: says so explicitly; `en` (as true) or `ko` chooses the language of the built-in items.
        limit: items, taken round-robin over the tasks; None: all.
        tasks: only these; empty: all.
        columns: for other people's tables; None: the fields stand under their own names.
        preset: the column mapping of a known benchmark (`analyse --list-presets`); `columns` go before it.
        separator: splits a text column that holds several answers or choices.
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
            raise ValueError(f"path is {self.path!r} and builtin is {str(self.builtin).lower()}: take one of them out")
        if self.path is None and self.builtin is False:
            raise ValueError("builtin is false and no path is given: write path, the items' file")
        if self.path is None and self.columns is not None:
            raise ValueError("columns map the columns of a file, and no path is given: write path")
        if self.path is None and self.preset is not None:
            raise ValueError(f"preset {self.preset!r} reads files, and none is named: write their path (--items)")
        return self
