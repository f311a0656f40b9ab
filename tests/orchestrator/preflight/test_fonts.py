"""Fonts: one of this machine is chosen that has the letters, and what none of them can draw is refused at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from running import Setting, item, orchestrate
from served_doubles import Double, Serve, say

from omnigap_orchestrator.carriers import render
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.items import Item, load_items
from omnigap_orchestrator.preflight import WHOLE, Status, resolve_fonts
from omnigap_orchestrator.preflight import checks as font_checks
from omnigap_orchestrator.preflight.checks import check_fonts, check_letters

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
def test_letters_that_the_default_lacks_are_drawn_in_a_font_of_the_machine() -> None:
    config, found = resolve_fonts(Config(), ITEMS)
    assert config.carriers.image.font == (HANGUL,)
    assert f"drawn in {HANGUL}" in found[0].message
    # It is part of the configuration from here on: reading it back changes nothing.
    assert resolve_fonts(config, load_items("builtin")) == (config, [])
    assert resolve_fonts(Config(), load_items("builtin")) == (Config(), [])


def test_a_font_that_was_named_is_taken_as_it_is() -> None:
    config = Config.model_validate({"carriers": {"image": {"font": "DejaVu Serif"}}})
    assert resolve_fonts(config, ITEMS)[0] is config


@pytest.mark.parametrize("command", ["plan", "run"])
async def test_a_font_that_is_not_there_is_refused_before_any_service_starts(tmp_path: Path, command: str) -> None:
    ended = await orchestrate(command, "--font", "No Such Sans", folder=tmp_path)
    assert ended.code == 1
    assert "[carriers.image] font: 'No Such Sans' is neither a file nor a known font" in ended.err
    assert "fleet" not in ended.err


@pytest.mark.usefixtures("no_machine_fonts")
async def test_without_any_font_that_has_the_letters_the_run_says_what_to_install(tmp_path: Path, host: Serve) -> None:
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
def test_every_letter_of_the_korean_items_is_in_the_font() -> None:
    assert render.font_with(_drawn(ITEMS)) is not None


def test_a_font_that_lacks_letters_is_reported_once_with_the_first_that_it_lacks() -> None:
    config = Config.model_validate({"carriers": {"image": {"font": "DejaVu Serif", "size": [24, 32]}}})
    assert [finding.status for finding in check_fonts(config, ITEMS, WHOLE)] == [Status.OK, Status.OK]
    (finding,) = check_letters(config, ITEMS, WHOLE)
    assert finding.status is Status.FAILED
    assert "the font 'DejaVu Serif' lacks" in finding.message


def test_a_question_that_is_too_long_to_draw_is_refused() -> None:
    long = replace(load_items("builtin")[0], question="why " * 6000, carriers={})
    (finding,) = check_letters(Config(), [long], WHOLE)
    assert "over the limit of 20000: shorten it" in finding.message


def test_the_chosen_font_is_noted_where_carriers_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(font_checks, "font_with", lambda text: "DejaVu Serif" if "수" in text else None)
    config, (note,) = resolve_fonts(Config(), ITEMS)
    assert config.carriers.image.font == ("DejaVu Serif",)
    assert (note.status, note.check) == (Status.WARNING, "font")
    assert "letters that DejaVu Sans lacks: drawn in DejaVu Serif; [carriers.image] font chooses" in note.message
    assert resolve_fonts(Config(), ITEMS, replace(WHOLE, makes_carriers=False)) == (config, [])


def test_fonts_are_not_looked_at_where_nothing_is_drawn() -> None:
    tables = {"carriers": {"image": {"font": "No Such Sans"}}, "run": {"conditions": ["t2t", "s2t"]}}
    config = Config.model_validate(tables)
    assert check_fonts(config, ITEMS, WHOLE) == check_letters(config, ITEMS, WHOLE) == []
