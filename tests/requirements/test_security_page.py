"""SECURITY.md names limits that exist, where it says they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
LIMITS = [
    (name, path)
    for names, path in re.findall(r"^\| .* \| (.*) \| `([\w/]+\.py)` \|$", PAGE, re.MULTILINE)
    for name in re.findall(r"`(\w+)`", names)
]


def test_the_table_of_limits_is_found() -> None:
    assert len(LIMITS) >= 8


@pytest.mark.parametrize(("name", "path"), LIMITS, ids=["-".join(each) for each in LIMITS])
def test_a_limit_is_where_the_page_says(name: str, path: str) -> None:
    assert re.search(rf"^(class )?{name}\b", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_link_of_the_page_leads_to_a_file() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / target).is_file(), target
