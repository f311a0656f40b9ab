"""Expected scores, flags and word errors of a few hundred fixed texts; a change needs a new RULES_VERSION.

After RULES_VERSION was increased, `python -m tests.orchestrator.scoring.rules_golden` updates the outcomes in
rules.json. Add new cases to rules.json by hand, with `null` as outcome.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from omnigap.vocabulary import AnswerType, FinishReason
from omnigap_orchestrator.items.item import Check, Item
from omnigap_orchestrator.scoring import RULES_VERSION, AudioStats, answer_flags, score, word_errors

PATH = Path(__file__).with_name("rules.json")
CHANGED = (
    "scores changed: increase RULES_VERSION and update rules.json with "
    "`python -m tests.orchestrator.scoring.rules_golden`"
)
_QUIET_CLIP = AudioStats(seconds=2.0, rms=0.1, peak=0.5)

Case = dict[str, Any]


def scored(case: Case) -> Case:
    """Score, flags and comparable answer of one case of `answers`."""
    item = Item(
        case.get("id", "item"),
        "task",
        case["language"],
        case["question"],
        tuple(case["answers"]),
        AnswerType(case["answer_type"]),
        tuple(case.get("choices", ())),
        checks=tuple(Check(kind, arguments) for kind, arguments in case.get("checks", ())),
    )
    found = score(item, case["text"], case.get("metric"))
    return {"score": round(found.score, 9), "flags": sorted(found.flags), "comparable": found.comparable}


def counted(case: Case) -> list[int]:
    """Insertions, deletions, substitutions and reference words of one case of `errors`."""
    found = word_errors(case["reference"], case["hypothesis"], case["language"])
    return [found.insertions, found.deletions, found.substitutions, found.words]


def flagged(case: Case) -> list[str]:
    """The flags of one case of `flags`: a speech answer where it has a transcript, else a text answer."""
    transcript = case["transcript"]
    found = answer_flags(
        case["own_text"],
        audio=None if transcript is None else _QUIET_CLIP,
        transcript=transcript,
        finish_reason=FinishReason(case["finish_reason"]),
        language=case["language"],
    )
    return sorted(found)


_OUTCOMES = {"answers": scored, "errors": counted, "flags": flagged}


def read() -> dict[str, Any]:
    golden: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return golden


def differences(golden: dict[str, Any]) -> list[tuple[Case, object]]:
    """The cases whose outcome changed, each with its new outcome."""
    return [
        (case, now)
        for kind, outcome_of in _OUTCOMES.items()
        for case in golden[kind]
        if (now := outcome_of(case)) != case["outcome"]
    ]


def write() -> None:
    """Updates all outcomes; exits with an error if a known one changed under the same RULES_VERSION."""
    golden = read()
    known = [case for case, _ in differences(golden) if case["outcome"] is not None]
    if known and golden["rules_version"] == RULES_VERSION:
        sys.exit(f"{len(known)} outcomes differ under rules version {RULES_VERSION}: increase RULES_VERSION first")
    lines = [f'{{\n"rules_version": {RULES_VERSION}']
    for kind, outcome_of in _OUTCOMES.items():
        cases = [json.dumps({**case, "outcome": outcome_of(case)}, ensure_ascii=False) for case in golden[kind]]
        lines.append(f'"{kind}": [\n' + ",\n".join(cases) + "\n]")
    PATH.write_text(",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    write()
