"""Rows of an items file, JSON Lines among them, to items: every bad row is named with its place."""

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
from omnigap.vocabulary import CHOICE_LETTERS, AnswerType, Modality
from omnigap_orchestrator.items.item import HEAD_BYTES, Check, Item, ItemError, OwnCarrier, carrier_mime_type
from omnigap_orchestrator.scoring.score import JUDGE, known_metrics, lacks, metric_names, read_check
from omnigap_orchestrator.validation import (
    Language,
    NotUtf8Error,
    StrictModel,
    Text,
    check_visible,
    decode_utf8,
    faults,
    shown,
    unknown_key,
    without_repeats,
)

_OPTIONAL = ("choices", "instruction", "carriers", "source", "cluster", "metric", "checks")
_Bytes = bytes  # the field of that name hides the type


def _check_id(name: str) -> str:
    if not name.isprintable() or name != name.strip():
        raise ValueError(f"{name!r} holds blanks at its ends or characters that can't be seen: take them out")
    return name


def _from_base64(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"is no base64 ({error}): write the file's bytes as base64, or give a path") from None


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
    """A recording or a picture: `path`, or `bytes` (base64 in JSON, raw in Parquet), beside which a path is a name."""

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
    """An item's own carriers; None leaves a modality to be rendered."""

    text: Text | None = None
    speech: Medium = None
    image: Medium = None


class CheckRow(StrictModel):
    """A verifiable instruction, as IFEval's data set writes it; nulls among the arguments count as absent."""

    id: str
    kwargs: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _can_be_checked(self) -> Self:
        read_check(self.id, self.kwargs)
        return self


class ItemRow(StrictModel):
    """One row, as docs/items.md describes it."""

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
            raise ValueError(f"checks: is empty, and metric is {self.metric!r}: give what the answer has to follow")
        return self

    @model_validator(mode="after")
    def _letters_fit(self) -> Self:
        if self.answer_type is not AnswerType.LETTER:
            return self
        letters = CHOICE_LETTERS[: len(self.choices)] if self.choices else string.ascii_uppercase
        for answer in self.answers:
            if len(answer) != 1 or answer not in letters:
                span = f"{letters[0]} to {letters[-1]}"
                raise ValueError(f"answers: {shown(answer)} is no letter from {span}, and answer_type is 'letter'")
        return self


def read_row(row: Mapping[str, object], folder: Path) -> Item:
    """The item in a row.

    Args:
        row: in the documented form; null in an optional field counts as absent.
        folder: that relative paths of media start from.

    Raises:
        RowError: with every fault of the row.
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
            carriers[modality] = _own_medium(medium, modality, folder)
        except ValueError as error:
            found.append(f"carriers.{modality}: {error}")
    if found:
        raise RowError(*found)
    item = Item(
        id=checked.id,
        task=checked.task,
        language=checked.language,
        question=checked.question,
        answers=checked.answers,
        answer_type=checked.answer_type,
        choices=checked.choices,
        instruction=checked.instruction,
        carriers=carriers,
        source=checked.source,
        cluster=checked.cluster,
        metric=checked.metric,
        checks=tuple(_check(check) for check in checked.checks),
    )
    if item.checks and item.metric is not None and (lack := lacks(item, item.metric)):
        raise RowError(f"checks: {lack} (metric is {item.metric!r})")
    return item


def _check(row: CheckRow) -> Check:
    given = {name: value for name, value in row.kwargs.items() if value is not None}
    return Check(row.id, json.dumps(given, sort_keys=True, ensure_ascii=False))


class RowError(OmnigapError):
    """What is wrong in one row, without its place: the reader adds file and line."""

    def __init__(self, *found: str) -> None:
        self.faults = found
        super().__init__("; ".join(found))


def _own_medium(medium: MediumRow, modality: Modality, folder: Path) -> OwnCarrier:
    """Raises ValueError for a file that is not there, and for bytes of no or another kind."""
    if medium.bytes is not None:
        return OwnCarrier(data=medium.bytes, mime_type=carrier_mime_type(medium.bytes[:HEAD_BYTES], modality))
    path = folder / Path(medium.path or "")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        why = getattr(error, "strerror", None) or str(error)
        raise ValueError(
            f"{medium.path!r} can't be read (looked at {path}): {why}; paths start from the items file's folder"
        ) from None
    try:
        return OwnCarrier(path=path, mime_type=carrier_mime_type(head, modality))
    except ValueError as error:
        raise ValueError(f"{medium.path!r} {error}") from None


_MOST_FAULTS = 1_000


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A row in the documented form, or what is wrong with it already.

    Attributes:
        file: as errors name it.
        place: `line 3` or `row 3`, from 1.
        folder: that relative paths of media start from.
    """

    file: str
    place: str
    folder: Path
    row: Mapping[str, object] | None = None
    faults: tuple[str, ...] = ()


def collect(rows: Iterable[PlacedRow]) -> tuple[Item, ...]:
    """The items of all rows, in order.

    Raises:
        ItemError: with every fault of every row (a thousand at most), and where an id stands twice.
    """
    items: list[Item] = []
    found: list[str] = []
    first: dict[str, PlacedRow] = {}
    for placed in rows:
        where = f"{placed.file}: {placed.place}"
        if placed.row is None:
            found += [f"{where}: {fault}" for fault in placed.faults]
        else:
            try:
                item = read_row(placed.row, placed.folder)
            except RowError as error:
                found += [f"{where}: {fault}" for fault in error.faults]
            else:
                before = first.setdefault(item.id, placed)
                if before is not placed:
                    same = before.file == placed.file
                    there = before.place if same else f"{before.file}: {before.place}"
                    found.append(f"{where}: id: {item.id!r} stands already in {there}: ids must differ")
                items.append(item)
        if len(found) >= _MOST_FAULTS:
            break
    if found:
        raise ItemError(*found)
    return tuple(items)


def jsonl_rows(path: Path) -> Iterator[PlacedRow]:
    """Each line that is not blank as an object, or as what is wrong with it.

    Raises:
        ItemError: for a file that can't be read or is not UTF-8.
    """
    text = read_text(path)
    # Only a line feed ends a line: U+2028 and its like may stand inside a JSON string.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            fault = f"is no JSON at character {error.pos + 1}: {error.msg}"
        except (ValueError, RecursionError) as error:
            fault = f"is no JSON that can be read: {error}"
        else:
            if isinstance(value, dict):
                yield PlacedRow(str(path), f"line {number}", path.parent, value)
                continue
            fault = f"is a JSON {type(value).__name__}: write one object, {{...}}, a line"
        yield PlacedRow(str(path), f"line {number}", path.parent, faults=(fault,))


def read_text(path: Path) -> str:
    """A file's text.

    Raises:
        ItemError: for a file that can't be read or is not UTF-8.
    """
    try:
        return decode_utf8(path.read_bytes())
    except OSError as error:
        raise ItemError(f"{path}: can't be read: {error.strerror}: give the path of an items file") from error
    except NotUtf8Error as error:
        raise ItemError(f"{path}: {error}") from None
