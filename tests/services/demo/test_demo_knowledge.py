"""The shipped facts are well formed, do not copy the items, and answer most built-in items but not all."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import omnigap_orchestrator.items.builtin as builtin
import omnigap_services

ITEMS = Path(builtin.__path__[0])
KNOWLEDGE = Path(omnigap_services.__path__[0]) / "demo" / "knowledge.jsonl"
FUNCTION_WORDS = frozenset(
    """
    a an and are as at be by do does did for from how in into is it its many not of on or s than that the these this
    through to was we were what which who with you
    """.split()  # noqa: SIM905  (a list of words reads better than a list of strings)
)
LARGEST_SHARE = 0.6

Row = dict[str, Any]


def read(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@cache
def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


@cache
def content(text: str) -> list[str]:
    return [word for word in words(text) if word not in FUNCTION_WORDS]


def shared_in_order(left: list[str], right: list[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(right) + 1)
    for word in left:
        above, row = row, [0]
        for column, other in enumerate(right):
            row.append(above[column] + 1 if word == other else max(above[column + 1], row[-1]))
    return row[-1]


def is_copied(entry: str, question: str) -> bool:
    """Whether an entry contains the question, or more than 60 % of its content words in the same order.

    Two words are not a copy: they may be a name (Mona Lisa, Taj Mahal).
    """
    if f" {' '.join(words(question))} " in f" {' '.join(words(entry))} ":
        return True
    asked, stated = content(question), content(entry)
    if len(set(asked) & set(stated)) < 2:
        return False
    shared = shared_in_order(asked, stated)
    return shared > LARGEST_SHARE * len(stated) or (shared > 2 and shared > LARGEST_SHARE * len(asked))


ENTRIES = read(KNOWLEDGE)
# Only English items: the facts are English. Counting items are answered without facts.
ROWS = [
    row
    for path in sorted(ITEMS.glob("*.jsonl"))
    for row in read(path)
    if row["task"] != "counting" and row["language"] == "en"
]


def golds(row: Row) -> set[str]:
    """The gold answers in the words of an entry: the text of a choice instead of its letter."""
    if "choices" in row:
        return {row["choices"]["ABCD".index(row["answers"][0])].lower()}
    return {answer.lower() for answer in row["answers"]}


def helpful(row: Row) -> Iterator[Row]:
    """The entries that could answer a question: a gold answer, and a content word of the question in the text."""
    asked = {word[:4] for word in content(row["question"])}
    for entry in ENTRIES:
        if entry["answer"].lower() in golds(row) and asked & {word[:4] for word in content(entry["text"])}:
            yield entry


def test_every_entry_is_a_text_and_an_answer() -> None:
    for entry in ENTRIES:
        assert set(entry) == {"text", "answer"}
        assert entry["answer"].strip() == entry["answer"] != ""
        assert entry["text"].endswith(".")
        assert "?" not in entry["text"], "an entry is a statement"


def test_there_are_enough_entries_without_duplicates() -> None:
    assert len(ENTRIES) >= 420
    assert len({" ".join(words(entry["text"])) for entry in ENTRIES}) == len(ENTRIES)


def test_no_entry_copies_the_wording_of_an_item() -> None:
    copies = [
        (row["id"], row["question"], entry["text"])
        for row in ROWS
        for entry in ENTRIES
        if is_copied(entry["text"], row["question"])
    ]
    assert copies == []


def test_a_copy_is_detected() -> None:
    question = "Which vehicle travels under the water?"
    assert is_copied("Which vehicle travels under the water? A submarine.", question)
    assert is_copied("The vehicle that travels deep under water is the submarine, built of steel for navies.", question)
    assert not is_copied("A submarine dives: water closes over this vehicle.", question)


def test_most_items_but_not_all_can_be_answered_in_every_task() -> None:
    for task in sorted({row["task"] for row in ROWS}):
        rows = [row for row in ROWS if row["task"] == task]
        covered = sum(any(helpful(row)) for row in rows) / len(rows)
        assert 0.6 <= covered <= 0.92, f"{task}: {covered:.2f}"


def test_many_entries_answer_no_item() -> None:
    useful = {entry["text"] for row in ROWS for entry in helpful(row)}
    assert len(ENTRIES) - len(useful) >= 120
