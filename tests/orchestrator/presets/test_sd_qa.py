"""VoiceBench's sd-qa: judge scores, and the documented script that adds PANDA verdicts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.config import load_config
from omnigap_orchestrator.extras.importers.results import read_published
from omnigap_orchestrator.items import load_items
from omnigap_orchestrator.plan import metric_rules
from omnigap_orchestrator.presets import PresetError, load_preset
from omnigap_orchestrator.scoring import metric_of

DOCS = Path(__file__).parents[3] / "docs"
ANSWERS = ("It was William Shakespeare.", "Shakespeare", "No idea")
VOTES = (["Yes", "Yes", "No"], ["No", "yes", "No"], ["Yes", "No", "YES"])


def judged_file(folder: Path, modality: str) -> Path:
    path = folder / f"result-tiny-sd-qa-usa-{modality}.jsonl"
    rows = [
        {"prompt": f"who wrote hamlet {i}", "reference": "William Shakespeare", "response": answer, "score": votes}
        for i, (answer, votes) in enumerate(zip(ANSWERS, VOTES, strict=True))
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path) -> list[float | None]:
    results = load_preset("voicebench").results
    assert results is not None
    return read_published([path], results).frame["score"].to_list()


def test_judged_file_uses_the_majority_and_unjudged_file_raises(tmp_path: Path) -> None:
    path = judged_file(tmp_path, "audio")
    assert read(path) == [1.0, 0.0, 1.0]
    unjudged = tmp_path / "tiny-sd-qa-usa-audio.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    unjudged.write_text("".join(json.dumps({k: row[k] for k in row if k != "score"}) + "\n" for row in rows))
    with pytest.raises(PresetError, match=r"sd-qa is rated by a judge"):
        read(unjudged)


def test_items_use_the_judge_unless_another_metric_is_configured(tmp_path: Path) -> None:
    folder = tmp_path / "voicebench" / "sd-qa"
    folder.mkdir(parents=True)
    (folder / "usa.jsonl").write_text(json.dumps({"prompt": "who wrote hamlet", "reference": "Shakespeare"}) + "\n")

    def metric(text: str) -> str:
        path = tmp_path / "my.toml"
        path.write_text(f'[items]\npath = "voicebench/sd-qa/usa.jsonl"\npreset = "voicebench"\n{text}')
        config = load_config(path)
        (only,) = load_items(config.items)
        return metric_of(only, metric_rules(config))

    assert metric("[judge]\n") == metric("") == "judge"
    assert metric('[scoring.tasks]\nsd-qa = "containment"\n') == "containment"


def test_documented_script_writes_a_table_for_analyse(tmp_path: Path) -> None:
    page = (DOCS / "scoring.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n(import csv\n.*?)```", page, re.DOTALL)
    (tmp_path / "panda_scores.py").write_text(script)
    # In place of the published package, which downloads its classifier.
    stub = tmp_path / "qa_metrics"
    stub.mkdir()
    (stub / "__init__.py").touch()
    (stub / "pedant.py").write_text(
        "class PEDANT:\n"
        "    def evaluate(self, reference, candidate, question):\n"
        "        return 'Shakespeare' in candidate\n"
    )
    tables = []
    for modality in ("audio", "text"):
        command = [sys.executable, "panda_scores.py", judged_file(tmp_path, modality).name]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        tables.append(tmp_path / f"{modality}.csv")
        tables[-1].write_text(done.stdout)
    arguments = [*map(str, tables), "--condition", "s2t", "--condition", "t2t", "--model", "tiny", "--json"]
    found = CliRunner().invoke(main, ["analyse", *arguments])
    assert found.exit_code == 0, found.output
    rows = json.loads(found.stdout)["accuracy"]
    means = {row["condition"]: row["estimate"] for row in rows}
    assert means == pytest.approx({"s2t": 2 / 3, "t2t": 2 / 3})
