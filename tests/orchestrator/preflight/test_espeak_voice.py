"""The warning where espeak speaks to a real model, or speaks the answers of one."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.fleet import Role
from omnigap_orchestrator.items import Item, load_items
from omnigap_orchestrator.preflight import FULL_SCOPE, PreflightScope, ServiceCard, Status, check_plan, check_services
from omnigap_orchestrator.preflight.espeak_voice import PARTLY_RECOGNISED, UNRECOGNISED, espeak_warning
from tests.helpers.running import Setting
from tests.helpers.running import item as row
from tests.helpers.served_doubles import Double, Serve, say

KOREAN = load_items("builtin-ko")
GERMAN = (Item("bern", "places", "de", "Was ist die Hauptstadt der Schweiz?", ("Bern",), AnswerType.ENTITY),)
ENGLISH = load_items("builtin")
SPOKEN = ["s2t", "s2s"]
OMNI = {"name": "omni", "endpoints": ["127.0.0.1:1"]}


def planned(items: tuple[Item, ...], tmp_path: Path, /, scope: PreflightScope = FULL_SCOPE, **tables: Any) -> str:
    """The warning of `plan` and `doctor`."""
    config = Config.model_validate({"models": [OMNI], **tables})
    found = [each for each in check_plan(config, items, scope, tmp_path) if each.check == "voice"]
    assert all(each.status is Status.WARNING for each in found)
    return "".join(each.message for each in found)


def connected(tts: str, *models: pb.DescribeResponse, **tables: Any) -> str:
    """The warning of a run, and of `doctor` for endpoints."""
    cards = [ServiceCard(Role.TTS, "tts", pb.DescribeResponse(name=tts))]
    cards += [ServiceCard(Role.MODEL, card.name, card) for card in models]
    found = check_services(Config.model_validate(tables), KOREAN, cards)
    return "".join(each.message for each in found if each.check == "voice")


def test_plan_warns_where_espeak_reads_such_questions_to_a_real_model(tmp_path: Path) -> None:
    korean = planned(KOREAN, tmp_path)
    for part in (
        "espeak speaks the questions",
        f"ko ({len(KOREAN)} items)",
        "almost nothing",
        "[tts]",
        "docs/korean.md",
    ):
        assert part in korean
    german = planned(GERMAN, tmp_path)
    assert "de (1 item)" in german and "not measured" in german
    english = planned(ENGLISH, tmp_path)
    assert "26 % of the words" in english and "bare answers" not in english and "(docs/models/tts.md)" in english
    every = planned((*KOREAN, *GERMAN, *ENGLISH), tmp_path)
    assert all(f"{tag} (" in every for tag in ("ko", "de", "en"))


@pytest.mark.parametrize(
    "tables",
    [
        {"run": {"conditions": ["t2t", "i2t", "t2s"]}},
        {"models": [{**OMNI, "conditions": ["t2t", "t2s"]}]},
        {"tts": {"endpoints": ["127.0.0.1:2"]}},
        {"fleet": {"services": {"mms": {"service": "hf-tts", "role": "tts", "options": {"model": "m"}}}}},
        {"fleet": {"services": {"piper": {"role": "tts", "options": {"voices": ["ko_KR-kss-medium"]}}}}},
        {"fleet": {"services": {"espeak": {"service": "openai-speech", "role": "tts"}}}},
        {"models": []},
        {"models": [{"name": "demo"}]},
    ],
    ids=["typed", "typed-model", "endpoints", "hf-tts", "piper", "another-service-of-its-name", "none", "demo"],
)
def test_plan_does_not_warn_without_such_a_voice_or_listener(tmp_path: Path, tables: dict[str, Any]) -> None:
    assert planned(KOREAN, tmp_path, **tables) == planned(ENGLISH, tmp_path, **tables) == ""


def test_the_default_services_and_the_small_real_cascade_get_no_warning(tmp_path: Path) -> None:
    assert planned(ENGLISH, tmp_path, models=[]) == ""
    tables = tomllib.loads((Path(__file__).parents[3] / "examples/real-cpu.toml").read_text(encoding="utf-8"))
    assert planned(ENGLISH, tmp_path, **tables) == ""


def test_a_model_with_endpoints_is_real_whatever_its_name(tmp_path: Path) -> None:
    assert planned(KOREAN, tmp_path, models=[{**OMNI, "name": "demo"}])


def test_questions_with_a_recording_of_their_own_are_not_read_aloud(tmp_path: Path) -> None:
    recorded = tuple(each for each in ENGLISH if each.carriers)
    korean = tuple(
        Item(e.id, e.task, "ko", e.question, e.answers, e.answer_type, carriers=e.carriers) for e in recorded
    )
    assert korean and planned(korean, tmp_path) == ""


def test_spoken_answers_of_a_cascade_with_espeak_are_named(tmp_path: Path) -> None:
    cascade = {"service": "cascade", "options": {"llm": "@llm", "tts": "@espeak"}}
    llm = {"service": "hf-chat", "role": "part", "options": {"model": "m"}}
    mms = {"service": "hf-tts", "role": "tts", "options": {"model": "m"}}
    tables: dict[str, Any] = {"models": [], "fleet": {"services": {"control": cascade, "llm": llm, "mms": mms}}}
    found = planned(KOREAN, tmp_path, **tables)
    assert "the answers of control" in found and "option tts of control" in found and "questions" not in found
    english = planned(ENGLISH, tmp_path, **tables)
    assert "26 % of the words in sentences and 99 % in bare answers" in english
    tables["fleet"]["services"]["control"] = {**cascade, "options": {"llm": "@llm", "tts": "@mms"}}
    assert planned(KOREAN, tmp_path, **tables) == ""


def test_a_connected_voice_is_known_by_its_card(tmp_path: Path) -> None:
    omni = pb.DescribeResponse(name="omni")
    assert "espeak speaks the questions" in connected("espeak", omni)
    # As `doctor` asks: one endpoint at a time.
    assert connected("espeak", models=[OMNI])
    assert (
        connected("mms-tts-kor", omni)
        == connected("piper", omni)
        == connected("espeak", omni, run={"conditions": ["t2t"]})
        == ""
    )
    demo = pb.DescribeResponse(name="demo", settings={"min_match": "0.42"})
    assert connected("espeak", demo) == ""
    # Any service can be given the name of a shipped model.
    for name in ("demo", "cascade", "echo"):
        assert "espeak speaks the questions" in connected("espeak", pb.DescribeResponse(name=name))
    cascade = pb.DescribeResponse(name="control", parts=[pb.ServicePart(role="tts", name="espeak")])
    assert "the answers of control" in connected("piper", cascade)
    # A command that connects warns once, by the cards.
    assert planned(KOREAN, tmp_path, PreflightScope(connects=True)) == ""


@pytest.mark.parametrize("voice", ["espeak", "piper"])
async def test_a_run_notes_it_once_and_its_report_has_it(tmp_path: Path, host: Serve, voice: str) -> None:
    korean = row("seoul", language="ko", question="대한민국의 수도는 어디입니까?", answers=["서울"])
    places = [await host(Double(lambda turn: say(turn, "서울"), name="cascade")), await host(Double(name=voice))]
    setting = Setting(
        tmp_path,
        models={"omni": places[:1]},
        tts=places[1:],
        items=[korean],
        tables={"run": {"conditions": ["t2t", "s2t"]}},
    )
    summary = await setting.drive()
    noted = [text for text in setting.notes if text.startswith("espeak speaks")]
    warned = [warning["text"] for warning in summary["warnings"] if warning["key"] == "espeak-language"]
    assert len(noted) == len(warned) == (1 if voice == "espeak" else 0)
    assert warned == [f"{text}." for text in noted]
    # Any service can have the name that the demo model had in runs of 0.1.0.
    assert summary["embedded"] is False


@settings(deadline=None)
@given(st.lists(st.sampled_from(["en", "en-US", "ko", "ko-KR", "de", "fr-CA", "ja"])), st.booleans(), st.booleans())
def test_it_names_every_language_by_what_was_measured(tags: list[str], asked: bool, said: bool) -> None:
    text = espeak_warning(tags, questions=asked, answers_of=["control"] * said)
    named = {tag.split("-")[0] for tag in tags}
    assert bool(text) == bool(named and (asked or said))
    assert all((f"{tag} (" in text) == (tag in named and bool(text)) for tag in ("en", "ko", "de", "fr", "ja"))
    assert ("almost nothing" in text) == bool(text and named & UNRECOGNISED)
    assert ("tiny.en misrecognised" in text) == bool(text and named & PARTLY_RECOGNISED)
    assert ("not measured" in text) == bool(text and named - UNRECOGNISED - PARTLY_RECOGNISED)
    assert ("bare answers" in text) == bool(text and said and named & PARTLY_RECOGNISED)
