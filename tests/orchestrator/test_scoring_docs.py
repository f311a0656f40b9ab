"""Examples in docs/scoring.md and docs/external-results.md are valid, and the pages mention every name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from omnigap_orchestrator.config import ItemsConfig, load_config
from omnigap_orchestrator.items.row import collect, jsonl_rows
from omnigap_orchestrator.judge import SHIPPED, rubric_of
from omnigap_orchestrator.presets import preset_names
from omnigap_orchestrator.scoring import metric_names, scoring_presets

DOCS = Path(__file__).parents[2] / "docs"


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / document).read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("document", ["scoring.md", "external-results.md"])
def test_configurations_load(document: str, tmp_path: Path) -> None:
    loaded = 0
    for number, block in enumerate(blocks(document, "toml")):
        if 'prompt = """' in block:
            continue
        path = tmp_path / f"{number}.toml"
        path.write_text(block, encoding="utf-8")
        load_config(path)
        loaded += 1
    assert loaded >= 1


def test_custom_rubric_is_valid() -> None:
    (block,) = (block for block in blocks("scoring.md", "toml") if 'prompt = """' in block)
    assert rubric_of("own", block, ".toml").scale == "0 to 10"


def test_items_load(tmp_path: Path) -> None:
    (block,) = blocks("scoring.md", "json")
    (tmp_path / "items.jsonl").write_text(block, encoding="utf-8")
    assert [item.metric for item in collect(jsonl_rows(tmp_path / "items.jsonl"))] == ["refusal", "ifeval", "judge"]
    assert all(json.loads(line) for line in block.strip().split("\n"))


def test_every_metric_subset_rubric_and_preset_is_documented() -> None:
    text = (DOCS / "scoring.md").read_text(encoding="utf-8")
    for name in (*metric_names(), *SHIPPED):
        assert f"`{name}`" in text, name
    for subset in scoring_presets()["voicebench"]:
        assert subset.removesuffix("_speaker") in text, subset
    external = (DOCS / "external-results.md").read_text(encoding="utf-8")
    for name in preset_names():
        assert f"`{name}`" in external, name


def test_every_key_of_a_column_is_documented() -> None:
    from omnigap_orchestrator.config import ColumnConfig

    text = (DOCS / "external-results.md").read_text(encoding="utf-8") + (DOCS / "items.md").read_text(encoding="utf-8")
    assert [key for key in ColumnConfig.model_fields if not re.search(rf"\b{key}\b", text)] == []
    assert "preset" in ItemsConfig.model_fields


def test_python_examples_compile() -> None:
    for block in blocks("external-results.md", "python"):
        compile(block, "external-results.md", "exec")
