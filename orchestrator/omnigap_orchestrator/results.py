"""The table of a run, one row per planned cell: its columns in order, with their types. All that follows reads this."""

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
    # The item's own cluster, else its id: never null.
    "cluster": pl.String,
    "answer_type": pl.String,
    "input": pl.String,
    "output": pl.String,
    "condition": pl.String,
    "replicate": pl.Int32,
    # How the carrier was made, as far as the configuration chose it: null where the item brings its own, and where the
    # voice service chose. Lengths in pixels.
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
    # What was scored: the transcript of a speech answer, the own text of a text answer.
    "answer_used": pl.String,
    # That text as it is compared between conditions: the letter, number or label read from it, else normalised words.
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
    # SHA-256 of the stored media; null where there is none.
    "input_media": pl.String,
    "output_media": pl.String,
    # Seconds. Latency runs from sending to the last byte; the others are the server's own.
    "latency_s": pl.Float64,
    "queue_s": pl.Float64,
    "compute_s": pl.Float64,
    "ttft_s": pl.Float64,
    "audio_ttfp_s": pl.Float64,
    "model_digest": pl.String,
    "asr_digest": pl.String,
    # What the ASR scorer said of its own transcript; null for text answers.
    "asr_avg_logprob": pl.Float64,
    "asr_no_speech_prob": pl.Float64,
    "asr_compression_ratio": pl.Float64,
    "asr_language": pl.String,
    # Word errors and words of the transcript against the own text; null where there is no own text.
    "wer_errors": pl.Int64,
    "wer_words": pl.Int64,
    # By the second scorer, where there is one: what it heard in the same audio, and what that is worth.
    "second_transcript": pl.String,
    "second_score": pl.Float64,
    "second_asr_digest": pl.String,
    # What the judge said on its rubric's own scale, the lowest for an answer of nothing; null for other metrics, and
    # where the rubric has labels.
    "judge_rating": pl.Float64,
    "judge_digest": pl.String,
    # 1 over the number of choices; null where there are none to guess among.
    "chance": pl.Float64,
}

RESULTS_SCHEMA = pl.Schema(_COLUMNS)
"""Missing cells (`failed`, `pending`, `unsupported`) are rows too: every denominator is counted from here."""

CONTROLS_SCHEMA = pl.Schema(
    {
        **_COLUMNS,
        # two-pass, blank or repeat.
        "control": pl.String,
        # What the model wrote down in the first pass of a two-pass cell; `wer_errors` and `wer_words` are then its own,
        # against the words of the carrier, and null where the item brings a carrier whose words nobody gave.
        "first_pass": pl.String,
    }
)
"""The table of control cells, beside that of the results. Their condition is that of the cell they stand beside."""


class TableError(OmnigapError):
    """A table cannot be read as results; the message names the file, the column and the flag that fixes it."""


def read_own_results(path: Path) -> pl.DataFrame:
    """The results.parquet of a run.

    Raises:
        TableError: the file can't be read, or a run of this version did not write it.
    """
    try:
        frame = pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise TableError(
            f"{path} can't be read as results ({error}): give a run's folder or its results.parquet"
        ) from error
    if lacking := [name for name in RESULTS_SCHEMA.names() if name not in frame.columns]:
        raise TableError(f"{path} lacks the columns {', '.join(lacking)}: give a run's folder or its results.parquet")
    return frame
