"""Rubrics: the prompt of the judge, the scale of its verdicts, and their mapping to scores in [0, 1]."""

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
from omnigap.files import SETTINGS_BYTES, read_regular
from omnigap_orchestrator.validation import NotUtf8Error, StrictModel, beyond_limits, decode_utf8, faults

SHIPPED = ("helpful", "graded", "agrees")
"""Names of the rubrics that come with omnigap."""

SUFFIXES = (".toml", ".txt", ".md")

# Placeholder names in common judge prompts, mapped to the three texts.
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
    """A rubric is invalid; the message names the file and the fix."""


@dataclass(frozen=True, slots=True)
class Rubric:
    """A rubric of the judge.

    Attributes:
        prompt: template with `{question}`, `{answer}` and, if answers are compared with gold answers, `{reference}`.
        low, high: ends of a numeric scale, mapped linearly to 0 and 1.
        labels: label in lower case -> score, instead of a numeric scale; None for a scale.
        source: the text of the rubric file, which is stored in the run folder.
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
        """Digest of everything that affects a verdict: prompts, scale and labels."""
        labels = sorted((self.labels or {}).items())
        return digest_of([self.system, self.prompt, self.low, self.high, labels])

    @property
    def scale(self) -> str:
        """The scale as text: `1 to 5`, or `no or yes`."""
        if self.labels:
            return " or ".join(sorted(self.labels, key=lambda label: (self.labels or {})[label]))
        return f"{self.low:g} to {self.high:g}"

    def render(self, question: str, answer: str, reference: str) -> str:
        """Fills in the prompt of one answer."""
        # One pass of `re.sub`: placeholders inside the texts, such as an answer with "{question}", are not expanded.
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
            raise ValueError("prompt: {answer} is missing: the judge would not see the answer")
        if not self.labels and not self.low < self.high:
            raise ValueError(f"low is {self.low:g} and high {self.high:g}: high must be above low")
        for label, score in self.labels.items():
            if not 0 <= score <= 1:
                raise ValueError(f"labels.{label}: {score:g} is outside [0, 1]")
            if re.fullmatch(r"\w+", label) is None:
                raise ValueError(f"labels.{label}: write a single word, such as yes or no")
        return self


def rubric_of(name: str, source: str, kind: str) -> Rubric:
    """Parses a rubric.

    Args:
        kind: file extension: `.toml` for a table of all parts, anything else for a prompt with a scale of 1 to 5.

    Raises:
        RubricError: the rubric is invalid; it lists every fault.
    """
    try:
        read = _RubricFile.model_validate(tomllib.loads(source) if kind == ".toml" else {"prompt": source.strip()})
    except ValidationError as error:
        raise RubricError("\n".join(f"rubric {name}: {fault}" for fault in faults(error))) from None
    except (ValueError, RecursionError) as error:
        raise RubricError(f"rubric {name}: invalid TOML: {beyond_limits(error)}") from None
    labels = {label.lower(): score for label, score in read.labels.items()} or None
    return Rubric(name, read.system.strip(), read.prompt.strip(), read.low, read.high, labels, source)


def read_rubric(name: str) -> Rubric:
    """Reads a shipped rubric by name, or a rubric file by path.

    Raises:
        RubricError: the file can't be read, or the rubric is invalid.
    """
    if name in SHIPPED:
        text = files(__package__).joinpath("rubrics", f"{name}.toml").read_text(encoding="utf-8")
        return rubric_of(name, text, ".toml")
    path = Path(name)
    try:
        text = decode_utf8(read_regular(path, SETTINGS_BYTES))
    except OSError as error:
        raise RubricError(f"rubric {path} can't be read ({error.strerror}): fix the key under [judge]") from None
    except NotUtf8Error as error:
        raise RubricError(f"rubric {path}: {error}") from None
    return rubric_of(path.stem, text, path.suffix.lower())
