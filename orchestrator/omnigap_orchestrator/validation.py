"""Validation of what a person writes: kinds of field, strict models, and errors that name the key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from omnigap.errors import OmnigapError
from omnigap.vocabulary import CONDITIONS, Condition


class NotUtf8Error(OmnigapError, ValueError):
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


_MOST_OF_A_VALUE = 60


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


_Value = TypeVar("_Value")

FOLDER = "folder"
"""Key of the validation context: the folder that relative paths start from."""

_ENDPOINT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?):(?P<port>[0-9]{1,5})")
_LANGUAGE = re.compile(
    r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?(-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_endpoint(text: str) -> str:
    """The endpoint itself.

    Raises:
        ValueError: for anything but `host:port` or `[ipv6]:port`.
    """
    hint = 'write "host:port", as in "127.0.0.1:50051"'
    if "://" in text:
        raise ValueError(f"{text!r} is a URL: {hint}, without the scheme")
    match = _ENDPOINT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no endpoint: {hint}")
    if not 1 <= int(match["port"]) <= 65_535:
        raise ValueError(f"{text!r} has port {match['port']}: ports are 1 to 65535")
    return text


def check_language(tag: str) -> str:
    """The tag itself, where it has the form of a BCP-47 tag: language, script, region, variants.

    Raises:
        ValueError: for anything else.
    """
    if _LANGUAGE.fullmatch(tag):
        return tag
    if _LANGUAGE.fullmatch(tag.replace("_", "-")):
        raise ValueError(f"{tag!r} is no BCP-47 tag: write {tag.replace('_', '-')!r}")
    raise ValueError(f"{tag!r} is no BCP-47 tag: write one like 'en', 'ko' or 'pt-BR'")


def check_name(name: str) -> str:
    """The name itself, where it can stand in a file name and on the command line.

    Raises:
        ValueError: for anything else.
    """
    if _NAME.fullmatch(name) is None:
        raise ValueError(
            f"{name!r} is no name: write 1 to 64 letters, digits, dots, hyphens or underscores, a letter or digit first"
        )
    return name


def check_visible(text: str) -> str:
    """The text itself.

    Raises:
        ValueError: for text without anything to read, and for control characters other than tab and line feed.
    """
    if not text.strip():
        raise ValueError(f"is {text!r}, which holds nothing: write some text")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"holds half of a surrogate pair, U+{ord(text[error.start]):04X}: write it again") from None
    for character in text:
        if character < " " and character not in "\n\t":
            raise ValueError(f"holds the control character U+{ord(character):04X}: take it out")
    return text


def as_list(value: object) -> object:
    """A single value as a list of one, so that `size = 28` and `size = [28, 36]` read alike."""
    return list(value) if isinstance(value, list | tuple) else [value]


def without_repeats(values: tuple[_Value, ...]) -> tuple[_Value, ...]:
    """The values themselves.

    Raises:
        ValueError: where one stands twice.
    """
    for index, value in enumerate(values):
        if value in values[:index]:
            raise ValueError(f"{value!r} stands twice: take one out")
    return values


def resolve(path: Path, info: ValidationInfo) -> Path:
    """The path as seen from the configuration file's folder; `~` is the user's home."""
    folder = (info.context or {}).get(FOLDER, Path())
    return Path(folder) / path.expanduser()


def _condition(value: object) -> object:
    return Condition.parse(value) if isinstance(value, str) else value


def _path(value: object) -> object:
    return Path(value) if isinstance(value, str) and value else value


Endpoint = Annotated[str, AfterValidator(check_endpoint)]
Name = Annotated[str, AfterValidator(check_name)]
Language = Annotated[str, AfterValidator(check_language)]
Text = Annotated[str, AfterValidator(check_visible)]
FilePath = Annotated[InstanceOf[Path], BeforeValidator(_path), AfterValidator(resolve), PlainSerializer(str)]
Conditions = Annotated[
    tuple[Annotated[InstanceOf[Condition], BeforeValidator(_condition), PlainSerializer(str)], ...],
    Field(strict=False, min_length=1),
    AfterValidator(without_repeats),
]
ALL_CONDITIONS = CONDITIONS
EndpointList = Annotated[
    tuple[Endpoint, ...], BeforeValidator(as_list), Field(strict=False), AfterValidator(without_repeats)
]
