"""Scores stored answers again where they were scored by other rules than this version's; no service is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

from omnigap_orchestrator.journal import AnswerRow, Records, ScoreRow, TranscriptRow
from omnigap_orchestrator.pipeline.cells import PlannedCell, PlannedCells
from omnigap_orchestrator.pipeline.context import Observer
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.pipeline.judge import kept_verdict
from omnigap_orchestrator.pipeline.pipeline import OpenCell
from omnigap_orchestrator.pipeline.results import ResultsTable
from omnigap_orchestrator.pipeline.score import key_of, score_cell, scoring_version, texts_of

SCORED_BY = "scored_by"
"""The journal's note of the rules that scored all that it holds."""


def rescore(
    folder: RunFolder, cells: PlannedCells, records: Records, observer: Observer, *, locked: bool = False
) -> None:
    """Scores all stored answers by the rules of this version, where others scored them.

    Without it the files would call answered cells pending: a score only counts under the rules that made it.

    Args:
        locked: whether the caller holds the run's lock.

    Raises:
        FolderError: where another process uses the run.
        JournalError: where the disk is full.
    """
    if records.journal.meta(SCORED_BY) == scoring_version():
        return
    observer.note("the stored answers are scored by the rules of this version first")
    with nullcontext() if locked else folder.locked():
        records.save_all(list(_scores(folder, cells, records)))
        records.journal.set_meta(SCORED_BY, scoring_version())


def _scores(folder: RunFolder, cells: PlannedCells, records: Records) -> Iterator[ScoreRow]:
    for planned, answer, transcript in ResultsTable(folder.name, cells, records).unfinished():
        if answer is None or OpenCell(planned, answer, transcript).needs_transcript:
            continue
        verdicts = None
        if planned.is_judged:
            verdicts = _kept_scores(cells, planned, answer, transcript, records)
            if verdicts is None:
                continue
        yield score_cell(key_of(planned, answer, transcript), planned, answer, transcript, verdicts)


def _kept_scores(
    cells: PlannedCells, planned: PlannedCell, answer: AnswerRow, transcript: TranscriptRow | None, records: Records
) -> tuple[float, float | None] | None:
    """The judge's scores of both texts by the verdicts that are kept; None where one of them is not."""
    if cells.setup is None:
        return None
    used, own = texts_of(planned, answer, transcript)
    scores = [_kept_score(cells, planned, text, records) for text in (used, own)]
    if scores[0] is None or (own is not None and scores[1] is None):
        return None
    return scores[0], scores[1]


def _kept_score(cells: PlannedCells, planned: PlannedCell, text: str | None, records: Records) -> float | None:
    if text is not None and not text.strip():
        return 0.0
    verdict = kept_verdict(cells, planned, text, records.verdicts)
    return None if verdict is None else verdict.score
