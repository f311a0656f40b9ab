"""From planned cells and the journal to the results table: one row a planned cell, missing cells included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

import polars as pl

from omnigap.vocabulary import Modality, Outcome, Support
from omnigap_orchestrator.carriers import spoken_text
from omnigap_orchestrator.journal import AnswerRow, FailureRow, Records, ScoreRow, TranscriptRow
from omnigap_orchestrator.pipeline.cells import PlannedCell, PlannedCells
from omnigap_orchestrator.pipeline.judge import kept_verdict
from omnigap_orchestrator.pipeline.requests import NO_MODEL
from omnigap_orchestrator.pipeline.scope import Stage
from omnigap_orchestrator.pipeline.score import key_of, second_score
from omnigap_orchestrator.results import CONTROLS_SCHEMA, RESULTS_SCHEMA
from omnigap_orchestrator.scoring import WordErrors, word_errors

_CHUNK = 20_000


class ResultsTable:
    """Looks every planned cell up among the journal's rows."""

    def __init__(self, name: str, cells: PlannedCells, records: Records) -> None:
        """`name` is the run's, as the column `run` gives it."""
        self._name = name
        self._cells = cells
        self._records = records

    def frame(self) -> pl.DataFrame:
        """The table, in plan order, with the columns of `RESULTS_SCHEMA`."""
        return _in_chunks((self._row(cell) for cell in self._cells), RESULTS_SCHEMA)

    def control_frame(self) -> pl.DataFrame:
        """The control cells, in plan order, with the columns of `CONTROLS_SCHEMA`."""
        return _in_chunks((self._control_row(cell) for cell in self._cells.controls()), CONTROLS_SCHEMA)

    def unfinished(self) -> Iterator[tuple[PlannedCell, AnswerRow | None, TranscriptRow | None]]:
        """The cells without a score that a service could still give one, with what they have so far; controls last."""
        for planned in chain(self._cells, map(self._as_far_as_it_came, self._cells.controls())):
            answer, transcript, score = self._found(planned)
            if score is None and planned.support is not Support.UNSUPPORTED:
                yield planned, answer, transcript

    def _as_far_as_it_came(self, planned: PlannedCell) -> PlannedCell:
        """A cell in two passes whose first was answered, in its second; any other as it is."""
        first = self._records.answers.get(planned.key) if planned.is_first_pass and planned.key is not None else None
        return planned if first is None else self._cells.second_pass(planned, first.own_text)

    def _found(self, planned: PlannedCell) -> tuple[AnswerRow | None, TranscriptRow | None, ScoreRow | None]:
        answer = self._records.answers.get(planned.key) if planned.key else None
        if answer is None:
            return None, None, None
        transcript = None
        if planned.is_spoken and answer.media_sha is not None:
            transcript = self._records.transcripts.get(self._cells.transcript_key(answer.media_sha, planned.item))
            if transcript is None:
                return answer, None, None
        return answer, transcript, self._records.scores.get(key_of(planned, answer, transcript))

    def _row(self, planned: PlannedCell) -> dict[str, Any]:
        """A row's values by column, in the schema's order; a test holds the two together."""
        cell, item, model = planned.cell, planned.item, planned.model
        answer, transcript, score = self._found(planned)
        failure = None if score is not None else self._failure(planned, answer, transcript)
        second = self._second(planned, answer)
        spoken = planned.is_spoken
        made = cell.condition.input not in item.carriers
        carriers, source = self._cells.carriers, cell.condition.input
        said = carriers.speech_variant(cell.replicate) if made and source is Modality.SPEECH else None
        style = carriers.style(cell.replicate) if made and source is Modality.IMAGE else None
        return {
            "run": self._name,
            "model": cell.model,
            "architecture": model.architecture,
            "item_id": cell.item_id,
            "task": item.task,
            "language": item.language,
            "cluster": item.cluster or item.id,
            "answer_type": item.answer_type.value,
            "input": cell.condition.input.value,
            "output": cell.condition.output.value,
            "condition": cell.condition.name,
            "replicate": cell.replicate,
            "voice": None if said is None else said.voice,
            "words_per_minute": None if said is None else said.words_per_minute,
            "font": None if style is None else style.font,
            "font_size": None if style is None else style.size,
            "colour": None if style is None else style.colour,
            "background": None if style is None else style.background,
            "image_width": None if style is None else style.width,
            "outcome": _outcome(planned, score, failure).value,
            "support": None if planned.support is None else planned.support.value,
            "flags": [] if score is None else score.flags.split(),
            "own_text": None if answer is None else answer.own_text,
            "transcript": None if transcript is None else transcript.text,
            "answer_used": _used(answer, transcript, spoken),
            "normalised_answer": None if score is None else score.normalised_answer,
            "score": None if score is None else score.score,
            "own_text_score": None if score is None else score.own_text_score,
            "metric": None if score is None else score.metric,
            "finish_reason": None if answer is None else answer.finish_reason,
            "error_reason": None if failure is None else failure.reason,
            "error_message": _message(planned, failure),
            "audio_seconds": None if answer is None else answer.audio_seconds,
            "tokens": None if answer is None else answer.output_tokens,
            "input_media": _input_media(planned),
            "output_media": None if answer is None else answer.media_sha,
            "latency_s": None if answer is None else answer.latency_s,
            "queue_s": None if answer is None else answer.queue_s,
            "compute_s": None if answer is None else answer.compute_s,
            "ttft_s": None if answer is None else answer.ttft_s,
            "audio_ttfp_s": None if answer is None else answer.audio_ttfp_s,
            "model_digest": None if answer is None else answer.model_digest,
            "asr_digest": None if transcript is None else transcript.asr_digest,
            "asr_avg_logprob": None if transcript is None else transcript.avg_logprob,
            "asr_no_speech_prob": None if transcript is None else transcript.no_speech_prob,
            "asr_compression_ratio": None if transcript is None else transcript.compression_ratio,
            "asr_language": None if transcript is None else transcript.detected_language,
            "wer_errors": None if score is None else score.wer_errors,
            "wer_words": None if score is None else score.wer_words,
            "second_transcript": None if second is None else second.text,
            "second_score": None if second is None else second_score(planned, second),
            "second_asr_digest": None if second is None else second.asr_digest,
            "judge_rating": None if score is None else self._rating(planned, answer, transcript),
            "judge_digest": self._cells.judge_digest if score is not None and planned.is_judged else None,
            "chance": 1 / len(item.choices) if item.choices else None,
        }

    def _second(self, planned: PlannedCell, answer: AnswerRow | None) -> TranscriptRow | None:
        """What the second scorer heard."""
        if answer is None or answer.media_sha is None or planned.cell.condition.output is not Modality.SPEECH:
            return None
        key = self._cells.second_transcript_key(answer.media_sha, planned.item)
        return None if key is None else self._records.transcripts.get(key)

    def _rating(self, planned: PlannedCell, answer: AnswerRow | None, transcript: TranscriptRow | None) -> float | None:
        """What the judge said of the text that was scored, on the rubric's own scale."""
        if not planned.is_judged:
            return None
        used, setup = _used(answer, transcript, planned.is_spoken), self._cells.setup
        if setup is not None and used is not None and not used.strip():
            # No judge was asked: an empty answer has the lowest rating, as it has the lowest score.
            rubric = setup.rubric_for(planned.item)
            return None if rubric.labels else rubric.low
        verdict = kept_verdict(self._cells, planned, used, self._records.verdicts)
        return None if verdict is None else verdict.rating

    def _control_row(self, planned: PlannedCell) -> dict[str, Any]:
        """A control cell's row: what it came to, and what was asked in its first pass."""
        asked = self._as_far_as_it_came(planned)
        row = self._row(asked)
        # The medium that was heard or seen, also where the answer came to the typed transcript of it.
        row["input_media"] = _input_media(planned)
        errors = _first_pass_errors(asked)
        if errors is not None:
            row["wer_errors"] = errors.insertions + errors.deletions + errors.substitutions
            row["wer_words"] = errors.words
        row["control"] = None if planned.cell.control is None else planned.cell.control.value
        row["first_pass"] = asked.first_pass
        return row

    def _failure(
        self, planned: PlannedCell, answer: AnswerRow | None, transcript: TranscriptRow | None
    ) -> FailureRow | None:
        """The failure that keeps a cell from its score: of its carrier, of asking, of hearing, or of judging."""
        cell = planned.cell
        if planned.carrier is None:
            variant = cell.replicate % self._cells.carriers.variants(cell.condition.input)
            return self._records.failures.get(
                (Stage.CARRIERS.value, NO_MODEL, cell.item_id, cell.condition.input.value, variant)
            )
        if answer is None:
            stage = Stage.GENERATE
        else:
            stage = Stage.TRANSCRIBE if planned.needs_transcript(answer, transcript) else Stage.JUDGE
        return self._records.failures.get((stage.value, cell.model, cell.item_id, cell.filed_under, cell.replicate))


def _in_chunks(rows: Iterable[dict[str, Any]], schema: pl.Schema) -> pl.DataFrame:
    """Rows, their values in the order of the schema, as one frame."""
    values = (tuple(row.values()) for row in rows)
    frames = [pl.DataFrame(schema=schema)]
    while chunk := list(islice(values, _CHUNK)):
        frames.append(pl.DataFrame(chunk, schema=schema, orient="row"))
    return pl.concat(frames)


def _first_pass_errors(planned: PlannedCell) -> WordErrors | None:
    """Word errors of what was heard or read against the words of the carrier; None where those are not known."""
    item, modality = planned.item, planned.cell.condition.input
    if planned.first_pass is None or modality in item.carriers:
        return None
    words = spoken_text(item) if modality is Modality.SPEECH else item.typed
    return word_errors(words, planned.first_pass, item.language)


def _outcome(planned: PlannedCell, score: ScoreRow | None, failure: FailureRow | None) -> Outcome:
    if score is not None:
        return Outcome.ANSWERED
    if planned.support is Support.UNSUPPORTED:
        return Outcome.UNSUPPORTED
    return Outcome.PENDING if failure is None else Outcome.FAILED


def _message(planned: PlannedCell, failure: FailureRow | None) -> str | None:
    if failure is not None:
        return failure.message
    return planned.support_reason if planned.support is Support.UNSUPPORTED else None


def _used(answer: AnswerRow | None, transcript: TranscriptRow | None, spoken: bool) -> str | None:
    """What was scored; a speech answer without any audio was heard as nothing."""
    if answer is None:
        return None
    if not spoken:
        return answer.own_text
    if transcript is not None:
        return transcript.text
    return "" if answer.media_sha is None else None


def _input_media(planned: PlannedCell) -> str | None:
    if planned.carrier is None or planned.cell.condition.input is Modality.TEXT:
        return None
    return planned.carrier.sha
