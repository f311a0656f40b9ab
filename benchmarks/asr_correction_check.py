"""Compares corrected scores and gaps of a calibrated run with those of the model's own text, which needs no scorer.

    python benchmarks/asr_correction_check.py runs/real-cpu

The own text is what the model wrote before it was spoken. Where the speech says it and the calibration fits the
answers, the corrected score estimates the score of the own text on the same items. Its interval also covers the
sampling error of the items, which both scores share, so it contains the own text's score more often than it should.
Therefore the output also has the part of the standard error that comes from the calibration, beside the difference.

Exit codes: 0 every interval contains the own text's value, 1 one does not, 2 nothing to compare.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """One score or gap by transcript, corrected, and by own text; all in points.

    Attributes:
        calibration_se: standard error that is due to the calibration.
    """

    model: str
    condition: str
    quantity: str
    raw: float
    corrected: float
    low: float
    high: float
    own: float
    calibration_se: float

    @property
    def agrees(self) -> bool:
        return self.low <= self.own <= self.high


def checks(summary: dict[str, Any]) -> Iterator[Check]:
    """All comparisons that a run's summary.json allows."""
    own = {(row["model"], row["condition"]): row["own_text"] for row in summary.get("synthesis_and_asr", [])}
    gaps = {
        (row["model"], row["condition"]): row["estimate"]
        for row in summary.get("headline_gaps", [])
        if (row["pooling"], row["missing"]) == ("item_weighted", "answered_pairs")
    }
    for row in summary.get("calibrated", []):
        key = (row["model"], row["condition"])
        for quantity, names, of_own in (
            ("score", ("raw", "corrected", "low", "high", "calibration_se"), own.get(key)),
            ("gap", ("raw_gap", "corrected_gap", "gap_low", "gap_high", "gap_calibration_se"), gaps.get(key)),
        ):
            found = [row[name] for name in names]
            if of_own is None or None in found:
                continue
            raw, corrected, low, high, error = (100 * value for value in found)
            yield Check(*key, quantity, raw, corrected, low, high, 100 * of_own, error)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path, help="folder of a run after `omnigap-orchestrate calibrate`")
    summary = json.loads((parser.parse_args().run / "summary.json").read_text(encoding="utf-8"))
    found = list(checks(summary))
    if not found:
        print("nothing to compare: the run needs spoken answers with own texts, and `calibrate`", file=sys.stderr)
        return 2
    print("| model | condition | | raw | corrected | own text | corrected - own (calibration's SE) | agrees |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for each in found:
        print(
            f"| {each.model} | {each.condition} | {each.quantity} | {each.raw:+.1f} | {each.corrected:+.1f}"
            f" [{each.low:+.1f}, {each.high:+.1f}] | {each.own:+.1f} | {each.corrected - each.own:+.1f}"
            f" ({each.calibration_se:.1f}) | {'yes' if each.agrees else 'no'} |"
        )
    return 0 if all(each.agrees for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
