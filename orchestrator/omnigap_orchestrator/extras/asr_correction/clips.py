"""The evidence about the ASR scorer in a run folder: calibration.parquet, checked for validity, and human labels."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import polars as pl

from omnigap.vocabulary import Modality
from omnigap_orchestrator.extras.asr_correction.confusables import CalibrationError
from omnigap_orchestrator.extras.asr_correction.labels import LabelsError, read_labels
from omnigap_orchestrator.extras.asr_correction.rates import AsrEvidence
from omnigap_orchestrator.extras.asr_correction.transcript_errors import GOLDS_SCHEMA
from omnigap_orchestrator.legacy import upgrade_calibration
from omnigap_orchestrator.pipeline.cells import PlannedCells
from omnigap_orchestrator.pipeline.folder import RunFolder, replacing
from omnigap_orchestrator.pipeline.score import scoring_version
from omnigap_orchestrator.pipeline.stored_files import fault_of
from omnigap_orchestrator.plan import scorer_key

CALIBRATION_SCHEMA = pl.Schema(
    {
        "item_id": pl.String,
        "task": pl.String,
        "answer_type": pl.String,
        "language": pl.String,
        # gold, distractor or confusable.
        "clip_kind": pl.String,
        "truly_right": pl.Boolean,
        # The bare answer, and the text that was synthesised: the answer in its template sentence.
        "truth": pl.String,
        "spoken": pl.String,
        # Null: the default of the TTS service.
        "voice": pl.String,
        "words_per_minute": pl.Float64,
        # answered, failed or pending, as for the cells of a run; what follows is null unless answered.
        "outcome": pl.String,
        "error_reason": pl.String,
        "transcript": pl.String,
        "score": pl.Float64,
        "scored_right": pl.Boolean,
        "metric": pl.String,
        "audio_seconds": pl.Float64,
        # SHA-256 of the stored clip.
        "media": pl.String,
        "asr_digest": pl.String,
        "tts_digest": pl.String,
        # Scorer with its decoding options and language, and version of the scoring rules.
        "scorer_key": pl.String,
        "scoring_version": pl.String,
        "normaliser": pl.String,
    }
)


# From this ratio and this many characters on, a note says that the texts are unlike the answers: bare answers, and the
# same ones in a short sentence, are further apart.
_UNLIKE, _UNLIKE_CHARACTERS = 2.0, 10


@dataclass(frozen=True, slots=True)
class CalibrationKey:
    """What a calibration is valid for: a scorer with its options, a TTS service and a version of the scoring rules.

    Attributes:
        language: fixed language of the scorer; empty: the language of each item.
    """

    scorer_key: str
    tts_digest: str
    scoring_version: str
    language: str = ""

    @property
    def scorer(self) -> str:
        """The scorer with its options and language, as the table stores it."""
        return f"{self.scorer_key} {self.language}".rstrip()


@dataclass(frozen=True, slots=True)
class Validity:
    """Whether a calibration applies to a run.

    Attributes:
        refused: reason why it must not be used; empty if it may.
        note: remark for the reader about a calibration that is used.
    """

    refused: str = ""
    note: str = ""


def check_validity(clips: pl.DataFrame, now: CalibrationKey, metrics: Mapping[str, str]) -> Validity:
    """Checks that a calibration is of the scorer and the scoring rules of a run.

    Args:
        metrics: the run's metric by item id.
    """
    again = "run `omnigap-orchestrate calibrate` again"
    if clips.is_empty():
        return Validity(f"the calibration holds no clips: {again}")
    if clips["scorer_key"][0] != now.scorer:
        return Validity(
            f"the calibration is of another ASR scorer than the one that transcribed these answers: {again}"
        )
    if clips["scoring_version"][0] != now.scoring_version:
        return Validity(
            f"the calibration was scored by other rules (normaliser or metrics) than these answers: {again}"
        )
    for item_id, metric in clips.select("item_id", "metric").drop_nulls().unique().sort("item_id").iter_rows():
        if metrics.get(item_id, metric) != metric:
            changed = (
                f"item {item_id!r} was scored by {metric} in the calibration and by {metrics[item_id]} in this run"
            )
            return Validity(f"{changed}: {again}")
    # Another TTS service is only noted: q1 and q0 are properties of the scorer, the models' answers have other voices.
    if clips["tts_digest"][0] != now.tts_digest:
        return Validity(note="The TTS service has changed since the calibration was made.")
    return Validity()


def read_clips(path: Path) -> pl.DataFrame:
    """Reads the table of a calibration (`CALIBRATION_SCHEMA`), also one that an earlier version wrote.

    Raises:
        CalibrationError: the file can't be read or lacks a column.
    """
    if fault := fault_of(path):
        raise CalibrationError(f"{path} {fault}: run `omnigap-orchestrate calibrate` again")
    try:
        frame = upgrade_calibration(pl.read_parquet(path, glob=False))
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise CalibrationError(f"{path} can't be read ({error}): run `omnigap-orchestrate calibrate` again") from error
    lacking = [name for name in CALIBRATION_SCHEMA.names() if name not in frame.columns]
    if lacking:
        text = f"{path} lacks the column(s) {', '.join(lacking)}, so another version of omnigap wrote it"
        raise CalibrationError(f"{text}: run `omnigap-orchestrate calibrate` again")
    return frame.select(CALIBRATION_SCHEMA.names())


def evidence_in(folder: RunFolder, cells: PlannedCells, results: pl.DataFrame) -> AsrEvidence:
    """Calibration, gold answers and human labels of a run folder.

    Args:
        results: all results of the run, even if the analysis is restricted to some items: labels of the other items are
            valid too.
    """
    golds = pl.DataFrame(
        [(item.id, item.language, list(item.answers)) for item in cells.plan.items], schema=GOLDS_SCHEMA, orient="row"
    )
    labels, labels_note = _labels(folder, results)
    clips, refused, note = _calibration(folder, cells)
    unlike = "" if clips is None else length_note(clips, results)
    notes = " ".join(part for part in (note, unlike, labels_note) if part)
    return AsrEvidence(clips, golds, labels, refused, notes, bool(unlike))


def length_note(clips: pl.DataFrame, results: pl.DataFrame) -> str:
    """Whether the texts of the calibration are far shorter or longer than the answers that it corrects; else empty.

    Args:
        clips: a frame of `CALIBRATION_SCHEMA`.
        results: by their own text, else by their transcript.
    """
    answers = results.filter(pl.col("output") == Modality.SPEECH.value)
    spoken = _median_characters(answers.select(pl.coalesce("own_text", "transcript")).to_series())
    gold = _median_characters(clips.filter(pl.col("clip_kind") == "gold")["spoken"])
    if spoken is None or gold is None:
        return ""
    shorter, longer = sorted((spoken, gold))
    if longer < _UNLIKE * max(shorter, 1) or longer - shorter < _UNLIKE_CHARACTERS:
        return ""
    fix = "with --template and a sentence like the answers'" if gold < spoken else "without --template"
    return (
        f"The median spoken answer has {spoken:.0f} characters, the median gold clip of the calibration {gold:.0f}: "
        "a recogniser errs differently on single words and on sentences, so the correction may be far too large or too "
        f"small. `calibrate` {fix} fits better."
    )


def _median_characters(texts: pl.Series) -> float | None:
    found = texts.drop_nulls().str.len_chars().median()
    return None if found is None else float(cast("float", found))


def keep_labels(folder: RunFolder, labels: Path, results: pl.DataFrame) -> Path:
    """Copies a file of human labels into the run folder, so that later reports use them too; returns the copy.

    Raises:
        LabelsError: the file can't be read as labels of this run's answers.
        FolderError: the folder can't be written.
    """
    read_labels(labels, results)
    if labels.resolve() != folder.labels.resolve():
        with replacing(folder.labels) as path:
            shutil.copyfile(labels, path)
    return folder.labels


def _labels(folder: RunFolder, results: pl.DataFrame) -> tuple[pl.DataFrame | None, str]:
    """The labels of the folder; None, and the reason, if they don't match its answers."""
    if not folder.labels.is_file():
        return None, ""
    if fault := fault_of(folder.labels):
        return (
            None,
            f"The human labels are not used: {folder.labels} {fault}: give the file again with report --labels.",
        )
    try:
        return read_labels(folder.labels, results), ""
    except LabelsError as error:
        return None, f"The human labels are not used: {error}."


def _calibration(folder: RunFolder, cells: PlannedCells) -> tuple[pl.DataFrame | None, str, str]:
    """The clips if they are valid, the reason if they are not, and a note for the reader."""
    if not folder.calibration.is_file():
        return None, "", ""
    try:
        clips = read_clips(folder.calibration)
    except CalibrationError as error:
        return None, str(error), ""
    cards = cells.cards
    now = CalibrationKey(
        scorer_key(cards.scorer.digest if cards.scorer is not None else "", cells.config.scorer.decoding),
        cards.tts.digest if cards.tts is not None else "",
        scoring_version(),
        cells.config.scorer.language or "",
    )
    validity = check_validity(clips, now, cells.metrics)
    return (None, validity.refused, "") if validity.refused else (clips, "", validity.note)
