"""Scores answer texts outside a run: the public function behind `omnigap-orchestrate score-text`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from omnigap.errors import OmnigapError
from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.items.item import Item, without_letters
from omnigap_orchestrator.scoring.score import default_metric, known_metrics, lacks, score
from omnigap_orchestrator.validation import beyond_limits, faults

_MAX_CHOICES = 26


class TextsError(OmnigapError):
    """Rows that cannot be scored; the message names each line, the key and the fix."""


class TextRow(BaseModel):
    """One answer text with what its score depends on. Other keys of a row are ignored.

    Attributes:
        text: the raw answer of the model; null counts as empty.
        answers: the gold answer and its aliases; for letters the letter, or the text of a choice.
        question: helps to read numbers, dates and alternatives, so leave it out only if there is none.
        language: BCP-47 tag.
        metric: default: the metric of the answer type.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, hide_input_in_errors=True)

    text: str
    answers: tuple[str, ...]
    answer_type: AnswerType
    question: str = ""
    choices: tuple[str, ...] = Field(default=(), max_length=_MAX_CHOICES)
    language: str = "en"
    metric: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_json(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        row = {key: value for key, value in data.items() if value is not None or key in ("answers", "answer_type")}
        row.setdefault("text", "")
        if "text" not in data:
            del row["text"]
        for key in ("answers", "choices"):
            value = row.get(key)
            if isinstance(value, str | int | float) and not isinstance(value, bool):
                value = [value]
            if isinstance(value, list):
                # Numbers as gold answers are common in JSON, and their text is what an answer is compared with.
                row[key] = tuple(
                    str(entry) if isinstance(entry, int | float) and not isinstance(entry, bool) else entry
                    for entry in value
                )
        return row

    @field_validator("answer_type", mode="before")
    @classmethod
    def _is_type(cls, value: object) -> AnswerType:
        if isinstance(value, str) and value in set(AnswerType):
            return AnswerType(value)
        raise ValueError(f"unknown answer type {value!r}: one of {', '.join(AnswerType)}")

    @field_validator("metric")
    @classmethod
    def _is_known(cls, metric: str | None) -> str | None:
        if metric is not None and metric not in known_metrics():
            raise ValueError(f"unknown metric {metric!r}: one of {', '.join(known_metrics())}")
        return metric

    def item(self, name: str) -> Item:
        is_letter = self.answer_type is AnswerType.LETTER
        choices = without_letters(self.choices) if is_letter else self.choices
        # A gold answer may be the text of a choice, with its letter.
        texts = dict(zip(self.choices, choices, strict=True))
        answers = tuple(texts.get(answer, answer) for answer in self.answers)
        return Item(name, "text", self.language, self.question, answers, self.answer_type, choices)


@dataclass(frozen=True, slots=True)
class ScoredText:
    """The outcome of one text.

    Attributes:
        score: in [0, 1].
        parsed: the letter, number, date, label or gold answer that was read; None if none was.
        step: the step of reading that decided, or "unparsable"; "metric" for metrics that compare the whole text.
        flags: `refused`, `unparsable`, `hedged`, `negated`.
    """

    score: float
    parsed: str | None
    step: str
    flags: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {"score": self.score, "parsed": self.parsed, "step": self.step, "flags": list(self.flags)}


def score_text(row: Mapping[str, Any], name: str = "text") -> ScoredText:
    """Scores one text by the rules of a run.

    Args:
        row: the keys of `TextRow`.

    Raises:
        TextsError: the row lacks a key, or a key has a wrong value.
    """
    try:
        read = TextRow.model_validate(dict(row))
    except ValidationError as error:
        raise TextsError("\n".join(f"{name}: {fault}" for fault in faults(error))) from None
    item = read.item(name)
    metric = read.metric or default_metric(item)
    if not read.answers and known_metrics()[metric].needs_gold:
        raise TextsError(f"{name}: answers: the metric {metric!r} needs a gold answer")
    if missing := lacks(item, metric):
        raise TextsError(f"{name}: the metric {metric!r} can't score it: it {missing}")
    found = score(item, read.text, metric)
    return ScoredText(found.score, found.parsed, found.step or "metric", tuple(flag.value for flag in found.flags))


def score_texts(lines: Iterable[str], source: str = "line") -> list[tuple[dict[str, Any], ScoredText]]:
    """Scores JSON Lines; blank lines are skipped. Returns each row with its outcome, in the order of the lines.

    Raises:
        TextsError: it lists every faulty line.
    """
    scored: list[tuple[dict[str, Any], ScoredText]] = []
    found: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise TextsError(f"{source} {number}: write an object with text, answers and answer_type")
            scored.append((row, score_text(row, f"{source} {number}")))
        except TextsError as error:
            found.append(str(error))
        except (ValueError, RecursionError) as error:
            found.append(f"{source} {number}: invalid JSON: {beyond_limits(error)}")
    if found:
        shown = found[:_MAX_SHOWN]
        raise TextsError(
            "\n".join([*shown, *([f"and {len(found) - len(shown)} more"] if len(found) > len(shown) else [])])
        )
    return scored


_MAX_SHOWN = 20
