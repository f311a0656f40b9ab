"""The shipped facts: reading and checking the JSON Lines file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Fact:
    """A sentence, and the short answer that it gives to questions about it."""

    text: str
    answer: str


def read_facts(path: Path) -> tuple[Fact, ...]:
    """The facts of a file, in its order.

    Raises:
        ValueError: naming file, line and what is wrong, or where the file holds no facts.
        OSError: where the file cannot be read.
    """
    facts = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}, line {number}: no JSON ({error.msg})") from error
        if not isinstance(row, dict) or set(row) != {"text", "answer"}:
            raise ValueError(f"{path}, line {number}: a fact has the keys text and answer, and no others")
        if not all(isinstance(value, str) and value.strip() for value in row.values()):
            raise ValueError(f"{path}, line {number}: text and answer must be non-empty strings")
        facts.append(Fact(row["text"], row["answer"]))
    if not facts:
        raise ValueError(f"{path} holds no facts: write at least one line, or leave the option knowledge unset")
    return tuple(facts)
