"""A rubric: what a judge is told, the scale of its verdicts, and how they become scores in [0, 1]."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, model_validator

from omnigap.digest import digest_of
from omnigap.errors import OmnigapError
from omnigap_orchestrator.validation import NotUtf8Error, StrictModel, decode_utf8, faults

SHIPPED = ("helpful", "graded", "agrees")
"""Rubrics that come with omnigap, by name."""
SUFFIXES = (".toml", ".txt", ".md")

# Names that other people's prompts use for the same three things.
_FIELDS = {
    "question": "question",
    "prompt": "question",
    "instruction": "question",
    "answer": "answer",
    "response": "answer",
    "prediction": "answer",
    "reference": "reference",
}
_FIELD = re.compile(r"\{(" + "|".join(_FIELDS) + r")\}")


class RubricError(OmnigapError):
    """A rubric cannot be used; the message names the file and how to fix it."""


@dataclass(frozen=True, slots=True)
class Rubric:
    """One way to judge.

    Attributes:
        prompt: with `{question}`, `{answer}` and, where there is one to compare with, `{reference}`.
        low, high: the ends of a scale of numbers, mapped linearly to 0 and 1.
        labels: words instead of numbers, lower case, each with its score; empty for a scale.
        source: the text that it was read from, kept so that a run's folder holds it.
    """

    name: str
    system: str
    prompt: str
    low: float = 1.0
    high: float = 5.0
    labels: Mapping[str, float] | None = None
    source: str = ""

    @property
    def digest(self) -> str:
        """Over all that a judge is told and all that its words mean."""
        labels = sorted((self.labels or {}).items())
        return digest_of([self.system, self.prompt, self.low, self.high, labels])

    @property
    def scale(self) -> str:
        """The scale in words: `1 to 5`, or `no or yes`."""
        if self.labels:
            return " or ".join(sorted(self.labels, key=lambda label: (self.labels or {})[label]))
        return f"{self.low:g} to {self.high:g}"

    def asked(self, question: str, answer: str, reference: str) -> str:
        """The prompt of one answer. What stands in the texts is not looked at again: braces there stay braces."""
        texts = {"question": question, "answer": answer, "reference": reference}
        return _FIELD.sub(lambda match: texts[_FIELDS[match[1]]], self.prompt)


class _RubricFile(StrictModel):
    system: str = ""
    prompt: str = Field(min_length=1)
    low: float = 1.0
    high: float = 5.0
    labels: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _can_judge(self) -> Self:
        if "answer" not in {_FIELDS[name] for name in _FIELD.findall(self.prompt)}:
            raise ValueError("prompt: has no {answer}: the judge would not see what it judges")
        if not self.labels and not self.low < self.high:
            raise ValueError(f"low is {self.low:g} and high {self.high:g}: high must be above low")
        for label, score in self.labels.items():
            if not 0 <= score <= 1:
                raise ValueError(f"labels.{label}: {score:g} lies outside [0, 1]")
            if re.fullmatch(r"\w+", label) is None:
                raise ValueError(f"labels.{label}: is no single word, as yes and no are")
        return self


def rubric_of(name: str, source: str, kind: str) -> Rubric:
    """A rubric from its text.

    Args:
        kind: `.toml`: tables of its parts; anything else: the prompt alone, on a scale of 1 to 5.

    Raises:
        RubricError: with every fault.
    """
    try:
        read = _RubricFile.model_validate(tomllib.loads(source) if kind == ".toml" else {"prompt": source.strip()})
    except tomllib.TOMLDecodeError as error:
        raise RubricError(f"rubric {name}: is no TOML: {error}") from None
    except ValidationError as error:
        raise RubricError("\n".join(f"rubric {name}: {fault}" for fault in faults(error))) from None
    labels = {label.lower(): score for label, score in read.labels.items()} or None
    return Rubric(name, read.system.strip(), read.prompt.strip(), read.low, read.high, labels, source)


def read_rubric(name: str) -> Rubric:
    """A shipped rubric by its name, or one from a file.

    Raises:
        RubricError: for a file that can't be read or is no rubric.
    """
    if name in SHIPPED:
        text = files(__package__).joinpath("rubrics", f"{name}.toml").read_text(encoding="utf-8")
        return rubric_of(name, text, ".toml")
    path = Path(name)
    try:
        text = decode_utf8(path.read_bytes())
    except OSError as error:
        raise RubricError(f"rubric {path} can't be read ({error.strerror}): mend the key under [judge]") from None
    except NotUtf8Error as error:
        raise RubricError(f"rubric {path}: {error}") from None
    return rubric_of(path.stem, text, path.suffix.lower())
