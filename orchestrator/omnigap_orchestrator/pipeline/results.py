"""Joins the planned cells and the journal into the results table: one row per planned cell, missing ones included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

import polars as pl

from omnigap.card import has_random_weights
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Outcome, Support
from omnigap_orchestrator.carriers import spoken_text
from omnigap_orchestrator.journal import AnswerRow, FailureRow, Records, ScoreRow, TranscriptRow
from omnigap_orchestrator.pipeline.cells import PlannedCell, PlannedCells
from omnigap_orchestrator.pipeline.judge import misjudged_rows, stored_verdict
from omnigap_orchestrator.pipeline.requests import NO_MODEL
from omnigap_orchestrator.pipeline.scope import Stage
from omnigap_orchestrator.pipeline.score import key_of, second_score, texts_of
from omnigap_orchestrator.pipeline.stored import Misfiled, stored_answer, stored_transcript
from omnigap_orchestrator.pool import LEAVES_PENDING
from omnigap_orchestrator.results import CONTROLS_SCHEMA, RANDOM_ROLES, RESULTS_SCHEMA
from omnigap_orchestrator.scoring import WordErrors, whisper_word_errors, word_errors
from omnigap_orchestrator.scoring.score import chance_of

# Rows per frame while the table is built: as Python dicts, all rows of a large run would need gigabytes.
_CHUNK = 20_000


class ResultsTable:
    """Looks up every planned cell in the rows of the journal."""

    def __init__(self, name: str, cells: PlannedCells, records: Records) -> None:
        """
        Args:
            name: value of the column `run`.
        """
        self._name = name
        self._cells = cells
        self._records = records
        self.misfiled = Misfiled()
        """Rows that were left out of what this object returned so far."""

    def frame(self) -> pl.DataFrame:
        """The results, in plan order, with the columns of `RESULTS_SCHEMA`."""
        return _in_chunks((self._row(cell) for cell in self._cells), RESULTS_SCHEMA)

    def control_frame(self) -> pl.DataFrame:
        """The control cells, in plan order, with the columns of `CONTROLS_SCHEMA`."""
        return _in_chunks((self._control_row(cell) for cell in self._cells.controls()), CONTROLS_SCHEMA)

    def unfinished(self) -> Iterator[tuple[PlannedCell, AnswerRow | None, TranscriptRow | None]]:
        """Supported cells without a score, with their answer and transcript so far; control cells last."""
        for planned in chain(self._cells, map(self.current_pass, self._cells.controls())):
            answer, transcript, score = self._lookup(planned)
            if score is None and planned.support is not Support.UNSUPPORTED:
                yield planned, answer, transcript

    def keys_of(self, planned: PlannedCell) -> Iterator[str]:
        """The keys under which a cell's answer, transcript and score are stored, as far as they can be computed."""
        current = self.current_pass(planned)
        yield from {key for key in (planned.key, current.key) if key}
        answer = self._records.answers.get(current.key) if current.key else None
        if answer is None:
            return
        transcript = None
        if current.is_spoken and answer.media_sha is not None:
            key = self._cells.transcript_key(answer.media_sha, current.item)
            yield key
            transcript = self._records.transcripts.get(key)
            if transcript is None:
                return
        yield key_of(current, answer, transcript)

    def current_pass(self, planned: PlannedCell) -> PlannedCell:
        """The second pass of a two-pass cell whose first pass was answered; any other cell unchanged."""
        first = self._answer(planned) if planned.is_first_pass else None
        return planned if first is None else self._cells.second_pass(planned, first.own_text)

    def misfiled_rows(self) -> Misfiled:
        """All rows of the plan that another service wrote than the one that was asked."""
        for planned in chain(self._cells, map(self.current_pass, self._cells.controls())):
            answer, _, _ = self._lookup(planned)
            self._second_transcript(planned, answer)
        return self.misfiled

    def _lookup(self, planned: PlannedCell) -> tuple[AnswerRow | None, TranscriptRow | None, ScoreRow | None]:
        """Answer, transcript and score of a cell, as far as the journal has them."""
        answer = self._answer(planned)
        if answer is None:
            return None, None, None
        transcript = None
        if planned.is_spoken and answer.media_sha is not None:
            key, digest = self._cells.transcript_key(answer.media_sha, planned.item), self._cells.scorer_digest
            transcript = stored_transcript(self._records.transcripts, key, digest, self.misfiled)
            if transcript is None:
                # The key of a score contains the transcript, so there can be no score yet.
                return answer, None, None
        if planned.is_judged and self._is_misjudged(planned, answer, transcript):
            return answer, transcript, None
        return answer, transcript, self._records.scores.get(key_of(planned, answer, transcript))

    def _answer(self, planned: PlannedCell) -> AnswerRow | None:
        return stored_answer(self._records.answers, planned, self.misfiled)

    def _is_misjudged(self, planned: PlannedCell, answer: AnswerRow, transcript: TranscriptRow | None) -> bool:
        """Whether another judge than the planned one gave a verdict on this answer, so that its score is not valid."""
        # The key of a score has the digest of the judge that was asked, not of the one that answered.
        rows = [
            row
            for text in texts_of(planned, answer, transcript)
            for row in misjudged_rows(self._cells, planned, text, self._records.verdicts)
        ]
        for row in rows:
            self.misfiled.add(row.key, "verdicts of the judge", self._cells.judge_digest or "", row.judge_digest)
        return bool(rows)

    def _row(self, planned: PlannedCell) -> dict[str, Any]:
        """The values of a row, in the order of `RESULTS_SCHEMA`; a test compares the two."""
        cell, item, model = planned.cell, planned.item, planned.model
        answer, transcript, score = self._lookup(planned)
        # A failure of an earlier attempt does not matter once the cell has a score.
        failure = None if score is not None else self._failure(planned, answer, transcript)
        second = self._second_transcript(planned, answer)
        spoken = planned.is_spoken
        carriers, source = self._cells.carriers, cell.condition.input
        # Voice and style describe rendered carriers only; an item's own medium has neither.
        rendered = source not in item.carriers
        speech = carriers.speech_variant(cell.replicate) if rendered and source is Modality.SPEECH else None
        style = carriers.style(cell.replicate) if rendered and source is Modality.IMAGE else None
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
            "voice": None if speech is None else speech.voice,
            "words_per_minute": None if speech is None else speech.words_per_minute,
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
            "answer_used": _answer_used(answer, transcript, spoken),
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
            **times_of(answer),
            "model_digest": None if answer is None else answer.model_digest,
            "asr_digest": None if transcript is None else transcript.asr_digest,
            "asr_avg_logprob": None if transcript is None else transcript.avg_logprob,
            "asr_no_speech_prob": None if transcript is None else transcript.no_speech_prob,
            "asr_compression_ratio": None if transcript is None else transcript.compression_ratio,
            "asr_language": None if transcript is None else transcript.detected_language,
            "wer_errors": None if score is None else score.wer_errors,
            "wer_words": None if score is None else score.wer_words,
            "wer_errors_whisper": None if score is None else score.wer_errors_whisper,
            "wer_words_whisper": None if score is None else score.wer_words_whisper,
            "second_transcript": None if second is None else second.text,
            "second_score": None if second is None else second_score(planned, second),
            "second_asr_digest": None if second is None else second.asr_digest,
            "judge_rating": None if score is None else self._rating(planned, answer, transcript),
            "judge_digest": self._cells.judge_digest if score is not None and planned.is_judged else None,
            "random_weights": self._random_weights(planned),
            "chance": chance_of(item, planned.metric),
        }

    def _random_weights(self, planned: PlannedCell) -> str | None:
        """What had random weights of the services that this cell depends on, as in `RESULTS_SCHEMA`."""
        cards, spoken_question = self._cells.cards, planned.cell.condition.input is Modality.SPEECH
        used = {
            "model": planned.model.card,
            "tts": cards.tts if spoken_question and Modality.SPEECH not in planned.item.carriers else None,
            "scorer": cards.scorer if planned.is_spoken else None,
            "judge": cards.judge if planned.is_judged else None,
        }
        found = [role for role in RANDOM_ROLES if (card := used[role]) is not None and has_random_weights(card)]
        return ", ".join(found) or None

    def _second_transcript(self, planned: PlannedCell, answer: AnswerRow | None) -> TranscriptRow | None:
        """The transcript of the second scorer, if there is one."""
        if answer is None or answer.media_sha is None or planned.cell.condition.output is not Modality.SPEECH:
            return None
        key = self._cells.second_transcript_key(answer.media_sha, planned.item)
        card = self._cells.cards.second_scorer
        if key is None or card is None:
            return None
        return stored_transcript(self._records.transcripts, key, card.digest, self.misfiled, "the second scorer")

    def _rating(self, planned: PlannedCell, answer: AnswerRow | None, transcript: TranscriptRow | None) -> float | None:
        """The judge's rating of the scored text, on the rubric's own scale."""
        if not planned.is_judged:
            return None
        used, setup = _answer_used(answer, transcript, planned.is_spoken), self._cells.setup
        if setup is not None and used is not None and not used.strip():
            # An empty answer scores 0 without a call of the judge, so its rating is the lowest as well.
            rubric = setup.rubric_for(planned.item)
            return None if rubric.labels else rubric.low
        verdict = stored_verdict(self._cells, planned, used, self._records.verdicts)
        return None if verdict is None else verdict.rating

    def _control_row(self, planned: PlannedCell) -> dict[str, Any]:
        """The row of a control cell: a results row of its current pass, with the control and the first pass."""
        current = self.current_pass(planned)
        row = self._row(current)
        # Always the medium of the first pass: that of the second is only its text.
        row["input_media"] = _input_media(planned)
        errors = _first_pass_errors(current)
        if errors is not None:
            own, whisper = errors
            row |= {"wer_errors": own.errors, "wer_words": own.words}
            row |= {"wer_errors_whisper": whisper.errors, "wer_words_whisper": whisper.words}
        row["control"] = None if planned.cell.control is None else planned.cell.control.value
        row["first_pass"] = current.first_pass
        return row

    def _failure(
        self, planned: PlannedCell, answer: AnswerRow | None, transcript: TranscriptRow | None
    ) -> FailureRow | None:
        """The failure of the first stage that the cell has not passed: carrier, generate, transcribe or judge."""
        cell = planned.cell
        if planned.carrier is None:
            # Replicates cycle through the variants, as in `CarrierSet.get`.
            variant = cell.replicate % self._cells.carriers.variants(cell.condition.input)
            return self._records.failures.get(
                (Stage.CARRIERS.value, NO_MODEL, cell.item_id, cell.condition.input.value, variant)
            )
        if answer is None:
            stage = Stage.GENERATE
        else:
            stage = Stage.TRANSCRIBE if planned.needs_transcript(answer, transcript) else Stage.JUDGE
        return self._records.failures.get((stage.value, cell.model, cell.item_id, cell.filed_under, cell.replicate))


def times_of(answer: AnswerRow | pb.Timings | None) -> dict[str, float | None]:
    """The server's times of an answer, in seconds; null where it has none.

    The contract has no null: 0 means that there was no text or no audio, and without computing time the server reports
    no times at all.
    """
    if answer is None:
        return dict.fromkeys(("queue_s", "compute_s", "ttft_s", "audio_ttfp_s"))
    reported = answer.compute_s > 0
    return {
        "queue_s": answer.queue_s if reported else None,
        "compute_s": answer.compute_s if reported else None,
        "ttft_s": answer.ttft_s or None,
        "audio_ttfp_s": answer.audio_ttfp_s or None,
    }


def _in_chunks(rows: Iterable[dict[str, Any]], schema: pl.Schema) -> pl.DataFrame:
    """One frame of rows whose values are in the order of the schema."""
    values = (tuple(row.values()) for row in rows)
    frames = [pl.DataFrame(schema=schema)]
    while chunk := list(islice(values, _CHUNK)):
        frames.append(pl.DataFrame(chunk, schema=schema, orient="row"))
    return pl.concat(frames)


def _first_pass_errors(planned: PlannedCell) -> tuple[WordErrors, WordErrors] | None:
    """Word errors of the first pass against the words of the carrier, by omnigap's and by Whisper's normaliser.

    None for an item's own carrier.
    """
    item, modality = planned.item, planned.cell.condition.input
    if planned.first_pass is None or modality in item.carriers:
        return None
    words = spoken_text(item) if modality is Modality.SPEECH else item.typed
    texts = (words, planned.first_pass, item.language)
    return word_errors(*texts), whisper_word_errors(*texts)


def _outcome(planned: PlannedCell, score: ScoreRow | None, failure: FailureRow | None) -> Outcome:
    if score is not None:
        return Outcome.ANSWERED
    if planned.support is Support.UNSUPPORTED:
        return Outcome.UNSUPPORTED
    # A time-out or a full service says nothing about the answer; the row has its reason.
    return Outcome.PENDING if failure is None or failure.reason in LEAVES_PENDING else Outcome.FAILED


def _message(planned: PlannedCell, failure: FailureRow | None) -> str | None:
    if failure is not None:
        return failure.message
    return planned.support_reason if planned.support is Support.UNSUPPORTED else None


def _answer_used(answer: AnswerRow | None, transcript: TranscriptRow | None, spoken: bool) -> str | None:
    """The text that was scored; empty for a speech answer without audio, None while its transcript is missing."""
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
