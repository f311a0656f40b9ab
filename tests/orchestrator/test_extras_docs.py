"""docs/extras.md names everything that an extra can add, and its example is one that can be typed."""

from __future__ import annotations

import re
from pathlib import Path

from omnigap_orchestrator.extension import Command, Extra

PAGE = (Path(__file__).parents[2] / "docs" / "extras.md").read_text(encoding="utf-8")


def test_page_names_every_attribute_and_method_of_the_hook() -> None:
    hook = {name for name in vars(Extra) if not name.startswith("_")}
    assert {name for name in hook if not re.search(rf"`{name}[`(]", PAGE)} == set()


def test_example_is_an_extra_with_a_command() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    namespace: dict[str, type[Extra]] = {}
    exec(example, namespace)
    assert isinstance(namespace["Leaderboard"].commands["leaderboard"], Command)
