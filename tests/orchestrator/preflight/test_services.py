"""Checks of connected services: languages, voices and the judge."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnigap.v1 import model_service_pb2 as pb
from omnigap_orchestrator.config import Config, load_config
from omnigap_orchestrator.fleet import Role
from omnigap_orchestrator.items import load_items
from omnigap_orchestrator.preflight import PreflightError, ServiceCard, Status, check_services
from omnigap_orchestrator.preflight.services import unknown_to_scorer
from tests.helpers.running import Setting, item
from tests.helpers.served_doubles import Double, Serve, say

KOREAN = item("seoul", language="ko", question="대한민국의 수도는 어디입니까?", answers=["서울"])
ITEMS = load_items("builtin-ko")


def test_a_scorer_without_the_language_is_refused_with_the_keys_to_change() -> None:
    why = unknown_to_scorer(Config(), ITEMS, ("en",))
    for part in (f"ko ({len(ITEMS)})", "[scorer] endpoints", "[fleet.services]", "--conditions t2t,s2t,i2t"):
        assert part in why
    assert unknown_to_scorer(Config(), ITEMS, ("en", "ko")) == unknown_to_scorer(Config(), ITEMS, ("ko-KR",)) == ""
    # A scorer that declares no language passes.
    assert unknown_to_scorer(Config(), ITEMS, ()) == ""
    assert unknown_to_scorer(Config(), load_items("builtin"), ("en",)) == ""


def test_only_speech_answers_need_the_language_of_the_scorer(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('[run]\nconditions = ["t2t", "i2t"]')
    assert unknown_to_scorer(load_config(tmp_path / "c.toml"), ITEMS, ("en",)) == ""


async def test_a_scorer_without_the_language_stops_the_run_before_any_call(tmp_path: Path, host: Serve) -> None:
    model, scorer = Double(lambda turn: say(turn, "서울")), Double(lambda turn: say(turn, "x"), languages=("en",))
    places = {"models": {"omni": [await host(model)]}, "scorer": [await host(scorer)], "tts": [await host(Double())]}
    # Without image input, since not every machine has a font with Hangul.
    typed = {"run": {"conditions": ["t2t", "t2s"]}}
    setting = Setting(tmp_path, **places, items=[KOREAN], tables=typed)  # type: ignore[arg-type]
    with pytest.raises(PreflightError, match=r"ko \(1\)"):
        await setting.drive()
    assert model.asked == []
    # Text answers need no scorer.
    table = await setting.execute(conditions=["t2t"])
    assert table.filter(condition="t2t")["score"].to_list() == [1.0]


def test_only_a_scorer_or_judge_can_fail_the_check() -> None:
    voice = pb.Voice(name="ann", language="en-GB")
    config = Config.model_validate({"carriers": {"speech": {"voices": ["ann", "unlisted"]}}})
    cards = [
        ServiceCard(Role.SCORER, "scorer", pb.DescribeResponse(languages=["en"])),
        ServiceCard(Role.MODEL, "omni", pb.DescribeResponse(languages=["de", "en-US"])),
        ServiceCard(Role.TTS, "tts", pb.DescribeResponse(name="speaker", voices=[voice])),
        ServiceCard(Role.JUDGE, "judge", pb.DescribeResponse(name="critic")),
    ]
    scorer, model, tts, judge = check_services(config, ITEMS, cards)
    assert (scorer.status, judge.status) == (Status.FAILED, Status.FAILED)
    assert (model.status, tts.status) == (Status.WARNING, Status.WARNING)
    assert "[scorer]" in scorer.message
    assert "omni" in model.message and f"ko ({len(ITEMS)})" in model.message
    assert "ann (en)" in tts.message and "[carriers.speech]" in tts.message and "unlisted" not in tts.message
    assert "critic" in judge.message and "[judge]" in judge.message


def test_a_service_without_declared_languages_passes() -> None:
    cards = [ServiceCard(role, role.value, pb.DescribeResponse()) for role in (Role.SCORER, Role.MODEL, Role.TTS)]
    assert check_services(Config(), ITEMS, cards) == []
