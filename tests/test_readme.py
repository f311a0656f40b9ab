"""The README's example model is the tested one, its examples load, and every link of the documentation is valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from omnigap_orchestrator.config import load_config
from omnigap_orchestrator.items import load_items

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted(path.relative_to(ROOT) for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def _blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_example_model_is_the_tested_one() -> None:
    assert _blocks("python") == [(ROOT / "examples" / "shout_model.py").read_text(encoding="utf-8")]


def test_example_item_loads(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text(_blocks("json")[0], encoding="utf-8")
    (item,) = load_items(tmp_path / "items.jsonl")
    assert item.answers == ("Paris",)


@pytest.mark.parametrize(
    ("page", "models"),
    [("README.md", ["shout"]), ("docs/gpu-study.md", ["qwen2.5-omni", "control", "ming-flash-omni-2"])],
)
def test_example_configuration_loads(page: str, models: list[str], tmp_path: Path) -> None:
    (block,) = _blocks("toml", (ROOT / page).read_text(encoding="utf-8"))
    (tmp_path / "study.toml").write_text(block, encoding="utf-8")
    assert [model.name for model in load_config(tmp_path / "study.toml").models] == models


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in [_anchor(heading) for heading in headings], link


def test_index_of_the_documentation_lists_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in PAGES:
        if page.parts[0] == "docs" and page != Path("docs/README.md"):
            assert f"({page.relative_to('docs').as_posix()})" in index, page


def _anchor(heading: str) -> str:
    """The anchor of a heading on GitHub."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
