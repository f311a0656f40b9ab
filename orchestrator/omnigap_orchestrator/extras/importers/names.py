"""Condition, task and model that the name of a result file contains."""

from __future__ import annotations

import re
from pathlib import Path

from omnigap_orchestrator.extras.importers.files import ResultFile
from omnigap_orchestrator.items.columns import path_tail
from omnigap_orchestrator.results import TableError

FIELDS = ("condition", "task", "model")
_CONDITION = re.compile(r"(?<![A-Za-z0-9])([a-z]{1,3}2[a-z]{1,2})(?![A-Za-z0-9])")
"""A name such as t2t, s2i or av2t that stands alone: between `_`, `-`, `.`, `/` or at an end."""
_FIELD = re.compile(r"\{(\w+)\}")


class FileNames:
    """Reads names from the paths of files, with the pattern of --names or without one."""

    def __init__(self, pattern: str | None = None) -> None:
        """
        Args:
            pattern: as in `{model}/{task}_{condition}`, or a regular expression with groups of these names. It is
                matched against the end of the path without the extension. None: a condition such as t2t is looked
                for in the name of the file, and the rest of that name is the task.

        Raises:
            TableError: the pattern has none of the fields, or is not a valid expression.
        """
        self._text = pattern
        self._pattern = None if pattern is None else _compiled(pattern)

    @property
    def expression(self) -> str | None:
        """The pattern as a regular expression; None without a pattern."""
        return None if self._pattern is None else self._pattern.pattern

    def of(self, file: ResultFile) -> dict[str, str]:
        """The names by field; empty for a file that was given itself, and without a pattern.

        Raises:
            TableError: the path does not match the pattern.
        """
        if self._pattern is not None:
            tail = path_tail(str(file.path.absolute()))
            match = self._pattern.search(tail)
            if match is None:
                raise TableError(f"{file.path}: --names {self._text} does not match the end of the path, {tail}")
            return {name: value for name, value in match.groupdict().items() if value}
        return {} if file.root is None else _guessed(file.path, file.root)


def _compiled(pattern: str) -> re.Pattern[str]:
    if "(?P<" in pattern:
        expression = pattern
    else:
        unknown = [name for name in _FIELD.findall(pattern) if name not in FIELDS]
        if unknown:
            raise TableError(
                f"--names {pattern}: unknown field {{{unknown[0]}}}: use {{condition}}, {{task}}, {{model}}"
            )
        parts = _FIELD.split(pattern)
        # Odd parts are the names of fields; `*` matches any text inside one part of the path.
        texts = [
            f"(?P<{part}>[^/]+?)" if number % 2 else re.escape(part).replace(r"\*", "[^/]*?")
            for number, part in enumerate(parts)
        ]
        expression = f"(?:^|/){''.join(texts)}$"
    try:
        found = re.compile(expression)
    except re.error as error:
        raise TableError(f"--names {pattern}: not a valid pattern: {error}") from None
    if not set(found.groupindex) & set(FIELDS):
        raise TableError(f"--names {pattern}: it has none of {{condition}}, {{task}}, {{model}}")
    return found


def _guessed(path: Path, root: Path) -> dict[str, str]:
    """The condition in the path below the folder; the rest of that path is the task."""
    below = path.relative_to(root).with_suffix("").as_posix()
    matches = list(_CONDITION.finditer(below))
    if len({match[1] for match in matches}) != 1:
        return {}
    condition = matches[-1][1]
    rest = re.sub(r"[/_.\-\s]{2,}", "/", _CONDITION.sub("", below)).strip("/_.- ")
    return {"condition": condition, **({"task": rest} if rest else {})}
