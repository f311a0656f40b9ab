"""Fonts: an installed font with the letters of the items is chosen, and missing fonts or letters are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from omnigap_orchestrator.carriers import render
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.items import Item, load_items
from omnigap_orchestrator.preflight import FULL_SCOPE, Status, resolve_fonts
from omnigap_orchestrator.preflight import checks as font_checks
from omnigap_orchestrator.preflight.checks import check_fonts, check_letters
from tests.helpers.running import Setting, item, orchestrate
from tests.helpers.served_doubles import Double, Serve, say

KOREAN = item("seoul", language="ko", question="대한민국의 수도는 어디입니까?", answers=["서울"])
ITEMS = load_items("builtin-ko")
HANGUL = render.font_with("서울")
needs_hangul = pytest.mark.skipif(
    HANGUL is None, reason="NOT TESTED: no font of this machine has Hangul (Debian: apt-get install fonts-nanum)"
)


@pytest.fixture
def no_machine_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "FONT_FOLDERS", ())


@needs_hangul
def test_an_installed_font_is_chosen_for_missing_letters() -> None:
    config, found = resolve_fonts(Config(), ITEMS)
    assert config.carriers.image.font == (HANGUL,)
    assert str(HANGUL) in found[0].message
    # The chosen font is part of the configuration, so resolving again changes nothing.
    assert resolve_fonts(config, load_items("builtin")) == (config, [])
    assert resolve_fonts(Config(), load_items("builtin")) == (Config(), [])


def test_a_configured_font_is_never_replaced() -> None:
    config = Config.model_validate({"carriers": {"image": {"font": "DejaVu Serif"}}})
    assert resolve_fonts(config, ITEMS)[0] is config


@pytest.mark.parametrize("command", ["plan", "run"])
async def test_a_missing_font_stops_before_any_service_starts(tmp_path: Path, command: str) -> None:
    ended = await orchestrate(command, "--font", "No Such Sans", folder=tmp_path)
    assert ended.code == 1
    assert "[carriers.image] font" in ended.err and "'No Such Sans'" in ended.err
    assert "fleet" not in ended.err


@pytest.mark.usefixtures("no_machine_fonts")
async def test_without_a_suitable_font_the_error_says_what_to_install(tmp_path: Path, host: Serve) -> None:
    model = Double(lambda turn: say(turn, "서울"))
    setting = Setting(
        tmp_path,
        {"omni": [await host(model)]},
        items=[KOREAN],
        tables={"run": {"conditions": ["i2t"]}},
    )
    with pytest.raises(BaseException) as caught:
        await setting.drive()
    text = str(getattr(caught.value, "exceptions", [caught.value])[0])
    for part in ("HANGUL SYLLABLE", "fonts-nanum", "[carriers.image] font", "--font"):
        assert part in text
    assert model.asked == []


def _drawn(items: tuple[Item, ...]) -> str:
    return "".join(item.typed for item in items)


@needs_hangul
def test_one_font_has_all_letters_of_the_korean_items() -> None:
    assert render.font_with(_drawn(ITEMS)) is not None


def test_missing_letters_of_a_font_are_reported_once() -> None:
    config = Config.model_validate({"carriers": {"image": {"font": "DejaVu Serif", "size": [24, 32]}}})
    assert [finding.status for finding in check_fonts(config, ITEMS, FULL_SCOPE)] == [Status.OK, Status.OK]
    (finding,) = check_letters(config, ITEMS, FULL_SCOPE)
    assert finding.status is Status.FAILED
    assert "'DejaVu Serif'" in finding.message


def test_a_question_that_is_too_long_to_draw_fails() -> None:
    long = replace(load_items("builtin")[0], question="why " * 6000, carriers={})
    (finding,) = check_letters(Config(), [long], FULL_SCOPE)
    assert "20000" in finding.message


def test_the_chosen_font_is_noted_only_if_carriers_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(font_checks, "font_with", lambda text: "DejaVu Serif" if "수" in text else None)
    config, (note,) = resolve_fonts(Config(), ITEMS)
    assert config.carriers.image.font == ("DejaVu Serif",)
    assert (note.status, note.check) == (Status.WARNING, "font")
    assert "DejaVu Serif" in note.message and "[carriers.image] font" in note.message
    assert resolve_fonts(Config(), ITEMS, replace(FULL_SCOPE, makes_carriers=False)) == (config, [])


def test_fonts_are_not_checked_if_nothing_is_drawn() -> None:
    tables = {"carriers": {"image": {"font": "No Such Sans"}}, "run": {"conditions": ["t2t", "s2t"]}}
    config = Config.model_validate(tables)
    assert check_fonts(config, ITEMS, FULL_SCOPE) == check_letters(config, ITEMS, FULL_SCOPE) == []
