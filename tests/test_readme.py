"""The README's example is the one that the tests serve, and its examples of items and configuration load."""

from __future__ import annotations

import re
from pathlib import Path

from omnigap_orchestrator.config import load_config
from omnigap_orchestrator.items import load_items

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_example_model_is_the_one_that_is_tested() -> None:
    assert _blocks("python") == [(ROOT / "examples" / "shout_model.py").read_text(encoding="utf-8")]


def test_the_example_item_loads(tmp_path: Path) -> None:
    (tmp_path / "items.jsonl").write_text(_blocks("json")[0], encoding="utf-8")
    (item,) = load_items(tmp_path / "items.jsonl")
    assert item.answers == ("Paris",)


def test_the_example_configurations_load(tmp_path: Path) -> None:
    found = []
    for block in _blocks("toml"):
        (tmp_path / "study.toml").write_text(block, encoding="utf-8")
        found.append([model.name for model in load_config(tmp_path / "study.toml").models])
    assert found == [["qwen2.5-omni", "control", "ming-flash-omni-2"], ["shout"]]


def test_linked_files_are_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if "://" not in target:
            assert (ROOT / target).exists(), target
