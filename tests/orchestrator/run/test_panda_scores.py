"""sd-qa by PANDA's classifier in a run: chosen by the configuration, part of the score's key, never asked again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from panda_files import write_panda
from running import Setting, Silent, item
from served_doubles import RATE, Double, Serve, sound

from omnigap.media import AudioClip
from omnigap.vocabulary import Modality
from omnigap_orchestrator.config import load_config
from omnigap_orchestrator.drive import rewrite, score_anew
from omnigap_orchestrator.run.checkup import checkup
from omnigap_orchestrator.scoring.panda import PandaError
from omnigap_services.adapter import Turn

ITEMS = [
    item("bard", task="sd-qa", question="who wrote hamlet", answers=["William Shakespeare"], answer_type="open"),
    item("peru", task="sd-qa", question="the capital of peru", answers=["Lima"], answer_type="open"),
]
NOWHERE = "127.0.0.1:9"


def answer(turn: Turn) -> None:
    text = "It was Shakespeare, I think" if "hamlet" in " ".join(turn.request.texts) else "I have no idea"
    turn.write(text)
    if turn.request.output is Modality.SPEECH:
        turn.speak(sound("word").repeat(20)[: 2 * RATE + len(text)], RATE)


def hear(turn: Turn) -> None:
    (clip,) = (part for part in turn.request.parts if isinstance(part, AudioClip))
    turn.write("it was shakespeare i think" if len(clip.samples) > 2 * RATE + 20 else "i have no idea")


async def scored(setting: Setting) -> dict[tuple[str, str], float]:
    await setting.drive()
    rows = setting.table().rows(named=True)
    assert {row["metric"] for row in rows} == {"voicebench_panda"}
    return {(row["item_id"], row["condition"]): row["score"] for row in rows}


async def setting_of(root: Path, host: Serve, **scoring: object) -> Setting:
    return Setting(
        root,
        models={"omni": [await host(Double(answer))]},
        scorer=[await host(Double(hear))],
        items=ITEMS,
        tables={"run": {"conditions": ["t2t", "t2s"]}, "scoring": {"preset": "voicebench", **scoring}},
    )


def with_panda(setting: Setting, folder: str) -> Setting:
    """The same run by a classifier, where nobody is there to be asked."""
    tables = {**setting.tables, "scoring": {"preset": "voicebench", "panda": folder}}
    return replace(setting, models={"omni": [NOWHERE]}, scorer=[NOWHERE], tables=tables)


async def test_the_classifier_scores_what_its_first_rule_leaves_and_nobody_is_asked_again(
    tmp_path: Path, host: Serve
) -> None:
    setting = await setting_of(tmp_path, host)
    assert set((await scored(setting)).values()) == {0.0}
    report = setting.folder.report.read_text(encoding="utf-8")
    assert "Of PANDA its first rule alone was used" in report
    write_panda(tmp_path / "classifier")
    setting = with_panda(setting, "classifier")
    right = {("bard", "t2t"): 1.0, ("bard", "t2s"): 1.0, ("peru", "t2t"): 0.0, ("peru", "t2s"): 0.0}
    assert await scored(setting) == right
    report = setting.folder.report.read_text(encoding="utf-8")
    assert "was that of its classifier, as qa_metrics 0.2.17 gives it (digest " in report
    own = {(r["item_id"], r["condition"]): r["own_text_score"] for r in setting.table().rows(named=True)}
    assert own["bard", "t2s"] == 1.0 and own["peru", "t2s"] == 0.0


async def test_other_files_score_anew_before_the_report_and_gone_ones_leave_what_was_scored(
    tmp_path: Path, host: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_panda(tmp_path / "classifier")
    setting = await setting_of(tmp_path, host, panda="classifier")
    assert (await scored(setting))["bard", "t2t"] == 1.0
    # Found again from another working folder too.
    monkeypatch.chdir(tmp_path.parent)
    observer = Silent()
    await score_anew(setting.folder, observer)
    assert not observer.notes
    write_panda(folder, least=0.9)
    await score_anew(setting.folder, observer)
    assert "the stored answers are scored by the rules of this version first" in observer.notes
    summary = rewrite(setting.folder).to_json()
    assert summary["whole"] and set(setting.table()["score"]) == {0.0}
    shutil.rmtree(folder)
    observer = Silent()
    await score_anew(setting.folder, observer)
    assert not observer.notes and rewrite(setting.folder).to_json()["whole"]


async def test_a_second_scorers_words_are_judged_by_the_same_classifier(tmp_path: Path, host: Serve) -> None:
    write_panda(tmp_path / "classifier")
    setting = await setting_of(tmp_path, host, panda="classifier")
    other = {"endpoints": [await host(Double(lambda turn: turn.write("shakespeare wrote it")))]}
    setting = replace(setting, tables={**setting.tables, "second_scorer": other})
    await scored(setting)
    rows = setting.table().filter(condition="t2s").rows(named=True)
    assert {row["item_id"]: row["second_score"] for row in rows} == {"bard": 1.0, "peru": 0.0}


async def test_files_that_are_not_there_stop_the_run_before_anything_is_asked(tmp_path: Path, host: Serve) -> None:
    asked: list[str] = []
    setting = await setting_of(tmp_path, host, panda="nowhere")
    setting = replace(setting, models={"omni": [await host(Double(lambda turn: asked.append("")))]})
    with pytest.raises(PandaError, match=r"scoring\.panda: .*nowhere holds neither lr_classifier nor"):
        await setting.drive()
    assert not asked
    found = await checkup(setting.config(), setting.folder)
    (panda,) = (finding for finding in found if finding.check == "panda")
    assert panda.status == "failed" and "nowhere" in panda.message
    write_panda(tmp_path / "nowhere")
    (panda,) = (f for f in await checkup(setting.config(), setting.folder) if f.check == "panda")
    assert panda.status == "ok" and panda.message.startswith("2 items are scored by the classifier of ")


async def test_a_task_of_a_presets_items_can_be_given_to_panda_or_left_to_the_judge(tmp_path: Path) -> None:
    from omnigap_orchestrator.items import load_items
    from omnigap_orchestrator.run.settings import metric_rules
    from omnigap_orchestrator.scoring import metric_of

    folder = tmp_path / "voicebench" / "sd-qa"
    folder.mkdir(parents=True)
    row = {"prompt": "who wrote hamlet", "reference": "Shakespeare"}
    (folder / "usa.jsonl").write_text(json.dumps(row) + "\n")

    def metric(text: str) -> str:
        path = tmp_path / "my.toml"
        path.write_text(f'[items]\npath = "voicebench/sd-qa/usa.jsonl"\npreset = "voicebench"\n{text}')
        config = load_config(path)
        (only,) = load_items(config.items)
        return metric_of(only, metric_rules(config))

    assert metric("[judge]\n") == "judge"
    assert metric("") == "voicebench_panda"
    assert metric('[judge]\n[scoring.tasks]\nsd-qa = "voicebench_panda"\n') == "voicebench_panda"
    assert metric('[scoring.tasks]\nsd-qa = "containment"\n') == "containment"
