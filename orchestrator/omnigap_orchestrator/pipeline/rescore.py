"""Rescores stored answers after the scoring rules changed, without calling a service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

from omnigap_orchestrator.journal import AnswerRow, Records, ScoreRow, TranscriptRow
from omnigap_orchestrator.pipeline.cells import PlannedCell, PlannedCells
from omnigap_orchestrator.pipeline.context import Observer
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.pipeline.judge import stored_verdict
from omnigap_orchestrator.pipeline.pipeline import OpenCell
from omnigap_orchestrator.pipeline.results import ResultsTable
from omnigap_orchestrator.pipeline.score import key_of, score_cell, scoring_version, texts_of

SCORED_BY = "scored_by"
"""Key in the journal for the version of the rules that scored all of its answers."""


def rescore(
    folder: RunFolder, cells: PlannedCells, records: Records, observer: Observer, *, locked: bool = False
) -> None:
    """Rescores all stored answers if another version of the rules scored them.

    Args:
        locked: whether the caller holds the run's lock.

    Raises:
        FolderError: another process uses the run.
        JournalError: the disk is full.
    """
    # The rules are part of the key of a score. Without rescoring, answered cells would be reported as pending.
    if records.journal.meta(SCORED_BY) == scoring_version():
        return
    observer.note("rescoring the stored answers with the rules of this version")
    with nullcontext() if locked else folder.locked():
        # The version is written last: an interrupted rescoring starts again.
        records.save_all(list(_scores(folder, cells, records)))
        records.journal.set_meta(SCORED_BY, scoring_version())


def _scores(folder: RunFolder, cells: PlannedCells, records: Records) -> Iterator[ScoreRow]:
    for planned, answer, transcript in ResultsTable(folder.name, cells, records).unfinished():
        if answer is None or OpenCell(planned, answer, transcript).needs_transcript:
            continue
        verdicts = None
        if planned.is_judged:
            # A judged cell without stored verdicts stays pending: rescoring never calls the judge.
            verdicts = _stored_scores(cells, planned, answer, transcript, records)
            if verdicts is None:
                continue
        yield score_cell(key_of(planned, answer, transcript), planned, answer, transcript, verdicts)


def _stored_scores(
    cells: PlannedCells, planned: PlannedCell, answer: AnswerRow, transcript: TranscriptRow | None, records: Records
) -> tuple[float, float | None] | None:
    """The judge's scores of both texts from stored verdicts; None if one is missing."""
    if cells.setup is None:
        return None
    used, own = texts_of(planned, answer, transcript)
    scores = [_stored_score(cells, planned, text, records) for text in (used, own)]
    if scores[0] is None or (own is not None and scores[1] is None):
        return None
    return scores[0], scores[1]


def _stored_score(cells: PlannedCells, planned: PlannedCell, text: str | None, records: Records) -> float | None:
    if text is not None and not text.strip():
        return 0.0
    verdict = stored_verdict(cells, planned, text, records.verdicts)
    return None if verdict is None else verdict.score
