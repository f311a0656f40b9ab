"""Writes expected numbers that differ from those of 0.1.0: `python -m tests.golden.regenerate`.

Only for an intended change of scores or tables. Numbers equal to those of 0.1.0 are not written; files of an earlier
change that equal them again are removed.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.golden.commands import PRINTED, analysed, compared, orchestrate
from tests.golden.folders import EXPECTED, GOLDENS, TABLES, forget_outputs, rows_of, summary_of, unpack
from tests.golden.numbers import differences, row_differences
from tests.golden.served import ASKED_FOR, asked_without


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        before = {golden: unpack(golden, Path(place, "before")) for golden in GOLDENS}
        now = {golden: unpack(golden, Path(place, "now")) for golden in GOLDENS}
        for golden in GOLDENS:
            forget_outputs(now[golden])
            orchestrate("report", "--run-dir", now[golden])
            (EXPECTED / golden).mkdir(parents=True, exist_ok=True)
            _keep(golden, "summary.json", before[golden], now[golden], lambda path: json.loads(path.read_text()))
            for table in TABLES[golden]:
                _keep(golden, table, before[golden], now[golden], rows_of)
        for golden in GOLDENS:
            # From the files of 0.1.0, as in the tests; `report` above rewrote those of the other copy.
            for command, result in PRINTED.items():
                _write(EXPECTED / golden / f"{command}.json", result(before[golden]))
            summary, tables = summary_of(golden, before[golden]), analysed(before[golden])
            others = {name: table for name, table in tables.items() if differences(summary.get(name), table, name)}
            kept = {"as_in_summary": [name for name in tables if name not in others], "others": others}
            _write(EXPECTED / golden / "analyse.json", kept)
            copies = {table: unpack(golden, Path(place, table)) for table in ASKED_FOR}
            requests = {table: asked_without(folder, table) for table, folder in copies.items()}
            _write(EXPECTED / golden / "requests.json", requests)
        _write(EXPECTED / "compare.json", compared(before["plain"], before["controls"]))


def _keep(golden: str, file: str, before: Path, now: Path, read: Callable[[Path], Any]) -> None:
    place = EXPECTED / golden / file
    place.unlink(missing_ok=True)
    compare = differences if file.endswith(".json") else row_differences
    if compare(read(before / file), read(now / file)):
        shutil.copyfile(now / file, place)
        print(f"{golden}/{file} differs from 0.1.0")


def _write(path: Path, value: Any) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    if path.is_file() and not differences(json.loads(path.read_text(encoding="utf-8")), value):
        return  # Differences in the last digits of a float are ignored.
    path.write_text(text, encoding="utf-8")
    print(f"wrote {path.relative_to(EXPECTED)}")


if __name__ == "__main__":
    main()
