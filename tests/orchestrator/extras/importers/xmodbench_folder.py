"""Makes a folder of result files in the layout of XModBench, with made-up questions and answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

WAYS = {
    "a2t": "audio_text",
    "a2v": "audio_vision",
    "t2a": "text_audio",
    "t2v": "text_vision",
    "v2a": "vision_audio",
    "v2t": "vision_text",
}


def write_way(
    folder: Path,
    task: str,
    condition: str,
    items: Iterable[int],
    *,
    wrong: Iterable[int] = (),
    failed: Iterable[int] = (),
    name: str = "{task}_{way}.json",
) -> Path:
    """One file: item n has the gold answer "ABCD"[n % 4]."""
    rows: dict[str, Mapping[str, object]] = {}
    for number in items:
        gold = "ABCD"[number % 4]
        answer: str | None = "ABCD"[(number + 1) % 4] if number in set(wrong) else gold
        answer = None if number in set(failed) else answer
        rows[str(number)] = {
            "question": "Which of the four fits?",
            "response": answer,
            "correct_answer": gold,
            "index": number,
            "is_correct": answer == gold,
        }
    right = sum(bool(row["is_correct"]) for row in rows.values())
    way = WAYS[condition]
    path = folder / name.format(task=task, way=way)
    path.parent.mkdir(parents=True, exist_ok=True)
    body = {"task_name": f"{task}_{way}", "correct_count": right, "all_count": len(rows), "results": rows}
    path.write_text(json.dumps(body), encoding="utf-8")
    return path


def write_model(
    folder: Path, *, tasks: Iterable[str] = ("perception_bells", "temporal_order"), items: int = 24
) -> Path:
    """A model's folder with all six ways of each task; the wrong answers differ between the ways."""
    for task in tasks:
        for place, condition in enumerate(WAYS):
            write_way(folder, task, condition, range(items), wrong=range(0, items, 3 + place))
    return folder
