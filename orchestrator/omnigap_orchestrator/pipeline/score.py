"""The score stage: pure functions over stored texts, their results kept under the hash of what they depend on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from functools import lru_cache

from omnigap.digest import digest_of
from omnigap.vocabulary import FinishReason, Flag
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.journal import AnswerRow, Records, ScoreRow, TranscriptRow
from omnigap_orchestrator.legacy import rules_token
from omnigap_orchestrator.pipeline.cells import PlannedCell, PlannedCells
from omnigap_orchestrator.pipeline.context import Observer
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.pipeline.judge import kept_verdict
from omnigap_orchestrator.pipeline.pipeline import OpenCell
from omnigap_orchestrator.pipeline.results import ResultsTable
from omnigap_orchestrator.plan import score_key
from omnigap_orchestrator.scoring import (
    RULES_VERSION,
    AsrFacts,
    AudioFacts,
    Scored,
    answer_flags,
    normalise,
    score,
    word_errors,
)

_RULES = rules_token(RULES_VERSION)


def scoring_version() -> str:
    """The name of the scoring rules in score keys, calibration tables and the fingerprint of a run's files."""
    return _RULES


@lru_cache(maxsize=4096)
def _gold_digest(question: str, answers: tuple[str, ...], choices: tuple[str, ...], language: str, *more: str) -> str:
    # The question too: what it offers or counts decides what of an answer is read as the answer.
    return digest_of([question, answers, choices, language, *more])


def key_of(cell: PlannedCell, answer: AnswerRow, transcript: TranscriptRow | None) -> str:
    """The key of a cell's score: its texts, its facts about the audio, the golds and the normaliser's version."""
    item = cell.item
    heard = "" if transcript is None else f"{transcript.key}\n{transcript.text}"
    return score_key(
        text=heard,
        own_text=f"{answer.finish_reason}\n{answer.audio_seconds}\n{answer.audio_rms}\n{answer.own_text}",
        golds=_gold_digest(item.question, item.answers, item.choices, item.language, *_scored_by(cell)),
        answer_type=f"{item.answer_type}:{cell.cell.condition.output}",
        normaliser=scoring_version(),
    )


def _scored_by(cell: PlannedCell) -> tuple[str, ...]:
    """What else a score depends on: metric, what it looks at beyond the golds, judge with rubric."""
    item = cell.item
    # VoiceBench's BIG-JudgeSetup Hard rules read the task from the id.
    named = item.id if cell.metric == "voicebench_bbh" else ""
    checks = "\n".join(f"{check.kind} {check.arguments}" for check in item.checks)
    # A judge is shown the instruction as well; no other metric looks at it.
    instruction = item.instruction if cell.is_judged else ""
    # The last part is empty since 0.1.0's classifier was removed; it stays, so that stored scores keep their keys.
    return cell.metric, named, checks, cell.judge or "", instruction, ""


def texts_of(cell: PlannedCell, answer: AnswerRow, transcript: TranscriptRow | None) -> tuple[str, str | None]:
    """What is scored, and beside it the own text of a speech answer, where it has one."""
    # A speech answer without any audio was heard as nothing, whatever its text channel says.
    used = transcript.text if transcript is not None else "" if cell.is_spoken else answer.own_text
    return used, (answer.own_text or None) if cell.is_spoken else None


def score_cell(
    key: str,
    cell: PlannedCell,
    answer: AnswerRow,
    transcript: TranscriptRow | None,
    verdicts: tuple[float, float | None] | None = None,
) -> ScoreRow:
    """Scores what was heard for a speech answer, what was written for a text answer; the own text beside it.

    Args:
        verdicts: of a judged answer, the scores of the two texts that `texts_of` gives.
    """
    item, spoken = cell.item, cell.is_spoken
    used, own_text = texts_of(cell, answer, transcript)
    if verdicts is None:
        scored = score(item, used, cell.metric)
        own = None if own_text is None else score(item, own_text, cell.metric).score
    else:
        scored, own = Scored(verdicts[0], cell.metric, normalise(used, item.language)), verdicts[1]
    errors = None
    if transcript is not None and answer.own_text:
        errors = word_errors(answer.own_text, transcript.text, item.language)
    return ScoreRow(
        key=key,
        score=scored.score,
        own_text_score=own,
        metric=scored.metric,
        flags=" ".join(sorted({*scored.flags, *_flags(item, answer, transcript, spoken)})),
        wer_errors=None if errors is None else errors.insertions + errors.deletions + errors.substitutions,
        wer_words=None if errors is None else errors.words,
        normalised_answer=scored.comparable,
    )


def second_score(cell: PlannedCell, transcript: TranscriptRow) -> float | None:
    """The score of the second scorer's transcript by the cell's own metric; None where a judge would have to say."""
    return None if cell.is_judged else score(cell.item, transcript.text, cell.metric).score


def _flags(item: Item, answer: AnswerRow, transcript: TranscriptRow | None, spoken: bool) -> frozenset[Flag]:
    audio = asr = None
    if spoken:
        audio = AudioFacts(answer.audio_seconds or 0.0, answer.audio_rms or 0.0, answer.audio_peak or 0.0)
    if transcript is not None:
        asr = AsrFacts(transcript.avg_logprob, transcript.no_speech_prob, transcript.compression_ratio)
    return answer_flags(
        answer.own_text,
        audio=audio,
        transcript=None if transcript is None else transcript.text,
        asr=asr,
        finish_reason=FinishReason(answer.finish_reason),
        language=item.language,
    )


# Scores stored answers again where other rules than this version's scored them; no service is asked.

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
