"""The table of a calibration, one row a clip: its schema, and whether it still fits the instrument that it measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from omnigap_orchestrator.extras.asr_correction.foils import CalibrationError
from omnigap_orchestrator.legacy import upgrade_calibration

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
