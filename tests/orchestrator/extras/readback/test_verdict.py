"""Kept, doubtful or lost: a reader that misreads has not yet lost anything."""

from __future__ import annotations

import pytest

from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.extras.readback.check import Ability, Reading, Verdict, abilities, judge
from omnigap_orchestrator.extras.readback.compare import compare
from omnigap_orchestrator.items import Item

ITEM = Item("i", "t", "en", "Which river flows through the old city of Cairo?", ("Nile",), AnswerType.ENTITY)
ABLE = Ability(read=20, kept=18)
UNABLE = Ability(read=20, kept=3)


def reading(text: str, reader: str = "ocr") -> Reading:
    return Reading(reader, f"digest of {reader}", text, compare(ITEM, ITEM.question, text))


def verdict(
    *readings: Reading, able: dict[str, Ability] | None = None, at_all: dict[str, Ability] | None = None
) -> tuple[Verdict, str]:
    alike = able or {"ocr": ABLE, "asr": ABLE}
    judged = judge(readings, alike, at_all or alike, 0.2)
    return judged.verdict, judged.why


def test_a_whole_reading_proves_that_the_content_is_there() -> None:
    assert verdict(reading(ITEM.question)) == (Verdict.KEPT, "")
    assert verdict(reading("which river flow through the old city of cairo"))[0] is Verdict.KEPT
    # Whatever another reader makes of it.
    assert verdict(reading(ITEM.question, "asr"), reading("")) == (Verdict.KEPT, "")


def test_a_misread_key_piece_is_doubtful_and_named() -> None:
    assert verdict(reading("which river flows through the old city of kairo")) == (
        Verdict.DOUBTFUL,
        "missing: name cairo",
    )


def test_too_many_errors_are_doubtful_while_they_leave_traces() -> None:
    found, why = verdict(reading("witch rivers flow through the olt city of Cairo"))
    assert found is Verdict.DOUBTFUL
    assert why == "word error 50 %, over 20 %"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nothing was read in it"),
        ("which river", "6 of 8 words left no trace"),
        ("which river flows through Cairo", "3 words in a row left no trace"),
    ],
)
def test_an_able_reader_that_finds_no_trace_calls_it_lost(text: str, why: str) -> None:
    assert verdict(reading(text)) == (Verdict.LOST, why)


@pytest.mark.parametrize("ability", [UNABLE, Ability(read=3, kept=3)])
def test_a_reader_that_reads_badly_or_read_little_calls_nothing_lost(ability: Ability) -> None:
    found, why = verdict(reading(""), able={"ocr": ability})
    assert found is Verdict.DOUBTFUL
    assert f"ocr read {ability.kept} of {ability.read} such carriers back whole" in why


def test_who_reads_nothing_need_only_read_others_of_another_font_or_voice() -> None:
    stranger = {"ocr": Ability(20, 0)}
    assert verdict(reading(""), able=stranger, at_all={"ocr": ABLE}) == (Verdict.LOST, "nothing was read in it")
    # Words that it reads wrong in a font that it never reads right are its own error.
    assert verdict(reading("which river"), able=stranger, at_all={"ocr": ABLE})[0] is Verdict.DOUBTFUL
    assert verdict(reading(""), able=stranger)[0] is Verdict.DOUBTFUL


def test_two_able_readers_that_miss_the_same_piece_call_it_lost() -> None:
    kairo, spain = "which river flows through the old city of kairo", "which river flows through the old city of spain"
    assert verdict(reading(kairo), reading(spain, "asr")) == (Verdict.LOST, "2 readers miss name cairo")
    # One that can't judge adds nothing.
    able = {"ocr": ABLE, "asr": UNABLE}
    assert verdict(reading(kairo), reading(spain, "asr"), able=able)[0] is Verdict.DOUBTFUL


def test_one_reader_that_finds_traces_keeps_a_carrier_from_being_lost() -> None:
    assert (
        verdict(reading(""), reading("which river flows through the old city of kairo", "asr"))[0] is Verdict.DOUBTFUL
    )


def test_ability_is_counted_by_how_carriers_were_made_and_reader() -> None:
    whole, empty = reading(ITEM.question), reading("", "asr")
    found = abilities([("serif", [whole]), ("serif", [whole, empty]), ("mono", [whole])], 0.2)
    assert found == {"serif": {"ocr": Ability(2, 2), "asr": Ability(1, 0)}, "mono": {"ocr": Ability(1, 1)}}
