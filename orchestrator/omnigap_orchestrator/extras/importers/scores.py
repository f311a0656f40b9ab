"""The score of one row: read from the columns of the benchmark, or computed by omnigap's own metrics."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache

from omnigap.vocabulary import AnswerType, Flag
from omnigap_orchestrator.config.items import ColumnConfig
from omnigap_orchestrator.items.columns import ColumnReader
from omnigap_orchestrator.items.item import Check, Item
from omnigap_orchestrator.presets.preset import PresetError, ResultsPreset, ScorerPreset, ScoreSource
from omnigap_orchestrator.scoring import JUDGE, score, scoring_presets
from omnigap_orchestrator.validation import names_shown


class RowScorer:
    """Scores the rows of one file."""

    def __init__(self, preset: ResultsPreset, reader: ColumnReader, file: str) -> None:
        """Raises PresetError for a file that has neither a column of scores nor answers to score."""
        self._reader, self._scorer, self._file = reader, preset.scorer, file
        self._sources = [source for source in preset.scores if reader.path_of(source.column)]
        self._columns = {
            name: ColumnConfig(first=(name,))
            for name in (
                *(source.column for source in self._sources),
                *(_columns_of(preset.scorer) if preset.scorer is not None else ()),
            )
        }
        answers = preset.scorer is not None and reader.path_of(preset.scorer.answer)
        if not self._sources and not answers:
            wanted = ", ".join(dict.fromkeys(source.column for source in preset.scores))
            raise PresetError(f"{file} has no column of scores ({wanted}); its columns are {names_shown(reader.names)}")

    def score(self, row: Mapping[str, object], task: str, item_id: str) -> tuple[float | None, tuple[str, ...]]:
        """Score and flags of a row; the score is None if it can't be parsed.

        Raises:
            PresetError: a score is outside of its scale, or the answers need a judge.
        """
        if self._sources:
            # In the order of the preset: a later column is a fallback for rows without the first one.
            for source in self._sources:
                (value,) = self._reader.values(self._columns[source.column], row)
                found = _score_of(source, value, self._file)
                if found is not None:
                    return 1 - found if source.complement else found, ()
            return None, ()
        assert self._scorer is not None
        return self._scored(self._scorer, row, task, item_id)

    def _scored(
        self, scorer: ScorerPreset, row: Mapping[str, object], task: str, item_id: str
    ) -> tuple[float | None, tuple[str, ...]]:
        preset = scoring_presets().get(scorer.name)
        metric = scorer.name if preset is None else preset.get(task)
        if metric is None:
            known = ", ".join(preset or ())
            raise PresetError(f"{self._file}: unknown subset {task!r}: rename the file to contain one of {known}")
        if metric == JUDGE:
            raise PresetError(
                f"{self._file}: {task} is rated by a judge, but the file has no ratings: run the benchmark's judge "
                "first"
            )
        # The question is not needed for the metrics of letters and checks, and result files rarely have it.
        item = Item(
            id=item_id,
            task=task,
            language="en",
            question="?",
            answers=tuple(_texts(self._value(row, scorer.gold))),
            answer_type=AnswerType.LETTER,
            choices=tuple(_texts(self._value(row, scorer.choices))) if scorer.choices else (),
            checks=self._checks(row, scorer),
        )
        scored = score(item, str(self._value(row, scorer.answer) or ""), metric)
        flags = [flag.value for flag in scored.flags if flag in (Flag.UNPARSABLE, Flag.REFUSED)]
        return scored.score, tuple(flags)

    def _value(self, row: Mapping[str, object], name: str | None) -> object:
        return self._reader.values(self._columns[name], row)[0] if name is not None else None

    def _checks(self, row: Mapping[str, object], scorer: ScorerPreset) -> tuple[Check, ...]:
        if not scorer.checks:
            return ()
        kinds, arguments = (self._value(row, name) for name in scorer.checks)
        if not isinstance(kinds, list) or not isinstance(arguments, list):
            return ()
        given = [{k: v for k, v in dict(one or {}).items() if v is not None} for one in arguments]
        return tuple(Check(k, json.dumps(a, sort_keys=True)) for k, a in zip(kinds, given, strict=True))


def _columns_of(scorer: ScorerPreset) -> tuple[str, ...]:
    named = (scorer.answer, scorer.gold, scorer.choices, *scorer.checks)
    return tuple(name for name in named if name is not None)


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list | tuple) else [] if value is None else [value]
    return [str(one) for one in values]


def _score_of(source: ScoreSource, value: object, file: str) -> float | None:
    """The score in [0, 1] of a value; several ratings are averaged, or decided by majority; None if there is none."""
    values = list(value) if isinstance(value, list | tuple) else [value]
    read = [_number(source, one, file) for one in values]
    found = [one for one in read if one is not None]
    if not found or len(found) < len(read):
        return None
    # Sorted, so that a tie gives the lower score, regardless of the order of the ratings.
    if source.values and len(found) > 1:
        return max(sorted(set(found)), key=found.count)
    return sum(found) / len(found)


def _number(source: ScoreSource, value: object, file: str) -> float | None:
    if value is None:
        return None
    # Before the pattern and the value table, which are for text.
    if isinstance(value, bool):
        return float(value)
    text: str = str(value).strip()
    if source.pattern is not None:
        match = _compiled(source.pattern).search(text)
        if match is None:
            return None
        text = match[match.lastindex or 0]
    if source.values:
        return source.values.get(text.strip().lower())
    try:
        number = float({"true": "1", "false": "0"}.get(text.lower(), text))
    except ValueError:
        return None
    if math.isnan(number):
        return None
    if not source.low <= number <= source.high:
        scale = f"{source.low:g} to {source.high:g}"
        raise PresetError(f"{file}: {source.column} is {number:g}, outside of its scale {scale}")
    return (number - source.low) / (source.high - source.low)


# Called once per row; re's own cache is shared with the whole process.
@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
