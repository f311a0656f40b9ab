"""Validation of user input: field types, strict pydantic models, and error messages that name the key and the fix."""

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
    """Bytes are not UTF-8; the message names line and byte (both from 1) and the value."""


def decode_utf8(data: bytes) -> str:
    """Decodes UTF-8 and removes a leading byte-order mark.

    Raises:
        NotUtf8Error: the bytes are not UTF-8.
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


_MAX_SHOWN = 60


def beyond_limits(error: ValueError | RecursionError) -> str:
    """Why a text is not valid TOML or JSON; in our words if it exceeds a limit of Python."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    # `int` has a limit of digits, and its message names a function of Python as the remedy.
    return "it has a number with thousands of digits" if "integer string conversion" in str(error) else str(error)


class StrictModel(BaseModel):
    """A frozen model without type coercion that refuses unknown keys and suggests the nearest known one."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        # Runs before pydantic's own check, whose message does not suggest the nearest key.
        unknown = [str(key) for key in data if key not in cls.model_fields]
        if unknown:
            found = "; ".join(unknown_key(key, cls.model_fields) for key in unknown)
            raise PydanticCustomError("unknown_key", "{found}", {"found": found})
        return data


def unknown_key(key: str, known: Iterable[str], kind: str = "key") -> str:
    """Message such as `unknown key 'anwsers': did you mean 'answers'?`, or with all known keys if none is similar."""
    names = sorted(known)
    found = shown(key)
    near = difflib.get_close_matches(key.lower(), names, n=1, cutoff=0.6)
    if near:
        return f"unknown {kind} {found}: did you mean {near[0]!r}?"
    return f"unknown {kind} {found}: one of {names_shown(names)}"


# What a column or key may be called in a message. A line of a file that is not a table does not look like that.
_PLAIN_NAME = re.compile(r"[\w .()\[\]/%#?&-]{1,40}")
_MAX_NAMES = 50


def names_shown(names: Iterable[str]) -> str:
    """Columns or keys of a file as listed in a message; those that do not look like names are only counted.

    A user or an item may name a file that is not a table, such as a password file, and its lines are not for a message.
    """
    every = list(names)
    plain = [name for name in every if _PLAIN_NAME.fullmatch(name)][:_MAX_NAMES]
    rest = len(every) - len(plain)
    return ", ".join(
        [*plain, *([f"{rest} more"] if plain and rest else [f"{rest} without a plain name"] if rest else [])]
    )


def table_fault(error: BaseException) -> str:
    """The first line of an error of polars, without the values of the file that it quotes."""
    text = re.sub(r"`.*`", "a value", str(error).strip(), flags=re.DOTALL).split("\n")[0]
    return text or type(error).__name__


def shown(value: object) -> str:
    """A value as quoted in an error: short, on one line."""
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes"
    try:
        text = repr(value)
    except ValueError:
        # A hexadecimal integer of TOML may have more digits than Python writes in decimal.
        return "a number with thousands of digits"
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"


def faults(error: ValidationError) -> list[str]:
    """One sentence per fault: `KEY.PATH: problem, value and fix`."""
    found: list[str] = []
    for detail in error.errors(include_url=False):
        where = key_path(detail["loc"])
        sentence = f"{where}: {_in_words(detail)}" if where else _in_words(detail)
        # A union reports the same fault once per member.
        if sentence not in found:
            found.append(sentence)
    return found


def key_path(location: Iterable[int | str]) -> str:
    """Formats `("models", 0, "endpoints", 1)` as `models[0].endpoints[1]`."""
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
    """The most likely fix of a wrong type."""
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
"""Key of the validation context: base folder of relative paths."""

_ENDPOINT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?):(?P<port>[0-9]{1,5})")
_LANGUAGE = re.compile(
    r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?(-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_endpoint(text: str) -> str:
    """Checks and returns an endpoint.

    Raises:
        ValueError: the text is not `host:port` or `[ipv6]:port`.
    """
    hint = 'write "host:port", as in "127.0.0.1:50051"'
    if "://" in text:
        raise ValueError(f"{text!r} is a URL: {hint}, without the scheme")
    match = _ENDPOINT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an endpoint: {hint}")
    if not 1 <= int(match["port"]) <= 65_535:
        raise ValueError(f"{text!r} has port {match['port']}: ports are 1 to 65535")
    return text


def check_language(tag: str) -> str:
    """Checks and returns a BCP-47 tag with language, script, region and variants.

    Raises:
        ValueError: the text does not have this form.
    """
    if _LANGUAGE.fullmatch(tag):
        return tag
    if _LANGUAGE.fullmatch(tag.replace("_", "-")):
        raise ValueError(f"{tag!r} is not a BCP-47 tag: write {tag.replace('_', '-')!r}")
    raise ValueError(f"{tag!r} is not a BCP-47 tag: write one like 'en', 'ko' or 'pt-BR'")


def check_name(name: str) -> str:
    """Checks and returns a name that is safe in file names and on the command line.

    Raises:
        ValueError: the name has other characters, or is too long.
    """
    if _NAME.fullmatch(name) is None:
        raise ValueError(
            f"{name!r} is not a valid name: write 1 to 64 letters, digits, dots, hyphens or underscores, "
            "a letter or digit first"
        )
    return name


def check_visible(text: str) -> str:
    """Checks and returns a text with visible content.

    Raises:
        ValueError: the text is blank, or contains control characters other than tab and line feed, or a lone surrogate.
    """
    if not text.strip():
        raise ValueError(f"is {text!r}, which is blank: write some text")
    # JSON can contain half of a surrogate pair ("\ud800"), which neither gRPC nor SQLite can encode.
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"contains half of a surrogate pair, U+{ord(text[error.start]):04X}: write it again") from None
    for character in text:
        if character < " " and character not in "\n\t":
            raise ValueError(f"contains the control character U+{ord(character):04X}: remove it")
    return text


def as_list(value: object) -> object:
    """Wraps a single value in a list, so that `size = 28` and `size = [28, 36]` are both valid."""
    return list(value) if isinstance(value, list | tuple) else [value]


def without_repeats(values: tuple[_Value, ...]) -> tuple[_Value, ...]:
    """Checks and returns values without duplicates.

    Raises:
        ValueError: a value occurs twice.
    """
    for index, value in enumerate(values):
        if value in values[:index]:
            raise ValueError(f"{value!r} occurs twice: remove one")
    return values


def utf8_path(path: Path) -> Path:
    """Checks and returns a path that UTF-8 can hold, so that it can be stored and shown.

    Raises:
        ValueError: the path has undecodable bytes, or the locale can't decode it.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"{str(path)!r} has bytes that are not UTF-8 in this locale: rename it, or set LC_ALL=C.UTF-8"
        ) from None
    return path


def resolve(path: Path, info: ValidationInfo) -> Path:
    """Resolves a path relative to the configuration file's folder, and expands `~`."""
    folder = (info.context or {}).get(FOLDER, Path())
    try:
        return utf8_path(Path(folder) / path.expanduser())
    except RuntimeError as error:
        raise ValueError(f"{str(path)!r} can't be resolved: {error}") from None


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
