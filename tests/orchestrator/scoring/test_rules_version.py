"""Scores count under the version of the rules that made them: no outcome changes without a new RULES_VERSION."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omnigap_orchestrator import scoring
from omnigap_orchestrator.legacy import rules_token
from omnigap_orchestrator.pipeline.score import scoring_version
from omnigap_orchestrator.scoring import RULES_VERSION
from tests.orchestrator.scoring import rules_golden
from tests.orchestrator.scoring.rules_golden import CHANGED, differences, read


def test_no_outcome_changed_under_this_rules_version() -> None:
    golden = read()
    assert golden["rules_version"] == RULES_VERSION, CHANGED
    assert not (found := differences(golden)), f"{CHANGED}\n" + "\n".join(f"{case} -> {now}" for case, now in found)


def test_golden_covers_every_metric_except_the_judge() -> None:
    used = {case.get("metric") or scoring.metric_for(case["answer_type"]) for case in read()["answers"]}
    assert used == set(scoring.known_metrics())


def test_scoring_version_follows_from_rules_version() -> None:
    assert scoring_version() == rules_token(RULES_VERSION)


def test_changed_outcomes_are_written_only_under_a_new_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    golden = read()
    path = tmp_path / "rules.json"
    golden["answers"] = golden["answers"][:2]
    golden["answers"][0]["outcome"]["score"] = 0.5
    path.write_text(json.dumps(golden))
    monkeypatch.setattr(rules_golden, "PATH", path)
    with pytest.raises(SystemExit, match="1 outcomes differ under rules version"):
        rules_golden.write()
    monkeypatch.setattr(rules_golden, "RULES_VERSION", RULES_VERSION + 1)
    rules_golden.write()
    assert read()["rules_version"] == RULES_VERSION + 1 and not differences(read())
