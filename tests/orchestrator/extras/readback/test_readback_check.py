"""Verdicts on carriers: kept, doubtful or lost."""

from __future__ import annotations

import pytest

from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.extras.readback.check import Readback, ReaderStats, Verdict, decide, reader_stats
from omnigap_orchestrator.extras.readback.compare import compare
from omnigap_orchestrator.items import Item

ITEM = Item("i", "t", "en", "Which river flows through the old city of Cairo?", ("Nile",), AnswerType.ENTITY)
RELIABLE = ReaderStats(read=20, kept=18)
UNRELIABLE = ReaderStats(read=20, kept=3)


def readback(text: str, reader: str = "ocr") -> Readback:
    return Readback(reader, f"digest of {reader}", text, compare(ITEM, ITEM.question, text))


def verdict(
    *readbacks: Readback,
    stats: dict[str, ReaderStats] | None = None,
    same_language: dict[str, ReaderStats] | None = None,
) -> tuple[Verdict, str]:
    same_rendering = stats or {"ocr": RELIABLE, "asr": RELIABLE}
    decision = decide(readbacks, same_rendering, same_language or same_rendering, 0.2)
    return decision.verdict, decision.why


def test_complete_readback_keeps_the_carrier() -> None:
    assert verdict(readback(ITEM.question)) == (Verdict.KEPT, "")
    assert verdict(readback("which river flow through the old city of cairo"))[0] is Verdict.KEPT
    # Whatever another reader returns.
    assert verdict(readback(ITEM.question, "asr"), readback("")) == (Verdict.KEPT, "")


def test_misread_key_piece_is_doubtful() -> None:
    found, why = verdict(readback("which river flows through the old city of kairo"))
    assert found is Verdict.DOUBTFUL
    assert "name cairo" in why


def test_many_errors_with_traces_are_doubtful() -> None:
    found, why = verdict(readback("witch rivers flow through the olt city of Cairo"))
    assert found is Verdict.DOUBTFUL
    assert "50 %" in why and "20 %" in why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no text"),
        ("which river", "6 of 8 words"),
        ("which river flows through Cairo", "3 consecutive words"),
    ],
)
def test_content_without_a_trace_is_lost(text: str, why: str) -> None:
    found, reason = verdict(readback(text))
    assert found is Verdict.LOST
    assert why in reason


@pytest.mark.parametrize("stats", [UNRELIABLE, ReaderStats(read=3, kept=3)])
def test_unreliable_reader_cannot_make_a_carrier_lost(stats: ReaderStats) -> None:
    found, why = verdict(readback(""), stats={"ocr": stats})
    assert found is Verdict.DOUBTFUL
    assert f"ocr kept {stats.kept} of {stats.read}" in why


def test_empty_readback_is_lost_if_the_reader_is_reliable_with_other_renderings() -> None:
    unknown_font = {"ocr": ReaderStats(20, 0)}
    assert verdict(readback(""), stats=unknown_font, same_language={"ocr": RELIABLE})[0] is Verdict.LOST
    # A wrong readback in a font that the reader never reads right is an error of the reader.
    found, _ = verdict(readback("which river"), stats=unknown_font, same_language={"ocr": RELIABLE})
    assert found is Verdict.DOUBTFUL
    assert verdict(readback(""), stats=unknown_font)[0] is Verdict.DOUBTFUL


def test_key_piece_that_two_reliable_readers_miss_is_lost() -> None:
    kairo, spain = "which river flows through the old city of kairo", "which river flows through the old city of spain"
    found, why = verdict(readback(kairo), readback(spain, "asr"))
    assert found is Verdict.LOST
    assert "2 readers" in why and "name cairo" in why
    # An unreliable reader does not count.
    stats = {"ocr": RELIABLE, "asr": UNRELIABLE}
    assert verdict(readback(kairo), readback(spain, "asr"), stats=stats)[0] is Verdict.DOUBTFUL


def test_carrier_with_traces_for_one_reader_is_doubtful() -> None:
    partial = readback("which river flows through the old city of kairo", "asr")
    assert verdict(readback(""), partial)[0] is Verdict.DOUBTFUL


def test_reader_stats_are_counted_by_group_and_reader() -> None:
    whole, empty = readback(ITEM.question), readback("", "asr")
    stats = reader_stats([("serif", [whole]), ("serif", [whole, empty]), ("mono", [whole])], 0.2)
    assert stats == {
        "serif": {"ocr": ReaderStats(2, 2), "asr": ReaderStats(1, 0)},
        "mono": {"ocr": ReaderStats(1, 1)},
    }
