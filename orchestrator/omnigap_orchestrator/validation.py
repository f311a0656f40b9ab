"""Reads what users write, and says what is wrong with it: the place in the text, or the key, its value and the fix."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

_MOST_OF_A_VALUE = 60


class NotUtf8Error(ValueError):
    """The message names the line (from 1), the byte in that line (from 1) and its value."""


def decode_utf8(data: bytes) -> str:
    """The text, without a leading byte-order mark.

    Raises:
        NotUtf8Error: for bytes that are not UTF-8.
    """
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise NotUtf8Error(
            f"line {line}: byte {column} of the line is 0x{data[error.start]:02x}, which is not UTF-8: "
            "save the file as UTF-8"
        ) from error


class StrictModel(BaseModel):
    """A frozen model that refuses unknown keys, with the nearest known one, and does not turn one type into another."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        unknown = [str(key) for key in data if key not in cls.model_fields]
        if unknown:
            found = "; ".join(unknown_key(key, cls.model_fields) for key in unknown)
            raise PydanticCustomError("unknown_key", "{found}", {"found": found})
        return data


def unknown_key(key: str, known: Iterable[str], kind: str = "key") -> str:
    """`unknown key 'anwsers': did you mean 'answers'?`, or the known ones where none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(key.lower(), names, n=1, cutoff=0.6)
    if near:
        return f"unknown {kind} {key!r}: did you mean {near[0]!r}?"
    return f"unknown {kind} {key!r}: one of {', '.join(names)}"


def shown(value: object) -> str:
    """A value as an error quotes it: short, on one line."""
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes"
    text = repr(value)
    return text if len(text) <= _MOST_OF_A_VALUE else f"{text[: _MOST_OF_A_VALUE - 1]}…"


def faults(error: ValidationError) -> list[str]:
    """One sentence a fault: `KEY.PATH: what is wrong, with the value, and what to write`."""
    found: list[str] = []
    for detail in error.errors(include_url=False):
        where = key_path(detail["loc"])
        sentence = f"{where}: {_in_words(detail)}" if where else _in_words(detail)
        if sentence not in found:
            found.append(sentence)
    return found


def key_path(location: Iterable[int | str]) -> str:
    """`("models", 0, "endpoints", 1)` as `models[0].endpoints[1]`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _in_words(detail: ErrorDetails) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind in _SENTENCES:
        return f"{_SENTENCES[kind](context)}, not {shown(value)}{_type_hint(kind, value)}"
    if kind == "missing":
        return "is missing: add it"
    if kind in ("value_error", "unknown_key") or kind not in _KNOWN_BY_PYDANTIC:
        return detail["msg"].removeprefix("Value error, ")
    return f"{detail['msg']}, not {shown(value)}"


def _type_hint(kind: str, value: object) -> str:
    """What a reader most often meant."""
    if kind == "string_type" and isinstance(value, int | float) and not isinstance(value, bool):
        return f': write it in quotes, "{value}"'
    if kind in ("int_type", "float_type", "bool_type") and isinstance(value, str):
        return ": write it without quotes"
    if kind in ("list_type", "tuple_type") and isinstance(value, str):
        return f": write [{shown(value)}]"
    return ""


def _is(text: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda context: text.format_map(context)


_SENTENCES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "string_type": _is("must be text"),
    "string_unicode": _is("must be text that UTF-8 can hold"),
    "string_too_short": _is("must not be empty"),
    "bytes_too_short": _is("must not be empty"),
    "string_too_long": _is("must have at most {max_length} characters"),
    "int_type": _is("must be a whole number"),
    "int_from_float": _is("must be a whole number"),
    "float_type": _is("must be a number"),
    "finite_number": _is("must be a finite number"),
    "bool_type": _is("must be true or false"),
    "list_type": _is("must be a list"),
    "tuple_type": _is("must be a list"),
    "dict_type": _is("must be a table of keys and values"),
    "model_type": _is("must be a table of keys and values"),
    "model_attributes_type": _is("must be a table of keys and values"),
    "bytes_type": _is("must be bytes"),
    "enum": _is("must be one of {expected}"),
    "literal_error": _is("must be one of {expected}"),
    "greater_than": _is("must be more than {gt}"),
    "greater_than_equal": _is("must be at least {ge}"),
    "less_than": _is("must be less than {lt}"),
    "less_than_equal": _is("must be at most {le}"),
}
_KNOWN_BY_PYDANTIC = {"too_short", "too_long", "string_pattern_mismatch", "extra_forbidden", "frozen_instance"}
