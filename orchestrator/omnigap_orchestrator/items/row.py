"""Validates rows of an items file and converts them to items; errors name file, line or row, and field."""

from __future__ import annotations

import base64
import binascii
import json
import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from omnigap.errors import OmnigapError
from omnigap.files import open_regular, read_regular
from omnigap.vocabulary import CHOICE_LETTERS, AnswerType, Modality
from omnigap_orchestrator.items.item import (
    EXTENSIONS,
    HEAD_BYTES,
    Check,
    Item,
    ItemError,
    OwnCarrier,
    carrier_mime_type,
    without_letters,
)
from omnigap_orchestrator.scoring.score import JUDGE, known_metrics, lacks, metric_names, read_check
from omnigap_orchestrator.validation import (
    Language,
    NotUtf8Error,
    StrictModel,
    Text,
    beyond_limits,
    check_visible,
    decode_utf8,
    faults,
    shown,
    unknown_key,
    without_repeats,
)

# Null in one of these counts as absent: Parquet tables have null where a row lacks a field.
_OPTIONAL = ("choices", "instruction", "carriers", "source", "cluster", "metric", "checks")
_MAX_FAULTS = 1_000


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row in the documented form with its location, or the faults found while reading it.

    Attributes:
        file: file name as shown in errors.
        place: `line 3` or `row 3`, counted from 1.
        folder: base folder of relative media paths.
    """

    file: str
    place: str
    folder: Path
    row: Mapping[str, object] | None = None
    faults: tuple[str, ...] = ()


def jsonl_rows(path: Path) -> Iterator[SourceRow]:
    """Yields each line that is not blank as a row, or with its fault.

    Raises:
        ItemError: the file can't be read or is not UTF-8.
    """
    text = read_text(path)
    # `splitlines` would also split at U+2028 and similar characters, which are allowed inside JSON strings.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            fault = f"invalid JSON at character {error.pos + 1}: {error.msg}"
        # Beyond Python's limits.
        except (ValueError, RecursionError) as error:
            fault = f"invalid JSON: {beyond_limits(error)}"
        else:
            if isinstance(value, dict):
                yield SourceRow(str(path), f"line {number}", path.parent, value)
                continue
            fault = f"is a JSON {type(value).__name__}: write one object, {{...}}, per line"
        yield SourceRow(str(path), f"line {number}", path.parent, faults=(fault,))


def read_text(path: Path) -> str:
    """Reads a text file.

    Raises:
        ItemError: the file can't be read or is not UTF-8.
    """
    try:
        return decode_utf8(read_regular(path))
    except OSError as error:
        raise ItemError(f"{path}: can't be read: {error.strerror}: give the path of an items file") from error
    except NotUtf8Error as error:
        raise ItemError(f"{path}: {error}") from None


def collect(rows: Iterable[SourceRow], stored: Path | None = None) -> tuple[Item, ...]:
    """Converts all rows to items, in order.

    Args:
        stored: a folder of media that omnigap wrote: a missing or damaged file in it fails only the cells that ask with
            it, and not the items.

    Raises:
        ItemError: rows are invalid, or an id is used twice; it lists all faults, at most a thousand.
    """
    items: list[Item] = []
    found: list[str] = []
    first: dict[str, SourceRow] = {}
    for source in rows:
        where = f"{source.file}: {source.place}"
        if source.row is None:
            found += [f"{where}: {fault}" for fault in source.faults]
        else:
            try:
                item = read_row(source.row, source.folder, stored)
            except RowError as error:
                found += [f"{where}: {fault}" for fault in error.faults]
            else:
                before = first.setdefault(item.id, source)
                if before is not source:
                    same = before.file == source.file
                    there = before.place if same else f"{before.file}: {before.place}"
                    found.append(f"{where}: id: {item.id!r} is already used in {there}: ids must be unique")
                items.append(item)
        if len(found) >= _MAX_FAULTS:
            break
    if found:
        raise ItemError(*found)
    return tuple(items)


class RowError(OmnigapError):
    """Faults of one row, without its location, which `collect` adds."""

    def __init__(self, *found: str) -> None:
        self.faults = found
        super().__init__("; ".join(found))


_STORED_TYPES = {f".{extension}": mime_type for mime_type, extension in EXTENSIONS.items()}

_Bytes = bytes  # the field `bytes` of MediumRow shadows the builtin


def _check_id(name: str) -> str:
    if not name.isprintable() or name != name.strip():
        raise ValueError(f"{name!r} has leading or trailing blanks or invisible characters: remove them")
    return name


def _from_base64(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"is not base64 ({error}): write the file's bytes as base64, or give a path") from None


def _optional_text(text: str) -> str:
    return check_visible(text) if text else text


def _check_metric(name: str) -> str:
    if name not in metric_names():
        raise ValueError(unknown_key(name, metric_names(), "metric"))
    return name


def _check_choices(choices: tuple[str, ...]) -> tuple[str, ...]:
    if choices and not 2 <= len(choices) <= len(CHOICE_LETTERS):
        raise ValueError(f"has {len(choices)}: give 2 to {len(CHOICE_LETTERS)}, or none")
    return choices


class MediumRow(StrictModel):
    """A recording or a picture: `path`, or `bytes` (base64 in JSON, raw in Parquet), which take precedence."""

    bytes: Annotated[Annotated[_Bytes, Field(min_length=1)] | None, BeforeValidator(_from_base64)] = None
    path: str | None = None

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if self.bytes is None and not self.path:
            raise ValueError("has neither bytes nor path: give one, or leave the carrier out")
        return self


def _as_medium(value: object) -> object:
    return {"path": value} if isinstance(value, str) else {"bytes": value} if isinstance(value, bytes) else value


Medium = Annotated[MediumRow | None, BeforeValidator(_as_medium)]


class CarriersRow(StrictModel):
    """An item's own carriers; a modality that is None is rendered."""

    text: Text | None = None
    speech: Medium = None
    image: Medium = None


class CheckRow(StrictModel):
    """A verifiable instruction in the format of IFEval's data set; arguments that are null count as absent."""

    id: str
    kwargs: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _can_be_checked(self) -> Self:
        read_check(self.id, self.kwargs)
        return self


class ItemRow(StrictModel):
    """One row, as documented in docs/items.md."""

    # `strict=False` where JSON has a list or a string for a tuple or an enum.
    id: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_check_id)]
    task: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_check_id)]
    language: Language
    question: Text
    answers: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    answer_type: Annotated[AnswerType, Field(strict=False)]
    choices: Annotated[
        tuple[Text, ...], Field(strict=False), AfterValidator(without_repeats), AfterValidator(_check_choices)
    ] = ()
    instruction: Annotated[str, AfterValidator(_optional_text)] = ""
    carriers: CarriersRow = CarriersRow()
    source: Annotated[str, AfterValidator(_optional_text)] = ""
    cluster: Text | None = None
    metric: Annotated[str, AfterValidator(_check_metric)] | None = None
    checks: Annotated[tuple[CheckRow, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _metric_has_what_it_needs(self) -> Self:
        known = known_metrics().get(self.metric or "")
        needs_gold = self.metric != JUDGE and (known is None or known.needs_gold)
        if not self.answers and needs_gold:
            lack = "is empty" if "answers" in self.model_fields_set else "is missing"
            raise ValueError(f"answers: {lack}: give the gold answer, then its aliases, or a metric that needs none")
        if known is not None and known.needs_checks and not self.checks:
            raise ValueError(
                f"checks: is empty, and metric is {self.metric!r}: add the checks that the answer must follow"
            )
        return self

    @model_validator(mode="after")
    def _letters_fit(self) -> Self:
        if self.answer_type is not AnswerType.LETTER:
            return self
        letters = CHOICE_LETTERS[: len(self.choices)] if self.choices else string.ascii_uppercase
        for answer in self.answers:
            if len(answer) != 1 or answer not in letters:
                span = f"{letters[0]} to {letters[-1]}"
                raise ValueError(f"answers: {shown(answer)} is not a letter from {span}, and answer_type is 'letter'")
        return self


def read_row(row: Mapping[str, object], folder: Path, stored: Path | None = None) -> Item:
    """Converts a row to an item.

    Args:
        row: in the documented form; null in an optional field counts as absent.
        folder: base folder of relative media paths.
        stored: folder of media whose type their extension says, so that they are not read.

    Raises:
        RowError: the row is invalid; it lists every fault.
    """
    try:
        checked = ItemRow.model_validate({k: v for k, v in row.items() if v is not None or k not in _OPTIONAL})
    except ValidationError as error:
        raise RowError(*faults(error)) from None
    carriers, found = {}, []
    if checked.carriers.text is not None:
        carriers[Modality.TEXT] = OwnCarrier(text=checked.carriers.text, mime_type="text/plain")
    for modality, medium in ((Modality.SPEECH, checked.carriers.speech), (Modality.IMAGE, checked.carriers.image)):
        if medium is None:
            continue
        try:
            carriers[modality] = _own_medium(medium, modality, folder, stored)
        except ValueError as error:
            found.append(f"carriers.{modality}: {error}")
    if found:
        raise RowError(*found)
    letters = checked.answer_type is AnswerType.LETTER
    choices = without_letters(checked.choices) if letters else checked.choices
    if len(set(choices)) < len(choices):
        raise RowError("choices: two are equal without their letters: give each choice its own text")
    # A gold answer may be the text of a choice, with its letter.
    texts = dict(zip(checked.choices, choices, strict=True))
    item = Item(
        id=checked.id,
        task=checked.task,
        language=checked.language,
        question=checked.question,
        answers=tuple(texts.get(answer, answer) for answer in checked.answers) if letters else checked.answers,
        answer_type=checked.answer_type,
        choices=choices,
        instruction=checked.instruction,
        carriers=carriers,
        source=checked.source,
        cluster=checked.cluster,
        metric=checked.metric,
        checks=tuple(_check(check) for check in checked.checks),
        brought_letters=choices != checked.choices,
    )
    if item.checks and item.metric is not None and (lack := lacks(item, item.metric)):
        raise RowError(f"checks: {lack} (metric is {item.metric!r})")
    return item


def _check(row: CheckRow) -> Check:
    # Sorted keys: checks are part of the score key, which must not depend on the order in the file.
    given = {name: value for name, value in row.kwargs.items() if value is not None}
    return Check(row.id, json.dumps(given, sort_keys=True, ensure_ascii=False))


def _own_medium(medium: MediumRow, modality: Modality, folder: Path, stored: Path | None) -> OwnCarrier:
    """Raises ValueError for a missing file, and for bytes of an unsupported type or another modality."""
    if medium.bytes is not None:
        return OwnCarrier(data=medium.bytes, mime_type=carrier_mime_type(medium.bytes[:HEAD_BYTES], modality))
    path = folder / Path(medium.path or "")
    if stored is not None and stored in path.parents and path.suffix in _STORED_TYPES:
        return OwnCarrier(path=path, mime_type=_STORED_TYPES[path.suffix])
    # Only the head is read: the whole medium is decoded when carriers are prepared.
    try:
        with open_regular(path) as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise ValueError(
            f"{shown(medium.path)} can't be read (tried {path}): {error.strerror}; paths are relative to the "
            "items file's folder"
        ) from None
    try:
        return OwnCarrier(path=path, mime_type=carrier_mime_type(head, modality))
    except ValueError as error:
        raise ValueError(f"{shown(medium.path)} {error}") from None
