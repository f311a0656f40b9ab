"""The way of a question in each condition, for every kind of brain."""

from __future__ import annotations

import pytest

from omnigap.vocabulary import CONDITIONS, Condition, Support
from omnigap_services.adapter import NATIVE, Capability
from omnigap_services.cascade.routes import MISSING, Help, NoRoute, capability_of, routes_of

EVERY_HELP = frozenset(Help)
WORDS = {Help.HEARING: "A hears", Help.READING: "B reads", Help.SPEAKING: "C speaks"}


def shown(straight: str, helps: frozenset[Help] = EVERY_HELP) -> dict[str, str]:
    """Routes as words, of a brain that is asked in these conditions."""
    routes = routes_of({Condition.parse(name) for name in straight.split()}, helps, "mind")
    return {condition.name: str(route) for condition, route in routes.items()}


def test_a_brain_that_reads_and_writes_gets_every_help() -> None:
    assert shown("t2t") == {
        "t2t": "brain t2t",
        "s2t": "ears > brain t2t",
        "i2t": "reader > brain t2t",
        "t2s": "brain t2t > tts",
        "s2s": "ears > brain t2t > tts",
        "i2s": "reader > brain t2t > tts",
    }


def test_a_brain_that_hears_and_sees_is_helped_to_speak_alone() -> None:
    routes = shown("t2t s2t i2t")
    assert [routes[name] for name in ("s2t", "i2t")] == ["brain s2t", "brain i2t"]
    assert [routes[name] for name in ("t2s", "s2s", "i2s")] == ["brain t2t > tts", "brain s2t > tts", "brain i2t > tts"]


def test_a_brain_of_all_six_needs_nobody() -> None:
    names = " ".join(condition.name for condition in CONDITIONS)
    assert shown(names, frozenset()) == {condition.name: f"brain {condition}" for condition in CONDITIONS}


def test_a_brain_that_speaks_is_asked_to_speak_where_others_hear_for_it() -> None:
    assert shown("t2t t2s")["s2s"] == "ears > brain t2s"


def test_hearing_by_itself_comes_before_speaking_by_itself() -> None:
    assert shown("t2t t2s s2t")["s2s"] == "brain s2t > tts"


@pytest.mark.parametrize(
    ("lacking", "condition"), [(Help.HEARING, "s2t"), (Help.READING, "i2t"), (Help.SPEAKING, "t2s")]
)
def test_what_lacks_a_part_says_which_key_mends_it(lacking: Help, condition: str) -> None:
    routes = routes_of({Condition.parse("t2t")}, EVERY_HELP - {lacking}, "mind")
    found = routes[Condition.parse(condition)]
    assert found == NoRoute(MISSING[lacking])
    assert f"set {lacking} = host:port" in MISSING[lacking]


def test_every_missing_part_is_named() -> None:
    found = routes_of({Condition.parse("t2t")}, frozenset(), "mind")[Condition.parse("i2s")]
    assert found == NoRoute(f"{MISSING[Help.READING]}; {MISSING[Help.SPEAKING]}")


def test_a_brain_that_does_not_write_answers_nothing_through_helpers() -> None:
    found = routes_of({Condition.parse("s2s")}, EVERY_HELP, "mind")[Condition.parse("i2t")]
    assert found == NoRoute("the brain mind answers neither i2t nor text in text")


def test_reasons_name_the_helpers_and_what_helps_the_brain() -> None:
    routes = routes_of({Condition.parse("t2t"), Condition.parse("i2t")}, EVERY_HELP, "mind")
    brain = {Condition.parse("t2t"): NATIVE, Condition.parse("i2t"): Capability(Support.ASSISTED, "with D")}

    def told(name: str) -> Capability:
        return capability_of(routes[Condition.parse(name)], brain, WORDS)

    assert told("t2t") == NATIVE
    assert told("i2t") == Capability(Support.ASSISTED, "with D")
    assert told("s2s") == Capability(Support.ASSISTED, "A hears, C speaks")
    assert told("i2s") == Capability(Support.ASSISTED, "C speaks, with D")
