"""What a run's folder knows of its ASR scorer: the calibration, where it still fits, the gold answers, human labels."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

from omnigap.digest import digest_of, sha256_hex
from omnigap_orchestrator.analysis import Instrument
from omnigap_orchestrator.analysis.instrument.hearing import GOLDS_SCHEMA
from omnigap_orchestrator.extras.asr_correction.clips import InstrumentKey, fits, read_clips
from omnigap_orchestrator.extras.asr_correction.foils import CalibrationError
from omnigap_orchestrator.extras.asr_correction.labels import LabelsError, read_labels
from omnigap_orchestrator.pipeline.cells import PlannedCells
from omnigap_orchestrator.pipeline.folder import RunFolder, replacing
from omnigap_orchestrator.pipeline.score import scoring_version
from omnigap_orchestrator.plan import scorer_key


def instrument_of(folder: RunFolder, cells: PlannedCells, results: pl.DataFrame) -> Instrument:
    """The instrument as the analysis takes it.

    Args:
        results: all of the run's, also where the analysis keeps to some items: labels of the others are no strangers.
    """
    golds = pl.DataFrame(
        [(item.id, item.language, list(item.answers)) for item in cells.plan.items], schema=GOLDS_SCHEMA, orient="row"
    )
    labels, lost = _labels(folder, results)
    clips, refused, note = _calibration(folder, cells)
    return Instrument(clips, golds, labels, refused, " ".join(part for part in (note, lost) if part))


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
