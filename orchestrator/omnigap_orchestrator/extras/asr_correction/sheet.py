"""`sample-clips`: draws a stratified sample of spoken answers and writes the listening sheet and the labels file."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
import soundfile
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from omnigap.digest import digest_of
from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.extras.asr_correction.human import RIGHT_FROM
from omnigap_orchestrator.extras.asr_correction.labels import clip_ids, spreadsheet_safe
from omnigap_orchestrator.items import Item
from omnigap_orchestrator.pipeline.folder import replacing
from omnigap_orchestrator.report.write import content_policy

MIN_PER_STRATUM = 2
"""Clips per stratum that a variance needs."""


def draw_clips(results: pl.DataFrame, n: int, seed: int) -> pl.DataFrame:
    """Draws a stratified sample without replacement, in random order.

    Strata are model x condition x scored right or wrong: wrong answers are rare for a good model, and there the scorer
    errs most. Strata get equal shares; one that is smaller is taken completely, and the rest goes to the others.

    Returns:
        The sampled rows of the results, with the columns `clip`, `stratum` (a number), `stratum_size` and
        `inclusion_probability`.
    """
    held = clip_ids(results).with_columns(right=pl.col("score") >= RIGHT_FROM)
    if held.is_empty():
        return held.with_columns(stratum=pl.lit(0), stratum_size=pl.lit(0), inclusion_probability=pl.lit(1.0)).drop(
            "right"
        )
    keys = ["model", "condition", "right"]
    held = held.with_columns(stratum=(pl.struct(keys).rank("dense") - 1).cast(pl.Int64))
    # 4 separates these draws from other generators with the same seed.
    rng = np.random.default_rng([seed, 4])
    codes = held["stratum"].to_numpy()
    sizes = np.bincount(codes)
    shares = even_shares(sizes.tolist(), n)
    rows = [rng.choice(np.flatnonzero(codes == code), share, replace=False) for code, share in enumerate(shares)]
    # Shuffled, so that the listener can't infer the stratum from the position.
    chosen = rng.permutation(np.concatenate(rows))
    size = sizes[codes]
    probability = np.array(shares)[codes] / size
    held = held.with_columns(stratum_size=pl.Series(size), inclusion_probability=pl.Series(probability))
    return held.select(pl.all().gather(chosen.tolist())).drop("right")


def even_shares(sizes: list[int], n: int) -> list[int]:
    """Number of clips of each stratum: as even as the sizes allow, and at least two of each stratum that has two."""
    least = [min(size, MIN_PER_STRATUM) for size in sizes]
    shares, left = least, max(0, n - sum(least))
    while left > 0:
        open_strata = [code for code, size in enumerate(sizes) if shares[code] < size]
        if not open_strata:
            break
        # The smallest shares first, so that the last clips make the shares more even.
        for code in sorted(open_strata, key=lambda code: (shares[code], code))[:left]:
            shares[code] += 1
            left -= 1
    return shares


SHEET, LABELS, KEY = "sheet.html", "labels.csv", "clips.csv"
LABEL_COLUMNS = ("clip", "stratum", "stratum_size", "inclusion_probability")
_KEY_COLUMNS = ("model", "condition", "item_id", "replicate", "score", "own_text", "transcript", "output_media")


@dataclass(frozen=True, slots=True)
class _Shown:
    """One clip as the sheet contains it, blind: without model, condition and transcript."""

    clip: str
    stratum: int
    stratum_size: int
    inclusion_probability: float
    question: str
    choices: tuple[str, ...]
    instruction: str
    answers: tuple[str, ...]
    language: str
    audio: str


def write_sheet(
    out: Path, sample: pl.DataFrame, items: Mapping[str, Item], store: MediaStore, run: str, run_dir: Path
) -> None:
    """Writes sheet.html, labels.csv (to fill in) and clips.csv (the answer of each clip, not for the listener).

    Args:
        sample: result of `draw_clips`.

    Raises:
        FolderError: the folder can't be written.
        StoreError: the audio of a clip is not in the run folder.
    """
    clips = [_shown(row, items[str(row["item_id"])], store) for row in sample.iter_rows(named=True)]
    data = {"sample": digest_of([clip.clip for clip in clips])[:16], "clips": [asdict(clip) for clip in clips]}
    # The data sits in a <script> element, which only a closing tag ends: no "<" may occur in it.
    text = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    environment = _environment()
    page = environment.get_template("sheet.html").generate(
        clips=clips,
        run=run,
        run_dir=run_dir,
        data=Markup(text),
        policy=content_policy(environment, ("sheet.js",), ("sheet.css",)),
    )
    with replacing(out / SHEET) as path, path.open("w", encoding="utf-8") as file:
        file.writelines(page)
    with replacing(out / LABELS) as path:
        path.write_text(sheet_csv(sample, LABEL_COLUMNS, ("label",)), encoding="utf-8")
    with replacing(out / KEY) as path:
        path.write_text(sheet_csv(sample, (*LABEL_COLUMNS, *_KEY_COLUMNS)), encoding="utf-8")


def _shown(row: dict[str, object], item: Item, store: MediaStore) -> _Shown:
    return _Shown(
        clip=str(row["clip"]),
        stratum=int(str(row["stratum"])),
        stratum_size=int(str(row["stratum_size"])),
        inclusion_probability=float(str(row["inclusion_probability"])),
        question=item.question,
        choices=item.choices,
        instruction=item.instruction,
        answers=item.answers,
        language=item.language,
        audio=_data_url(store.read(str(row["output_media"]))),
    )


def _data_url(wav: bytes) -> str:
    """The clip as a FLAC data URL: lossless, about half the size of WAV, and supported by every browser."""
    samples, rate = soundfile.read(io.BytesIO(wav), dtype="int16")
    flac = io.BytesIO()
    soundfile.write(flac, samples, rate, format="FLAC", subtype="PCM_16")
    return f"data:audio/flac;base64,{base64.b64encode(flac.getvalue()).decode()}"


def sheet_csv(sample: pl.DataFrame, columns: tuple[str, ...], empty: tuple[str, ...] = ()) -> str:
    """These columns as CSV, with empty ones behind them; a spreadsheet runs nothing in it, see `spreadsheet_safe`."""
    text = io.StringIO()
    # CR LF, as in RFC 4180: with another line end, csv leaves a carriage return in a text without quotes.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([*columns, *empty])
    for row in sample.select(columns).iter_rows():
        writer.writerow([*map(spreadsheet_safe, row), *("" for _ in empty)])
    return text.getvalue()


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("omnigap_orchestrator.extras.asr_correction"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    loader = environment.loader
    assert loader is not None
    environment.globals["asset"] = lambda name: Markup(loader.get_source(environment, name)[0])
    return environment
