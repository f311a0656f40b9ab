"""Reads a service's options: from a file and texts of TOML, and as an object. Errors name each key and its source."""

from __future__ import annotations

import difflib
import json
import re
import time
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from omnigap.digest import sha256_hex
from omnigap.errors import OmnigapError
from omnigap.files import SETTINGS_BYTES, read_regular


class Options(BaseModel):
    """Base of a service's options: frozen, and undeclared keys are refused."""

    # pydantic reserves the prefix `model_` by default, which options of the triton service have.
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    def shown_without(self, names: Collection[str]) -> dict[str, str]:
        """All options except these, as a card shows them: text unchanged, everything else as JSON."""
        values = self.model_dump(mode="json", exclude=set(names))
        return {
            key: value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
            for key, value in values.items()
        }


class OptionsError(OmnigapError, ValueError):
    """Invalid options of a service; the message names each key."""


class LoadedFile:
    """A file that was read at the start, to see whether it still has that content."""

    def __init__(self, path: Path, data: bytes) -> None:
        self._path = path
        self._digest = sha256_hex(data)
        self._seen: tuple[int, ...] = ()
        self._found = ""

    def outdated(self) -> str:
        """What has happened to the file since it was read; empty if its content is the same. From any thread."""
        try:
            stat = self._path.stat()
            seen = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
            # A file that was changed a moment ago may change again within the same tick of the clock.
            settled = abs(time.time_ns() - stat.st_ctime_ns) > _TICK_NS
            if seen != self._seen or not settled:
                same = sha256_hex(read_regular(self._path, SETTINGS_BYTES)) == self._digest
                self._found = "" if same else f"{self._named} has changed since the start: {_AGAIN}"
                self._seen = seen
        except (OSError, ValueError) as error:
            self._seen = ()
            reason = error.strerror if isinstance(error, OSError) else error
            return f"{self._named} can't be read any more ({reason}): {_AGAIN}"
        return self._found

    @property
    def _named(self) -> str:
        return f"the options file {self._path} (--config)"


_AGAIN = "start the service again to use its current content"
_TICK_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """One TOML document with options.

    Attributes:
        title: what messages call it, such as `--config asr.toml`.
        file: that it was read from.
    """

    title: str
    options: Mapping[str, object]
    file: LoadedFile | None = None


@dataclass(frozen=True, slots=True)
class GivenOptions:
    """The options of all sources; the last source of a key wins, and a table is replaced as a whole."""

    sources: Sequence[Source]

    def outdated(self) -> str:
        """Why the options are not those of the sources any more; empty if they are."""
        return next((text for source in self.sources if source.file and (text := source.file.outdated())), "")

    @property
    def merged(self) -> dict[str, object]:
        return {key: value for source in self.sources for key, value in source.options.items()}

    def replaced_by(self, options: Mapping[str, object], title: str) -> GivenOptions:
        """Sources that merge to `options`; those with other values, or without a source here, get the title."""
        kept = [
            replace(one, options={key: one.options[key] for key in one.options if key in options})
            for one in self.sources
        ]
        merged = self.merged
        changed = {key: value for key, value in options.items() if key not in merged or merged[key] != value}
        return GivenOptions([*kept, Source(title, changed)])

    def origin(self, message: str) -> str:
        """Where the keys that a message names come from, for its end; all sources if it names none of them."""
        origins = {key: source.title for source in self.sources for key in source.options}
        named = [
            f"{key}: {title}"
            for key, title in origins.items()
            # With the word `option` before it, because messages list the known keys too.
            if re.search(rf"\boption '?{re.escape(key)}(?!\w)", message)
        ]
        return "; ".join(named or [source.title for source in self.sources]) or (
            "neither --config nor --options is given, so all options have their defaults"
        )


def from_file(path: Path) -> Source:
    """Raises OptionsError if the file cannot be read or is not TOML."""
    title = f"--config {path}"
    try:
        data = read_regular(path, SETTINGS_BYTES)
    except OSError as error:
        raise OptionsError(f"cannot read {title}: {error.strerror}") from error
    return Source(title, _parsed(title, data), LoadedFile(path, data))


def from_text(title: str, text: str) -> Source:
    """Raises OptionsError if the text is not TOML. An empty one, and one with comments only, has no options."""
    # Bytes of the command line that are not UTF-8 arrive as lone surrogates.
    return Source(title, _parsed(title, text.encode("utf-8", "surrogateescape")))


def _parsed(title: str, data: bytes) -> dict[str, object]:
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise OptionsError(f"{title} is not UTF-8: byte {error.start + 1} is invalid") from None
    except RecursionError:
        raise OptionsError(f"{title} is not valid TOML: it is nested too deeply") from None
    except ValueError as error:
        # Also an integer beyond the limit of digits.
        raise OptionsError(f"{title} is not valid TOML: {error}") from error


OptionsT = TypeVar("OptionsT", bound=Options)


def read_options(kind: type[OptionsT], service: str, options: Mapping[str, object]) -> OptionsT:
    """The options as an object.

    Raises:
        OptionsError: for unknown keys and invalid values; it lists all of them.
    """
    try:
        return kind.model_validate(dict(options))
    except ValidationError as error:
        known = ", ".join(kind.model_fields)
        # pydantic's own message names the class and an URL; users need the key and the value.
        faults = []
        for fault in error.errors():
            key = ".".join(str(part) for part in fault["loc"])
            if fault["type"] == "extra_forbidden":
                near = difflib.get_close_matches(key, list(kind.model_fields), n=1)
                hint = f", did you mean {near[0]!r}?" if near else ""
                faults.append(f"unknown option {key!r}{hint} (known: {known})")
            elif fault["type"] == "missing":
                faults.append(f"option {key!r} is missing: add it")
            else:
                faults.append(f"option {key!r} is {fault['input']!r}: {fault['msg']}")
        raise OptionsError(f"service {service}: {'; '.join(faults)}") from error
