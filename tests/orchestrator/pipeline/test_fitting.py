"""Ears that do not know the items' language are refused before anything is asked; letters find a font that has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from running import Setting, item, orchestrate
from served_doubles import Double, Serve, say

from omnigap_orchestrator.carriers import fonts
from omnigap_orchestrator.checkup import checkup
from omnigap_orchestrator.config import Config, load_config
from omnigap_orchestrator.items import Item, load_items
from omnigap_orchestrator.run_checks import LanguageError, fitted, shipped_unheard, unheard

KOREAN = item("seoul", language="ko", question="대한민국의 수도는 어디입니까?", answers=["서울"])
ITEMS = load_items("builtin-ko")
HANGUL = fonts.font_with("서울")
needs_hangul = pytest.mark.skipif(
    HANGUL is None, reason="NOT TESTED: no font of this machine has Hangul (Debian: apt-get install fonts-nanum)"
)


@pytest.fixture
def no_machine_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "FONT_FOLDERS", ())


def test_a_scorer_that_does_not_know_the_language_is_refused_with_the_keys_that_mend_it() -> None:
    why = unheard(Config(), ITEMS, ("en",))
    assert f"knows en, and items come in ko ({len(ITEMS)})" in why
    for mend in ("[scorer] endpoints", "checkpoint of asr in [fleet.services]", "--conditions t2t,s2t,i2t"):
        assert mend in why
    assert unheard(Config(), ITEMS, ("en", "ko")) == unheard(Config(), ITEMS, ("ko-KR",)) == ""
    # One that does not say what it knows is believed.
    assert unheard(Config(), ITEMS, ()) == ""
    assert unheard(Config(), load_items("builtin"), ("en",)) == ""


def test_only_spoken_answers_need_a_scorer_that_knows_the_language(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('[run]\nconditions = ["t2t", "i2t"]')
    assert unheard(load_config(tmp_path / "c.toml"), ITEMS, ("en",)) == ""


def test_the_shipped_checkpoint_is_known_to_hear_english_alone(tmp_path: Path) -> None:
    assert "knows en" in shipped_unheard(Config(), ITEMS)
    for text in (
        '[fleet.services.asr]\noptions = { checkpoint = "large-v3" }',
        '[scorer]\nendpoints = ["10.0.0.1:5"]',
        '[fleet.services.mine]\nservice = "my-asr"\nrole = "scorer"',
    ):
        (tmp_path / "c.toml").write_text(text)
        assert shipped_unheard(load_config(tmp_path / "c.toml"), ITEMS) == ""


async def test_a_run_is_refused_before_any_model_is_asked(tmp_path: Path, host: Serve) -> None:
    model, ear = Double(lambda turn: say(turn, "서울")), Double(lambda turn: say(turn, "x"), languages=("en",))
    places = {"models": {"omni": [await host(model)]}, "scorer": [await host(ear)], "tts": [await host(Double())]}
    image = {"carriers": {"image": {"font": HANGUL or "DejaVu Sans"}}}
    setting = Setting(tmp_path, **places, items=[KOREAN], tables=image)  # type: ignore[arg-type]
    with pytest.raises(LanguageError, match="items come in ko"):
        await setting.drive()
    assert model.asked == []
    # Asked for written answers alone, it needs no scorer.
    table = await setting.execute(conditions=["t2t"])
    assert table.filter(condition="t2t")["score"].to_list() == [1.0]


async def test_doctor_and_plan_say_that_the_scorer_cannot_hear_the_items(tmp_path: Path) -> None:
    ended = await orchestrate("plan", "--items", "builtin-ko", folder=tmp_path)
    assert ended.code == 0, ended.err
    assert "the ASR scorer knows en, and items come in ko" in ended.out + ended.err
    config = Config.model_validate({"items": {"builtin": "ko"}})
    from omnigap_orchestrator.pipeline.folder import RunFolder

    findings = {f.check: f for f in await checkup(config, RunFolder(tmp_path / "run"))}
    assert findings["scorer language"].status.value == "failed"
    assert "docs/korean.md" in findings["scorer language"].message


@needs_hangul
def test_letters_that_the_default_lacks_are_drawn_in_a_font_of_the_machine() -> None:
    notes: list[str] = []
    config = fitted(Config(), ITEMS, notes.append)
    assert config.carriers.image.font == (HANGUL,)
    assert f"drawn in {HANGUL}" in notes[0]
    # It is part of the configuration from here on: reading it back changes nothing.
    assert fitted(config, load_items("builtin")) == config
    assert fitted(Config(), load_items("builtin")) == Config()


def test_a_font_that_was_named_is_taken_as_it_is() -> None:
    config = Config.model_validate({"carriers": {"image": {"font": "DejaVu Serif"}}})
    assert fitted(config, ITEMS) is config


async def test_plan_says_that_items_want_a_judge_and_none_is_configured(tmp_path: Path) -> None:
    items = tmp_path / "items.jsonl"
    open_item = {"id": "a", "task": "open", "language": "en", "question": "Why?", "answer_type": "open"}
    items.write_text(json.dumps({**open_item, "answers": [], "metric": "judge"}), encoding="utf-8")
    ended = await orchestrate("plan", "--items", str(items), folder=tmp_path)
    assert ended.code == 0, ended.err
    assert "items whose metric is a judge: 1, and none is configured" in ended.out + ended.err


@pytest.mark.parametrize("command", ["plan", "run"])
async def test_a_font_that_is_not_there_is_refused_before_any_service_starts(tmp_path: Path, command: str) -> None:
    ended = await orchestrate(command, "--font", "No Such Sans", folder=tmp_path)
    assert ended.code == 1
    assert "[carriers.image] font: 'No Such Sans' is no file and no known font" in ended.err
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
    assert fonts.font_with(_drawn(ITEMS)) is not None
