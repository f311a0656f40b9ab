"""Schema of the results table, one row per planned cell, which analysis, export and report read."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from polars.datatypes import DataType, DataTypeClass

from omnigap.errors import OmnigapError

_COLUMNS: dict[str, DataType | DataTypeClass] = {
    "run": pl.String,
    "model": pl.String,
    "architecture": pl.String,
    "item_id": pl.String,
    "task": pl.String,
    "language": pl.String,
    # The item's cluster, or else its id; never null.
    "cluster": pl.String,
    "answer_type": pl.String,
    "input": pl.String,
    "output": pl.String,
    "condition": pl.String,
    "replicate": pl.Int32,
    # How the carrier was rendered. Null for the item's own carriers, and where the TTS service chose the value. Lengths
    # are in pixels.
    "voice": pl.String,
    "words_per_minute": pl.Float64,
    "font": pl.String,
    "font_size": pl.Int32,
    "colour": pl.String,
    "background": pl.String,
    "image_width": pl.Int32,
    "outcome": pl.String,
    "support": pl.String,
    "flags": pl.List(pl.String),
    "own_text": pl.String,
    "transcript": pl.String,
    # The scored text: the transcript of a speech answer, or the own text of a text answer.
    "answer_used": pl.String,
    # The form in which answers are compared: the letter, number or label, or else the normalised words.
    "normalised_answer": pl.String,
    # In [0, 1]; null unless the outcome is `answered` (and, for speech, transcribed).
    "score": pl.Float64,
    "own_text_score": pl.Float64,
    "metric": pl.String,
    "finish_reason": pl.String,
    "error_reason": pl.String,
    "error_message": pl.String,
    "audio_seconds": pl.Float64,
    "tokens": pl.Int64,
    # SHA-256 of stored media; null for text.
    "input_media": pl.String,
    "output_media": pl.String,
    # Seconds. `latency_s` is measured by the client, from sending to the last byte; the others come from the server.
    "latency_s": pl.Float64,
    "queue_s": pl.Float64,
    "compute_s": pl.Float64,
    "ttft_s": pl.Float64,
    "audio_ttfp_s": pl.Float64,
    "model_digest": pl.String,
    "asr_digest": pl.String,
    # Confidence values of the ASR scorer; null for text answers.
    "asr_avg_logprob": pl.Float64,
    "asr_no_speech_prob": pl.Float64,
    "asr_compression_ratio": pl.Float64,
    "asr_language": pl.String,
    # Word errors and reference words of the transcript against the own text; null without own text.
    "wer_errors": pl.Int64,
    "wer_words": pl.Int64,
    # The same by Whisper's normaliser, as papers report it.
    "wer_errors_whisper": pl.Int64,
    "wer_words_whisper": pl.Int64,
    # Transcript and score by the second ASR scorer, if there is one.
    "second_transcript": pl.String,
    "second_score": pl.Float64,
    "second_asr_digest": pl.String,
    # Rating of the judge on the rubric's scale, the lowest for an empty answer. Null for other metrics, and for rubrics
    # with labels.
    "judge_rating": pl.Float64,
    "judge_digest": pl.String,
    # What had random weights (`--tiny`) of all that this cell depends on, comma-separated: model, tts, scorer, judge.
    # Null if nothing had.
    "random_weights": pl.String,
    # Expected score of a guess: 1 / number of choices, 0 for an answer in free form, null if unknown.
    "chance": pl.Float64,
}

RESULTS_SCHEMA = pl.Schema(_COLUMNS)
"""Cells without an answer (`failed`, `pending`, `unsupported`) have rows too: denominators are counted from here."""

CONTROLS_SCHEMA = pl.Schema(
    {
        **_COLUMNS,
        # two-pass, blank or repeat.
        "control": pl.String,
        # Output of the first pass of a two-pass cell. The word errors (`wer_...`) then compare it with the text of the
        # carrier, and are null if the item's own carrier has no known text.
        "first_pass": pl.String,
    }
)
"""Schema of the control cells. Their condition is that of the ordinary cell that they are compared with."""


RANDOM_WEIGHTS = "random_weights"
RANDOM_ROLES = ("model", "tts", "scorer", "judge")


class TableError(OmnigapError):
    """A table cannot be read as results; the message names the file, the column and the flag that fixes it."""


def read_own_results(path: Path) -> pl.DataFrame:
    """Reads the results.parquet of a run.

    Raises:
        TableError: the file can't be read, or was not written by this version.
    """
    try:
        frame = pl.read_parquet(path, glob=False)
    # polars panics on some damaged files; PanicException is not a PolarsError.
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise TableError(
            f"{path} can't be read as results ({error}): give a run folder or its results.parquet"
        ) from error
    # Runs from before `--tiny` existed have no such column, and no random weights.
    if RANDOM_WEIGHTS not in frame.columns:
        frame = frame.with_columns(pl.lit(None, pl.String).alias(RANDOM_WEIGHTS))
    if lacking := [name for name in RESULTS_SCHEMA.names() if name not in frame.columns]:
        raise TableError(f"{path} lacks the columns {', '.join(lacking)}: give a run folder or its results.parquet")
    return frame


def random_weights_of(results: pl.DataFrame) -> dict[str, tuple[str, ...]]:
    """Model -> what had random weights for a cell of it, in the order of `RANDOM_ROLES`; other models are left out.

    Args:
        results: any table of results; one of another tool has no such column, or another meaning of its name.
    """
    if results.schema.get(RANDOM_WEIGHTS) != pl.String:
        return {}
    roles: dict[str, set[str]] = {}
    for model, found in results.select("model", RANDOM_WEIGHTS).drop_nulls().unique().iter_rows():
        roles.setdefault(model, set()).update(found.split(", "))
    known = {model: tuple(role for role in RANDOM_ROLES if role in some) for model, some in sorted(roles.items())}
    return {model: some for model, some in known.items() if some}


def not_representative(results: pl.DataFrame) -> frozenset[str]:
    """The models with random weights, which figures over several models leave out; none if all models have them."""
    random = frozenset(random_weights_of(results))
    # A run with only such models, such as `make run-tiny`, shows every figure.
    return random if random < set(results["model"]) else frozenset()
