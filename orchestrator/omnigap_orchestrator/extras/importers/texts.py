"""Scores rows that have the text of an answer and the gold answer, but no score."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.results import TableError
from omnigap_orchestrator.scoring import score

ANSWER, GOLD, TYPE = "answer_used", "answers", "answer_type"


def can_be_scored(frame: pl.DataFrame) -> bool:
    """Whether the rows have an answer and a gold answer."""
    return {ANSWER, GOLD} <= set(frame.columns)


def with_scores(path: Path, frame: pl.DataFrame, answer_type: str | None) -> pl.DataFrame:
    """Adds `score`, `normalised_answer` and `flags` by the scorer of omnigap; a null answer has no score.

    Args:
        frame: with answer_used and answers, and answer_type unless it is given; question, choices and language are
            used if they exist. answers and choices are texts, lists, or lists that were written as JSON.

    Raises:
        TableError: the answer type is missing or unknown, or a row has no gold answer.
    """
    if answer_type is not None:
        frame = frame.with_columns(pl.lit(answer_type).alias(TYPE))
    known = ", ".join(AnswerType)
    if TYPE not in frame.columns:
        raise TableError(f"{path} has answers but no scores: say how they are read with --answer-type, one of {known}")
    scores: list[float | None] = []
    forms: list[str | None] = []
    flags: list[list[str]] = []
    names = [ANSWER, GOLD, TYPE, *(name for name in ("question", "choices", "language") if name in frame.columns)]
    for number, row in enumerate(frame.select(names).iter_rows(named=True), start=1):
        if row[ANSWER] is None:
            scores.append(None)
            forms.append(None)
            flags.append([])
            continue
        try:
            kind = AnswerType(str(row[TYPE]))
        except ValueError:
            raise TableError(f"{path}: row {number}: unknown answer_type {row[TYPE]!r}: use one of {known}") from None
        answers = _texts(row[GOLD])
        if not answers:
            raise TableError(f"{path}: row {number}: no gold answer in {GOLD}: fill it, or map another column")
        item = Item(
            id=str(number),
            task="all",
            language=str(row.get("language") or "en"),
            question=str(row.get("question") or "?"),
            answers=answers,
            answer_type=kind,
            choices=_texts(row.get("choices")),
        )
        scored = score(item, str(row[ANSWER]))
        scores.append(scored.score)
        forms.append(scored.comparable)
        flags.append([flag.value for flag in scored.flags])
    made = {
        "score": pl.Series(scores, dtype=pl.Float64),
        "normalised_answer": pl.Series(forms, dtype=pl.String),
        "flags": pl.Series(flags, dtype=pl.List(pl.String)),
    }
    return frame.drop(GOLD).with_columns(**made)


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            read = json.loads(value)
        except ValueError:
            return (value,)
        value = read if isinstance(read, list) else value
    many: Iterable[object] = value if isinstance(value, list | tuple) else (value,)
    return tuple(str(one) for one in many if one is not None and str(one).strip())
