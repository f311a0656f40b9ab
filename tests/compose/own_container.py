"""The blocks of code in docs/own-container.md, by section."""

from __future__ import annotations

import re

from tests.compose.compose_project import ROOT

EXAMPLE = ROOT / "examples" / "own-container"
PAGE = ROOT / "docs" / "own-container.md"
FILES = ("compose.yaml", "examples/own-container/compose.yaml")


def blocks(section: str, language: str) -> list[str]:
    """The blocks of a language below a heading of the page, down to the next heading."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(f"\n## {section}\n")
    assert rest, f"no section {section!r}"
    return re.findall(
        rf"^```{language}\n(.*?)^```", re.split(r"^## ", rest, flags=re.MULTILINE)[0], re.DOTALL | re.MULTILINE
    )
