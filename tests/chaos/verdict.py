"""Judges a run from outside: its table, its journal (by sqlite3) and the log of the services, without product code."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from tests.chaos.fault_server import answer_text, digest_of
from tests.chaos.kinds import Kind, Must
from tests.chaos.table import Row

Place = tuple[str, int, str]
"""Model, number of the item, and output ("text" or "speech"); the input is always typed."""


@dataclass
class Seen:
    """What a run folder holds, and what its services were asked.

    Attributes:
        cells: rows of results.parquet by place; empty if there is no readable table.
        asked: number of requests by place that a fault hit.
        keys: keys of all journalled answers and transcripts, with the time of the row.
    """

    cells: dict[Place, dict[str, Any]] = field(default_factory=dict)
    asked: Counter[Place] = field(default_factory=Counter)
    keys: dict[str, float] = field(default_factory=dict)


def seen(run: Path, requests: Iterable[Mapping[str, Any]]) -> Seen:
    """Reads a run folder."""
    found = Seen(keys=journalled(run))
    if (run / "results.parquet").is_file():
        for row in pl.read_parquet(run / "results.parquet").iter_rows(named=True):
            found.cells[row["model"], int(row["item_id"].rpartition("-")[2]), row["output"]] = row
    found.asked = Counter((r["name"], r["item"], r["output"]) for r in requests if r["hit"])
    return found


def journalled(run: Path) -> dict[str, float]:
    """The key and the time of each answer and transcript in a journal; empty where there is none yet."""
    path, keys = run / "journal.sqlite", {}
    if path.is_file():
        try:
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as journal:
                for table in ("answers", "transcripts"):
                    keys.update(journal.execute(f"SELECT key, finished_at FROM {table}"))
        except sqlite3.Error:
            return keys
        finally:
            journal.close()
    return keys


def key_in(request_id: str) -> str:
    """The key of the answer that a request asks for: the id is RUN-KEY, with a mark after a space at times."""
    return request_id.partition("-")[2].partition(" ")[0]


def asked_twice(requests: Iterable[Mapping[str, Any]], keys: Mapping[str, float]) -> list[str]:
    """Requests that arrived although their answer was journalled before."""
    asked = ((key_in(str(r["request_id"])), r) for r in requests)
    return [f"{r['name']} item {r['item']} {r['output']}" for key, r in asked if key in keys and r["at"] > keys[key]]


def is_right(name: str, item: int, cell: Mapping[str, Any], scorer: str = "scorer") -> str:
    """What is wrong with an answered cell; empty if it is as the service gave it."""
    text = answer_text(name, item, cell["output"])
    if cell["own_text"] != text:
        return f"own text {str(cell['own_text'])[:60]!r}"
    if cell["model_digest"] != digest_of(name):
        return f"model digest {str(cell['model_digest'])[:20]!r}"
    if cell["output"] == "speech" and cell["transcript"] != text:
        return f"transcript {str(cell['transcript'])[:60]!r}"
    if cell["output"] == "speech" and cell["asr_digest"] != digest_of(scorer):
        return f"scorer digest {str(cell['asr_digest'])[:20]!r}"
    numbers = [cell[name] for name in ("latency_s", "queue_s", "compute_s", "ttft_s", "audio_seconds", "score")]
    if any(number is not None and not 0 <= number < float("inf") for number in numbers):
        return f"numbers {numbers}"
    return ""


def during(row: Row, kind: Kind, model: str, items: Iterable[int], now: Seen, scorer: str = "scorer") -> None:
    """Judges the cells of these items of a model while the fault is active."""
    for item in items:
        for output in ("text", "speech"):
            place = (model, item, output)
            cell, hit = now.cells.get(place), place in now.asked
            outcome = "pending" if cell is None else cell["outcome"]
            row.tries += hit
            if cell is not None and hit:
                row.say(f"{cell['error_reason']}: {cell['error_message']}" if cell["error_reason"] else "")
            if outcome == "answered":
                _judge_answer(row, kind, model, item, hit, cell or {}, scorer)
            elif hit:
                _judge_missing(row, kind, item, outcome)
            elif not kind.whole or outcome == "failed":
                why = "" if cell is None else f" ({cell['error_reason']}: {cell['error_message']})"
                row.fail("lost", f"item {item} {output} was not hit and is {outcome}{why}")


def _judge_answer(row: Row, kind: Kind, model: str, item: int, hit: bool, cell: Mapping[str, Any], scorer: str) -> None:
    if fault := is_right(model, item, cell, scorer):
        row.fail("wrong", f"item {item} {cell['output']}: {fault}")
    elif hit and kind.must in (Must.FAILED, Must.UNANSWERED, Must.PENDING):
        row.fail("wrong", f"item {item} {cell['output']} is answered and should be {kind.must}")


def _judge_missing(row: Row, kind: Kind, item: int, outcome: str) -> None:
    expected = {Must.FAILED: ("failed",), Must.PENDING: ("pending",), Must.ANSWERED: ()}
    if outcome not in expected.get(kind.must, ("failed", "pending", "unsupported")):
        row.fail("lost", f"item {item} is {outcome} and should be {kind.must}")


def after(row: Row, name: str, items: Iterable[int], now: Seen, scorer: str = "scorer") -> None:
    """Judges the cells of these items of a model after its fault is gone and the same command ran again."""
    for item in items:
        for output in ("text", "speech"):
            cell = now.cells.get((name, item, output))
            if cell is None or cell["outcome"] != "answered":
                what = (
                    "no row" if cell is None else f"{cell['outcome']} ({cell['error_reason']}: {cell['error_message']})"
                )
                row.fail("lost", f"item {item} {output} after the fault: {what}")
            elif fault := is_right(name, item, cell, scorer):
                row.fail("wrong", f"item {item} {output} after the fault: {fault}")


def run_table(run: Path) -> pl.DataFrame:
    """The results of a run without what differs between any two runs of the same plan."""
    table = pl.read_parquet(run / "results.parquet")
    times = ("latency_s", "queue_s", "compute_s", "ttft_s", "audio_ttfp_s", "run")
    return table.drop(times).sort("model", "item_id", "condition", "replicate")


def summary_of(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "summary.json").read_text(encoding="utf-8")))
