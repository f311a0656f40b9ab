"""Kinds of value that several sections share: endpoints, paths relative to the file, one value or a list of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, PlainSerializer, ValidationInfo

from omnigap.vocabulary import CONDITIONS, Condition

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
Endpoints = Annotated[
    tuple[Endpoint, ...], BeforeValidator(as_list), Field(strict=False), AfterValidator(without_repeats)
]
