"""The route of each condition, for LLMs of every kind."""

from __future__ import annotations

import pytest

from omnigap.vocabulary import CONDITIONS, Condition, Support
from omnigap_services.adapter import NATIVE, Capability
from omnigap_services.cascade.routes import MISSING_STAGE, NoRoute, Stage, capability_of, routes_of

ALL_STAGES = frozenset(Stage)
DESCRIPTIONS = {Stage.ASR: "ASR by A", Stage.OCR: "OCR by B", Stage.TTS: "TTS by C"}


def shown(direct: str, stages: frozenset[Stage] = ALL_STAGES) -> dict[str, str]:
    """Routes as strings, for an LLM that supports these conditions."""
    routes = routes_of({Condition.parse(name) for name in direct.split()}, stages, "mind")
    return {condition.name: str(route) for condition, route in routes.items()}


def test_a_text_llm_needs_every_stage() -> None:
    assert shown("t2t") == {
        "t2t": "llm t2t",
        "s2t": "asr > llm t2t",
        "i2t": "ocr > llm t2t",
        "t2s": "llm t2t > tts",
        "s2s": "asr > llm t2t > tts",
        "i2s": "ocr > llm t2t > tts",
    }


def test_an_llm_that_takes_speech_and_images_needs_only_tts() -> None:
    routes = shown("t2t s2t i2t")
    assert [routes[name] for name in ("s2t", "i2t")] == ["llm s2t", "llm i2t"]
    assert [routes[name] for name in ("t2s", "s2s", "i2s")] == ["llm t2t > tts", "llm s2t > tts", "llm i2t > tts"]


def test_an_omni_llm_needs_no_stage() -> None:
    names = " ".join(condition.name for condition in CONDITIONS)
    assert shown(names, frozenset()) == {condition.name: f"llm {condition}" for condition in CONDITIONS}


def test_an_llm_that_speaks_is_asked_to_speak_after_asr() -> None:
    assert shown("t2t t2s")["s2s"] == "asr > llm t2s"


def test_own_perception_is_preferred_to_own_speech() -> None:
    assert shown("t2t t2s s2t")["s2s"] == "llm s2t > tts"


@pytest.mark.parametrize(("missing", "condition"), [(Stage.ASR, "s2t"), (Stage.OCR, "i2t"), (Stage.TTS, "t2s")])
def test_a_missing_stage_is_named_with_its_option(missing: Stage, condition: str) -> None:
    routes = routes_of({Condition.parse("t2t")}, ALL_STAGES - {missing}, "mind")
    found = routes[Condition.parse(condition)]
    assert found == NoRoute(MISSING_STAGE[missing])
    assert f"set {missing} = host:port" in MISSING_STAGE[missing]


def test_every_missing_stage_is_named() -> None:
    found = routes_of({Condition.parse("t2t")}, frozenset(), "mind")[Condition.parse("i2s")]
    assert found == NoRoute(f"{MISSING_STAGE[Stage.OCR]}; {MISSING_STAGE[Stage.TTS]}")


def test_an_llm_without_text_output_cannot_be_composed() -> None:
    found = routes_of({Condition.parse("s2s")}, ALL_STAGES, "mind")[Condition.parse("i2t")]
    assert isinstance(found, NoRoute)
    assert "mind" in found.reason


def test_reasons_name_the_stages_and_the_reason_of_the_llm() -> None:
    routes = routes_of({Condition.parse("t2t"), Condition.parse("i2t")}, ALL_STAGES, "mind")
    llm = {Condition.parse("t2t"): NATIVE, Condition.parse("i2t"): Capability(Support.ASSISTED, "with D")}

    def capability(name: str) -> Capability:
        return capability_of(routes[Condition.parse(name)], llm, DESCRIPTIONS)

    assert capability("t2t") == NATIVE
    assert capability("i2t") == Capability(Support.ASSISTED, "with D")
    assert capability("s2s") == Capability(Support.ASSISTED, "ASR by A, TTS by C")
    assert capability("i2s") == Capability(Support.ASSISTED, "TTS by C, with D")
