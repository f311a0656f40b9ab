"""Loading and selecting items: built-in sets, tasks, and limits."""

import pytest

from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.config import ItemsConfig
from omnigap_orchestrator.items import Item, ItemError, load_items, select_items, tasks_of
from omnigap_orchestrator.items.load import FAMILIES, KOREAN_FAMILIES, builtin_folder


def item(task: str, number: int) -> Item:
    return Item(f"{task}{number}", task, "en", "q?", ("x",), AnswerType.WORD)


ITEMS = [item("a", 1), item("a", 2), item("a", 3), item("b", 1), item("c", 1), item("c", 2)]


def ids(items: tuple[Item, ...]) -> list[str]:
    return [item.id for item in items]


def test_selection_is_round_robin_over_tasks() -> None:
    assert ids(select_items(ITEMS)) == ["a1", "b1", "c1", "a2", "c2", "a3"]
    assert ids(select_items(ITEMS, limit=4)) == ["a1", "b1", "c1", "a2"]


def test_higher_limit_only_adds_items() -> None:
    whole = select_items(ITEMS)
    for limit in range(1, 9):
        assert select_items(ITEMS, limit=limit) == whole[:limit]


def test_tasks_filter_items() -> None:
    assert ids(select_items(ITEMS, tasks=["c", "b"])) == ["b1", "c1", "c2"]
    assert ids(select_items(ITEMS, tasks=["a"], limit=2)) == ["a1", "a2"]


def test_unknown_task_raises_with_the_known_ones() -> None:
    with pytest.raises(ItemError, match=r"unknown task 'd'.*the items have: a, b, c"):
        select_items(ITEMS, tasks=["a", "d"])
    with pytest.raises(ItemError, match="unknown task 'place': did you mean 'places'"):
        load_items(ItemsConfig(tasks=("place",)))


def test_limit_below_one_raises() -> None:
    with pytest.raises(ItemError, match="--limit is 0"):
        select_items(ITEMS, limit=0)


def test_builtin_items_are_the_default() -> None:
    items = load_items()
    assert tasks_of(items) == FAMILIES
    assert len(items) >= 240
    assert load_items("builtin") == load_items(ItemsConfig()) == items
    assert ids(load_items(ItemsConfig(limit=7))) == ids(items[:7])
    assert {item.task for item in items[:7]} == set(FAMILIES)


def test_every_builtin_file_belongs_to_a_family() -> None:
    assert {path.stem for path in builtin_folder().glob("*.jsonl")} == {*FAMILIES, *KOREAN_FAMILIES}


def test_builtin_korean_items() -> None:
    items = load_items("builtin-ko")
    assert items == load_items(ItemsConfig(builtin="ko"))
    assert {item.language for item in items} == {"ko"}
    assert {item.language for item in load_items(ItemsConfig(builtin=True))} == {"en"}
