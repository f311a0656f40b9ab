"""Compares how omnigap reads published model outputs with the extraction that was published with them.

    python benchmarks/published_extractions.py FOLDER [--rows]

FOLDER holds the review files (JSON Lines) of evalscope runs of GSM8K, ARC, GPQA or C-Eval, in any subfolders and in the
old or the new shape. Such files are public in the examples of its repository, some only in older commits; nothing of
them is part of omnigap. The table gives, by benchmark: rows, how many are read as published, how many are read as
another letter or number, and how many are unparsable. `--rows` prints the rows that differ.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from omnigap_orchestrator.score_text import score_text

_BENCHMARKS = ("gsm8k", "arc", "gpqa", "ceval")
_CHOICE = re.compile(r"^\(?([A-J])[).]\s*(.*)$", re.M)


@dataclass(frozen=True, slots=True)
class Row:
    """One published output: the text of the model, and what the published extraction read from it."""

    benchmark: str
    text: str
    published: str
    question: str
    choices: tuple[str, ...]


def rows_of(path: Path) -> Iterator[Row]:
    """The rows of one review file; files of other benchmarks have none."""
    benchmark = next((name for name in _BENCHMARKS if path.name.lower().startswith(name)), None)
    if benchmark is None:
        return
    for line in filter(None, path.read_text(encoding="utf-8").split("\n")):
        row = json.loads(line)
        yield _old(benchmark, row) if "choices" in row else _new(benchmark, row)


def _old(benchmark: str, row: dict[str, Any]) -> Row:
    choice, given = row["choices"][0], row["raw_input"]
    options = given.get("choices", {}).get("text") if isinstance(given.get("choices"), dict) else None
    choices = options or [given[letter] for letter in "ABCD" if letter in given]
    return Row(
        benchmark, choice["message"]["content"], str(choice["review"]["pred"]), given["question"], tuple(choices)
    )


def _new(benchmark: str, row: dict[str, Any]) -> Row:
    score = row["sample_score"]["score"]
    asked = row.get("input") or row["messages"][0]["content"]
    # Worked examples come first, so the last list of choices belongs to the question.
    found = _CHOICE.findall(asked)
    start = max((i for i, (letter, _) in enumerate(found) if letter == "A"), default=0)
    choices = tuple(text for _, text in found[start:]) if benchmark != "gsm8k" else ()
    return Row(benchmark, score["prediction"], str(score["extracted_prediction"]), asked.split("\n\n")[-1], choices)


def outcome(row: Row) -> tuple[str, str | None]:
    """How our reading compares: "agree", "other" or "unparsable", and what was read."""
    is_number = row.benchmark == "gsm8k"
    gold = row.published if is_number else row.published.strip().upper()[:1] or "A"
    kind = "number" if is_number else "letter"
    scored = score_text(
        {"text": row.text, "answers": [gold or "0"], "answer_type": kind, "question": row.question}
        | ({"choices": list(row.choices)} if row.choices else {})
        | {"language": "zh" if row.benchmark == "ceval" else "en"}
    )
    if scored.parsed is None:
        # Where the published extraction found nothing either, both agree.
        return ("agree" if not row.published.strip() else "unparsable"), None
    if is_number:
        return ("agree" if scored.score == 1 or _same(scored.parsed, row.published) else "other"), scored.parsed
    return ("agree" if scored.parsed == gold else "other"), scored.parsed


def _same(read: str, published: str) -> bool:
    try:
        return Fraction(read.split()[0]) == Fraction(published.replace(",", "").replace("$", "").strip())
    except (ValueError, ZeroDivisionError, IndexError):
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", action="store_true", help="print the rows that differ")
    options = parser.parse_args()
    counts: dict[str, Counter[str]] = {}
    for path in sorted(options.folder.rglob("*.jsonl")):
        for row in rows_of(path):
            kind, read = outcome(row)
            counts.setdefault(row.benchmark, Counter())[kind] += 1
            if options.rows and kind != "agree":
                print(f"{path.parent.name}/{path.name}: {kind}: {read!r}, published {row.published!r}: {row.text!r}\n")
    if not counts:
        sys.exit(f"{options.folder} holds no review files of {', '.join(_BENCHMARKS)}")
    print(f"{'benchmark':<10} {'rows':>5} {'as published':>13} {'other':>6} {'unparsable':>11}")
    for name, found in sorted(counts.items()):
        total = found.total()
        agree = f"{found['agree']} ({100 * found['agree'] / total:.0f} %)"
        print(f"{name:<10} {total:>5} {agree:>13} {found['other']:>6} {found['unparsable']:>11}")


if __name__ == "__main__":
    main()
