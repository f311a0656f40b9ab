"""The table of a calibration, one row a clip: its schema, and whether it still fits the instrument that it measured."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from omnigap.digest import digest_of, sha256_hex
from omnigap_orchestrator.extras.asr_correction.confusables import CalibrationError
from omnigap_orchestrator.extras.asr_correction.hearing import GOLDS_SCHEMA
from omnigap_orchestrator.extras.asr_correction.labels import LabelsError, read_labels
from omnigap_orchestrator.extras.asr_correction.rates import AsrEvidence
from omnigap_orchestrator.legacy import upgrade_calibration
from omnigap_orchestrator.pipeline.cells import PlannedCells
from omnigap_orchestrator.pipeline.folder import RunFolder, replacing
from omnigap_orchestrator.pipeline.score import scoring_version
from omnigap_orchestrator.plan import scorer_key

CALIBRATION_SCHEMA = pl.Schema(
    {
        "item_id": pl.String,
        "task": pl.String,
        "answer_type": pl.String,
        "language": pl.String,
        # gold, plain or sound_alike.
        "foil": pl.String,
        "truly_right": pl.Boolean,
        # The bare answer, and what the voice was given: the answer in its carrier sentence.
        "truth": pl.String,
        "spoken": pl.String,
        # Null: the service's own.
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
        # What the calibration was made with: the scorer as it is asked, and the source of the scoring rules.
        "scorer_key": pl.String,
        "scoring_version": pl.String,
        "normaliser": pl.String,
    }
)


@dataclass(frozen=True, slots=True)
class InstrumentKey:
    """What a calibration is good for: a scorer as it is asked, a voice service, the rules of scoring.

    Attributes:
        language: that the scorer is told instead of each item's own; empty: the item's.
    """

    scorer_key: str
    tts_digest: str
    scoring_version: str
    language: str = ""

    @property
    def asked(self) -> str:
        """The scorer with all that it is told, as the table holds it."""
        return f"{self.scorer_key} {self.language}".rstrip()


@dataclass(frozen=True, slots=True)
class Fit:
    """How a calibration fits a run.

    Attributes:
        refused: why it must not be used; empty where it may.
        note: what a reader should know of one that is used.
    """

    refused: str = ""
    note: str = ""


def fits(clips: pl.DataFrame, now: InstrumentKey, metrics: Mapping[str, str]) -> Fit:
    """Whether a calibration is of the scorer and the rules that the run was scored with.

    Args:
        metrics: of each item of the run.

    Another voice service does not spoil it: the answers were never spoken by that voice.
    """
    again = "run `omnigap-orchestrate calibrate` again"
    if clips.is_empty():
        return Fit(f"the calibration holds no clips: {again}")
    if clips["scorer_key"][0] != now.asked:
        return Fit(f"the calibration is of another ASR scorer than the one that heard these answers: {again}")
    if clips["scoring_version"][0] != now.scoring_version:
        return Fit(f"the calibration was scored by other rules (normaliser or metrics) than these answers: {again}")
    for item_id, metric in clips.select("item_id", "metric").drop_nulls().unique().sort("item_id").iter_rows():
        if metrics.get(item_id, metric) != metric:
            changed = (
                f"item {item_id!r} was scored by {metric} in the calibration, and by {metrics[item_id]} in this run"
            )
            return Fit(f"{changed}: {again}")
    if clips["tts_digest"][0] != now.tts_digest:
        return Fit(note="The voice service has changed since the calibration was made.")
    return Fit()


def read_clips(path: Path) -> pl.DataFrame:
    """The table of a calibration.

    Raises:
        CalibrationError: for a file that is no such table.
    """
    try:
        frame = upgrade_calibration(pl.read_parquet(path, glob=False))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise CalibrationError(f"{path} can't be read ({error}): run `omnigap-orchestrate calibrate` again") from error
    lacking = [name for name in CALIBRATION_SCHEMA.names() if name not in frame.columns]
    if lacking:
        text = f"{path} lacks {', '.join(lacking)}, so another omnigap wrote it"
        raise CalibrationError(f"{text}: run `omnigap-orchestrate calibrate` again")
    return frame.select(CALIBRATION_SCHEMA.names())


# What a run's folder knows of its ASR scorer: the calibration, where it still fits, the gold answers, human labels.


def evidence_in(folder: RunFolder, cells: PlannedCells, results: pl.DataFrame) -> AsrEvidence:
    """What the run's folder holds of calibration and labels.

    Args:
        results: all of the run's, also where the analysis keeps to some items: labels of the others are no strangers.
    """
    golds = pl.DataFrame(
        [(item.id, item.language, list(item.answers)) for item in cells.plan.items], schema=GOLDS_SCHEMA, orient="row"
    )
    labels, lost = _labels(folder, results)
    clips, refused, note = _calibration(folder, cells)
    return AsrEvidence(clips, golds, labels, refused, " ".join(part for part in (note, lost) if part))


def keep_labels(folder: RunFolder, labels: Path, results: pl.DataFrame) -> None:
    """Takes a file of human labels into the run's folder, so that later reports show them too.

    Raises:
        LabelsError: where it can't be read as labels of this run's answers.
        FolderError: where the folder can't be written.
    """
    read_labels(labels, results)
    if labels.resolve() != folder.labels.resolve():
        with replacing(folder.labels) as path:
            shutil.copyfile(labels, path)


def evidence_digest(folder: RunFolder) -> str:
    """Of calibration and labels: the run's files are written again when they change."""
    files = [path for path in (folder.calibration, folder.labels) if path.is_file()]
    return digest_of([[path.name, sha256_hex(path.read_bytes())] for path in files])


def _labels(folder: RunFolder, results: pl.DataFrame) -> tuple[pl.DataFrame | None, str]:
    """The labels of the folder; where they no longer fit its answers, none, and why."""
    if not folder.labels.is_file():
        return None, ""
    try:
        return read_labels(folder.labels, results), ""
    except LabelsError as error:
        return None, f"The human labels are left out: {error}."


def _calibration(folder: RunFolder, cells: PlannedCells) -> tuple[pl.DataFrame | None, str, str]:
    """The clips where they fit, else why they must not be used; and what a reader should know of them."""
    if not folder.calibration.is_file():
        return None, "", ""
    try:
        clips = read_clips(folder.calibration)
    except CalibrationError as error:
        return None, str(error), ""
    cards = cells.cards
    now = InstrumentKey(
        scorer_key(cards.scorer.digest if cards.scorer is not None else "", cells.config.scorer.decoding),
        cards.tts.digest if cards.tts is not None else "",
        scoring_version(),
        cells.config.scorer.language or "",
    )
    fit = fits(clips, now, cells.metrics)
    return (None, fit.refused, "") if fit.refused else (clips, "", fit.note)
