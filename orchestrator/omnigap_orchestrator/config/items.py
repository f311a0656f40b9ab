"""`[items]`: which questions are asked, and which columns of a table hold them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from omnigap_orchestrator.config.fields import Text, as_list, resolve, without_repeats
from omnigap_orchestrator.validation import StrictModel

HUB = "hf://"
"""Beginning of a path that polars reads from the Hugging Face hub."""


def _resolve_source(path: str, info: ValidationInfo) -> str:
    return path if path.startswith(HUB) else str(resolve(Path(path), info))


class ColumnConfig(StrictModel):
    """Where one field of an item comes from: a constant, or one column, or several that are put in a list.

    Attributes:
        column: its name, or several; `a.b` reads the field b of a struct column a.
        const: the same text for every row, instead of a column.
        values: replaces what the column holds, as {"0" = "A", "1" = "B"} does for class numbers; what is not listed
            is a bad row.
    """

    column: Annotated[tuple[Text, ...], BeforeValidator(as_list), Field(strict=False)] = ()
    const: str | None = None
    values: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.column) == (self.const is not None):
            raise ValueError('name a column, as in "prompt", or a constant, as in { const = "qa" }')
        if self.values and not self.column:
            raise ValueError("values replace what a column holds: a constant needs none")
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
        separator: splits a text column that holds several answers or choices.
    """

    path: Annotated[str, Field(min_length=1), AfterValidator(_resolve_source)] | None = None
    builtin: bool | Literal["en", "ko"] | None = None
    limit: int | None = Field(default=None, ge=1)
    tasks: Annotated[
        tuple[Text, ...], BeforeValidator(as_list), Field(strict=False), AfterValidator(without_repeats)
    ] = ()
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
        return self
