"""The configurations in docs/korean.md are valid, and their voice gets no warning."""

from __future__ import annotations

import re
from pathlib import Path

from omnigap_orchestrator.config import load_config
from omnigap_orchestrator.fleet.choose import services_of
from omnigap_orchestrator.items import load_items
from omnigap_orchestrator.preflight import FULL_SCOPE, Status, check_plan
from omnigap_services.asr.options import AsrOptions
from omnigap_services.cascade.adapter import CascadeAdapter
from omnigap_services.hf.chat.options import ChatOptions
from omnigap_services.hf.tts.voice import TtsOptions
from omnigap_services.options import read_options

PAGE = (Path(__file__).parents[3] / "docs" / "korean.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"```toml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))


def test_the_natural_voice_of_the_page_can_be_typed(tmp_path: Path) -> None:
    path = tmp_path / "korean-speech.toml"
    path.write_text(BLOCKS["korean-speech.toml"], encoding="utf-8")
    config = load_config(path)
    items = load_items(config.items)
    assert {item.language for item in items} == {"ko"}
    found = check_plan(config, items, FULL_SCOPE, tmp_path)
    assert [each.message for each in found if each.status is not Status.OK] == []
    options = {spec.name: spec.options for spec in services_of(config)}
    assert read_options(AsrOptions, "asr", options["asr"]).checkpoint == "large-v3"
    assert read_options(ChatOptions, "hf-chat", options["llm"]).model
    assert read_options(TtsOptions, "hf-tts", options["voice"]).languages == ("ko",)
    CascadeAdapter(options["cascade"])


def test_the_scorer_of_the_page_can_be_typed(tmp_path: Path) -> None:
    for name in ("asr.toml", "study.toml"):
        (tmp_path / name).write_text(BLOCKS[name], encoding="utf-8")
    assert load_config(tmp_path / "study.toml").scorer.endpoints
