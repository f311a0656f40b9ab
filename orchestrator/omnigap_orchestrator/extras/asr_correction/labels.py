"""Reads a CSV file of human labels, by clip or by cell, into a frame of `LABELS_SCHEMA`."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import polars as pl

from omnigap.digest import digest_of
from omnigap.errors import OmnigapError
from omnigap.files import read_regular
from omnigap_orchestrator.analysis.pairs import is_scored
from omnigap_orchestrator.extras.asr_correction.human import LABELS_SCHEMA
from omnigap_orchestrator.validation import names_shown, shown, table_fault

WORDS: dict[str, float | None] = {
    **dict.fromkeys(("right", "1", "1.0", "true", "yes", "correct"), 1.0),
    **dict.fromkeys(("wrong", "0", "0.0", "false", "no", "incorrect"), 0.0),
    **dict.fromkeys(("unsure", "?", "can't tell", "cant tell"), None),
}
"""Accepted labels and their scores; an empty label means that the clip was not labelled."""

_MAX_CELL = 200
_CELL = ("model", "condition", "item_id", "replicate")


# Characters that a spreadsheet ignores before a formula.
_BEFORE_FORMULA = re.compile(r"[\s'\"\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\x00-\x1f]*")
_FORMULA = frozenset("=+-@")


def spreadsheet_safe(value: object) -> object:
    """A value for a cell of a CSV file: text that a spreadsheet would run as a formula gets a leading apostrophe.

    Numbers stay as they are. `from_spreadsheet` returns the text.
    rules: https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{value}" if isinstance(value, str) and _runs(value) else value


def from_spreadsheet(text: str) -> str:
    """The text of a cell without the apostrophe that `spreadsheet_safe` put before it."""
    return text[1:] if text.startswith("'") and _runs(text[1:]) else text


def _runs(text: str) -> bool:
    """Whether a spreadsheet may take a text for a formula, also after blanks and quotes or in full-width form."""
    # Leading apostrophes do not count, so that `spreadsheet_safe` and `from_spreadsheet` agree on every text.
    text = text.lstrip("'")
    match = _BEFORE_FORMULA.match(text)
    assert match is not None
    first = unicodedata.normalize("NFKC", text[match.end() : match.end() + 1])
    return text[:1] in ("\t", "\r", "\n") or first[:1] in _FORMULA


class LabelsError(OmnigapError):
    """Labels can't be used; the message names the file, the line and the fix."""


def clip_ids(results: pl.DataFrame) -> pl.DataFrame:
    """The spoken answers with audio and a score, with a column `clip`, an anonymous name for each."""
    held = results.filter(
        (pl.col("output") == "speech") & is_scored() & pl.col("output_media").is_not_null()
    ).with_columns(pl.col("replicate").cast(pl.Int64))
    # A hash over the cell and its audio: it reveals nothing to the listener, matches no other answer, and labels can be
    # read back without a list of clips.
    names = [digest_of(["clip", *row])[:12] for row in held.select(*_CELL, "output_media").iter_rows()]
    return held.with_columns(clip=pl.Series(names, dtype=pl.String))


def read_labels(path: Path, results: pl.DataFrame) -> pl.DataFrame:
    """Reads labels of answers of these results; several labels of one answer are averaged.

    The file has the column `label` (right, wrong or unsure; empty rows are skipped) and either `clip`, as `sample-
    clips` names it, or `item_id` and `condition` (with `model` and `replicate` if the results have several). The
    optional column `inclusion_probability` is the probability that the answer was drawn.

    Returns:
        A frame of `LABELS_SCHEMA`.

    Raises:
        LabelsError: the file can't be read, a label or a probability is invalid, or an answer does not exist.
    """
    frame = _labelled_rows(path, results)
    words = frame["label"].str.strip_chars().str.to_lowercase()
    unknown = frame.filter(~words.is_in(list(WORDS)))
    if unknown.height:
        row = unknown.row(0, named=True)
        raise LabelsError(
            f"{path}, line {row['line']}: unknown label {shown(row['label'])}: write right, wrong or unsure, or "
            "leave it empty"
        )
    label = words.replace_strict(list(WORDS), list(WORDS.values()), return_dtype=pl.Float64)
    frame = frame.with_columns(label=label, inclusion_probability=_probability(path, frame))
    # Several annotators: the mean label; the inclusion probability is that of the answer, so any of them will do.
    return (
        frame.group_by(_CELL, maintain_order=True)
        .agg(pl.col("label").mean(), pl.col("inclusion_probability").first())
        .select(LABELS_SCHEMA.names())
        .cast(LABELS_SCHEMA)
    )


def _labelled_rows(path: Path, results: pl.DataFrame) -> pl.DataFrame:
    """The rows with a label, all columns as text, with the columns of the cell and `line`, the line in the file."""
    try:
        frame = pl.read_csv(read_regular(path), infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        why = getattr(error, "strerror", None) or table_fault(error)
        raise LabelsError(
            f"{path} can't be read as CSV ({why}): use the file that the listening sheet saved"
        ) from error
    frame = frame.with_columns(pl.col(pl.String).map_elements(from_spreadsheet, return_dtype=pl.String))
    if "label" not in frame.columns:
        raise LabelsError(f"{path} has no column 'label': it has {names_shown(frame.columns)}")
    frame = (
        frame.drop("line", strict=False)
        # Line 1 is the header.
        .with_row_index("line", offset=2)
        .filter(pl.col("label").fill_null("").str.strip_chars() != "")
    )
    if frame.is_empty():
        raise LabelsError(f"{path} contains no label: label some clips and save the CSV file from the listening sheet")
    return _by_clip(path, frame, results) if "clip" in frame.columns else _by_cell(path, frame, results)


def _by_clip(path: Path, frame: pl.DataFrame, results: pl.DataFrame) -> pl.DataFrame:
    if not {"output", "output_media", "replicate"} <= set(results.columns):
        raise LabelsError(
            f"{path} has a column 'clip', which only the results of a run can resolve: use item_id and condition "
            "instead"
        )
    known = clip_ids(results).select("clip", *_CELL)
    frame = frame.drop([name for name in _CELL if name in frame.columns])
    unmatched = frame.join(known, on="clip", how="anti", maintain_order="left")
    if unmatched.height:
        row = unmatched.row(0, named=True)
        raise LabelsError(
            f"{path}, line {row['line']}: clip {shown(row['clip'])} is not an answer of this run "
            f"({unmatched.height} such rows): the labels are of another run, or the answer has changed since; draw "
            "a new sample with sample-clips"
        )
    return frame.join(known, on="clip", maintain_order="left")


def _by_cell(path: Path, frame: pl.DataFrame, results: pl.DataFrame) -> pl.DataFrame:
    for name in ("item_id", "condition"):
        if name not in frame.columns:
            raise LabelsError(
                f"{path} needs a column 'clip' or a column {name!r}: it has {names_shown(frame.columns[1:])}"
            )
    models = results["model"].unique().to_list()
    if "model" not in frame.columns:
        if len(models) > 1:
            raise LabelsError(
                f"{path} has no column 'model', but the results have {len(models)} models: add the column"
            )
        frame = frame.with_columns(model=pl.lit(models[0]))
    if "replicate" not in frame.columns:
        frame = frame.with_columns(replicate=pl.lit("0"))
    frame = frame.with_columns(pl.col("replicate").cast(pl.Int64, strict=False))
    held = results if "replicate" in results.columns else results.with_columns(replicate=pl.lit(0))
    counted = held["replicate"].cast(pl.Int64, strict=False)
    if counted.null_count() > held["replicate"].null_count():
        strange = held.filter(counted.is_null())["replicate"].drop_nulls()[0]
        raise LabelsError(
            f"{path}: replicate {strange!r} of the results is not an integer, so labels can't be matched: number the "
            "replicates"
        )
    known = held.with_columns(replicate=counted).filter(is_scored()).select(_CELL).unique()
    unmatched = frame.join(known, on=list(_CELL), how="anti", maintain_order="left")
    if unmatched.height:
        row = unmatched.row(0, named=True)
        cell = f"{row['model']} {row['item_id']} {row['condition']} (replicate {row['replicate']})"[:_MAX_CELL]
        raise LabelsError(
            f"{path}, line {row['line']}: the results have no scored answer for {cell} ({unmatched.height} such rows)"
        )
    return frame


def _probability(path: Path, frame: pl.DataFrame) -> pl.Series:
    """Inclusion probabilities, shape (rows,); null if the file has no such column."""
    name = "inclusion_probability"
    if name not in frame.columns:
        return pl.Series(name, [None] * frame.height, dtype=pl.Float64)
    numbers = frame[name].cast(pl.Float64, strict=False)
    bad = frame.filter(numbers.is_null() | ~numbers.is_between(0, 1, closed="right"))
    if bad.height:
        row = bad.row(0, named=True)
        raise LabelsError(
            f"{path}, line {row['line']}: {name} {shown(row[name])} must be a number above 0 and at most 1: remove the "
            "column "
            "if all answers were drawn with equal probability"
        )
    return numbers
