"""The score stage: pure functions over stored texts. A score is stored under a hash of everything it depends on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import lru_cache

from omnigap.digest import digest_of
from omnigap.vocabulary import FinishReason, Flag
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.journal import AnswerRow, ScoreRow, TranscriptRow
from omnigap_orchestrator.legacy import rules_token
from omnigap_orchestrator.pipeline.cells import PlannedCell
from omnigap_orchestrator.plan import score_key
from omnigap_orchestrator.scoring import (
    RULES_VERSION,
    AsrStats,
    AudioStats,
    Scored,
    answer_flags,
    known_metrics,
    normalise,
    score,
    whisper_word_errors,
    word_errors,
)
from omnigap_orchestrator.scoring.reading import remove_thinking

_RULES = rules_token(RULES_VERSION)


def scoring_version() -> str:
    """The version of the scoring rules, as in score keys, calibration tables and the fingerprint of a run's files."""
    return _RULES


@lru_cache(maxsize=4096)
def _gold_digest(question: str, answers: tuple[str, ...], choices: tuple[str, ...], language: str, *more: str) -> str:
    # With the question: the options or units that it names decide which part of an answer is scored.
    return digest_of([question, answers, choices, language, *more])


def key_of(cell: PlannedCell, answer: AnswerRow, transcript: TranscriptRow | None) -> str:
    """The key of a cell's score: its texts, audio statistics, gold answers, metric and the version of the rules."""
    item = cell.item
    transcribed = "" if transcript is None else f"{transcript.key}\n{transcript.text}"
    return score_key(
        text=transcribed,
        own_text=f"{answer.finish_reason}\n{answer.audio_seconds}\n{answer.audio_rms}\n{answer.own_text}",
        golds=_gold_digest(item.question, item.answers, item.choices, item.language, *_metric_inputs(cell)),
        answer_type=f"{item.answer_type}:{cell.cell.condition.output}",
        normaliser=scoring_version(),
    )


def _metric_inputs(cell: PlannedCell) -> tuple[str, ...]:
    """Further inputs of the score: the metric, what it reads beyond the gold answers, judge and rubric."""
    item = cell.item
    # VoiceBench's BIG-Bench Hard rules read the task from the ID.
    id_part = item.id if cell.metric == "voicebench_bbh" else ""
    checks = "\n".join(f"{check.kind} {check.arguments}" for check in item.checks)
    # Only a judge reads the instruction.
    instruction = item.instruction if cell.is_judged else ""
    # The last part is empty since 0.1.0's classifier was removed; it stays, so that stored scores keep their keys.
    return cell.metric, id_part, checks, cell.judge or "", instruction, ""


def texts_of(cell: PlannedCell, answer: AnswerRow, transcript: TranscriptRow | None) -> tuple[str, str | None]:
    """The text that is scored, and the own text of a speech answer, if it has one; both without thinking."""
    used, own_text = _raw_texts(cell, answer, transcript)
    return remove_thinking(used), own_text if own_text is None else remove_thinking(own_text)


def _raw_texts(cell: PlannedCell, answer: AnswerRow, transcript: TranscriptRow | None) -> tuple[str, str | None]:
    # A speech answer without audio is scored as empty even if it has own text: the user would have heard nothing.
    used = transcript.text if transcript is not None else "" if cell.is_spoken else answer.own_text
    return used, (answer.own_text or None) if cell.is_spoken else None


def score_cell(
    key: str,
    cell: PlannedCell,
    answer: AnswerRow,
    transcript: TranscriptRow | None,
    verdicts: tuple[float, float | None] | None = None,
) -> ScoreRow:
    """Scores the transcript of a speech answer or the own text of a text answer.

    A speech answer's own text is scored too: the difference is what speech synthesis and ASR lose.

    Args:
        verdicts: for a judged answer, the scores of the two texts that `texts_of` returns.
    """
    item, spoken = cell.item, cell.is_spoken
    # Raw: scoring itself removes thinking, and flags an answer that is nothing else.
    used, own_text = _raw_texts(cell, answer, transcript)
    if verdicts is None:
        scored = score(item, used, cell.metric)
        own = None if own_text is None else score(item, own_text, cell.metric).score
    else:
        scored, own = Scored(verdicts[0], cell.metric, normalise(used, item.language)), verdicts[1]
    errors = whisper = None
    if transcript is not None and answer.own_text:
        said = remove_thinking(answer.own_text)
        errors = word_errors(said, transcript.text, item.language)
        whisper = whisper_word_errors(said, transcript.text, item.language)
    return ScoreRow(
        key=key,
        score=scored.score,
        own_text_score=own,
        metric=scored.metric,
        flags=" ".join(sorted({*scored.flags, *_flags(item, answer, transcript, spoken)})),
        wer_errors=None if errors is None else errors.errors,
        wer_words=None if errors is None else errors.words,
        normalised_answer=scored.comparable,
        wer_errors_whisper=None if whisper is None else whisper.errors,
        wer_words_whisper=None if whisper is None else whisper.words,
    )


def reading_of(items: Iterable[Item]) -> Callable[[str, str, str], tuple[str, str]]:
    """A function of an item's id, an answer text and a metric: what scoring reads from the text, and by which step.

    Both are empty for metrics that read nothing: those of a judge, and those that compare the whole text.
    """
    by_id = {item.id: item for item in items}

    def reading(item_id: str, text: str, metric: str) -> tuple[str, str]:
        item = by_id.get(item_id)
        if item is None or metric not in known_metrics():
            return "", ""
        scored = score(item, text, metric)
        return scored.parsed or "", scored.step or ""

    return reading


def second_score(cell: PlannedCell, transcript: TranscriptRow) -> float | None:
    """The score of the second scorer's transcript by the cell's metric; None for judged cells, which need a call."""
    return None if cell.is_judged else score(cell.item, transcript.text, cell.metric).score


def _asr_stats(transcript: TranscriptRow) -> AsrStats:
    measured: dict[str, float] = json.loads(transcript.diagnostics or "{}")
    return AsrStats(
        transcript.avg_logprob,
        transcript.no_speech_prob,
        transcript.compression_ratio,
        measured.get("longest_stretch_s"),
        measured.get("trained_s"),
    )


def _flags(item: Item, answer: AnswerRow, transcript: TranscriptRow | None, spoken: bool) -> frozenset[Flag]:
    audio = asr = None
    if spoken:
        audio = AudioStats(answer.audio_seconds or 0.0, answer.audio_rms or 0.0, answer.audio_peak or 0.0)
    if transcript is not None:
        asr = _asr_stats(transcript)
    return answer_flags(
        remove_thinking(answer.own_text),
        audio=audio,
        transcript=None if transcript is None else transcript.text,
        asr=asr,
        finish_reason=FinishReason(answer.finish_reason),
        language=item.language,
    )
