"""The short form of `make chaos`: every fault once, a few kills, media and damages, and ten seconds of load."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.behaviours import BEHAVIOURS, CARDS
from tests.chaos.hostile import hostile
from tests.chaos.kinds import KINDS, Group
from tests.chaos.payload import pcm_of, text_of
from tests.chaos.proxy import SPOILS
from tests.chaos.suite import PARTS, Settings
from tests.chaos.table import BEGIN, END, Row, grouped, markdown, shortened, with_table

SEED = 12


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", PARTS)
async def test_nothing_is_lost_or_wrongly_filed(part: str, tmp_path: Path) -> None:
    rows = await PARTS[part](Settings.brief(tmp_path, SEED, print))
    assert sum(row.tries for row in rows) > 0
    assert [line for row in rows for line in row.details] == [], markdown(rows)


def test_every_kind_has_a_behaviour_and_every_behaviour_a_kind() -> None:
    health = {kind.name for kind in KINDS if kind.group is Group.HEALTH}
    names = {kind.name for kind in KINDS}
    assert names == BEHAVIOURS.keys() | CARDS.keys() | health
    assert len(names) == len(KINDS) >= 60
    assert len(SPOILS) >= 7
    assert len(hostile()) >= 100


def test_a_text_survives_in_audio() -> None:
    assert text_of(pcm_of("item 7: São Tomé")) == "item 7: São Tomé"
    assert text_of(bytes(4_000)) is None


def test_rows_of_one_fault_are_one_row_and_the_last_row_is_their_sum() -> None:
    first, second = Row("a", tries=2), Row("a", tries=3)
    first.fail("lost", "a cell", 4)
    second.say("it failed | badly")
    found = grouped([first, second, Row("b", tries=1)])
    assert [(row.fault, row.tries, row.lost, row.found) for row in found] == [("a", 5, 4, 4), ("b", 1, 0, 0)]
    lines = markdown(found).splitlines()
    assert lines[2] == "| a | 5 | 4 | 0 | 0 | 0 | 0 | it failed / badly |"
    assert lines[-1].startswith("| all | 6 | 4 |")


def test_messages_in_the_table_have_no_ports_hashes_or_control_characters() -> None:
    text = f"127.0.0.1:43211 sent {'a' * 64}\x1b[2J\n in {'x' * 200}"
    assert shortened(text).startswith("HOST:PORT sent ... [2J in xxx")
    assert len(shortened(text)) <= 110


def test_a_table_replaces_the_one_of_a_page() -> None:
    page = with_table(f"before\n{BEGIN}\nold\n{END}\nafter\n", "new")
    assert page == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    assert with_table(page, "new") == page
