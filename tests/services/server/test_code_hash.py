"""The hash of an adapter's code: what it covers, and that making tiny checkpoints is no part of it."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import omnigap_services
from omnigap_services.adapter import Adapter
from omnigap_services.server.describe import code_hash
from omnigap_services.source import source_hash

ADAPTER = """
from omnigap_services.adapter import Adapter

class Model(Adapter):
    def load(self): ...
    def generate(self, batch): ...

class WithTiny(Model):
    @classmethod
    def build_tiny(cls, options, folder): ...
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of `models_of_others.speaking`, a package in another one, as those of the services are."""
    folder = tmp_path / "models_of_others" / "speaking"
    folder.mkdir(parents=True)
    for file in ("../__init__.py", "__init__.py", "tiny.py", "engine.py"):
        (folder / file).write_text("")
    (folder / "adapter.py").write_text(ADAPTER)
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "models_of_others"]:
        del sys.modules[name]


def adapter(module: str, name: str) -> type[Adapter]:
    found: type[Adapter] = getattr(importlib.import_module(f"models_of_others.speaking.{module}"), name)
    return found


@pytest.mark.parametrize(
    ("name", "file", "covered"),
    [
        ("WithTiny", "engine.py", True),
        ("WithTiny", "adapter.py", True),
        ("WithTiny", "tiny.py", False),
        # Without build_tiny, a module of this name has another purpose.
        ("Model", "tiny.py", True),
    ],
)
def test_the_builder_of_tiny_checkpoints_is_not_covered(package: Path, name: str, file: str, covered: bool) -> None:
    before = code_hash(adapter("adapter", name))
    (package / file).write_text((package / file).read_text() + "\nCHANGED = 1\n")
    assert (code_hash(adapter("adapter", name)) != before) is covered


def test_an_adapter_in_a_module_called_tiny_is_covered(package: Path) -> None:
    (package / "tiny.py").write_text(ADAPTER)
    before = code_hash(adapter("tiny", "WithTiny"))
    (package / "tiny.py").write_text(f"{ADAPTER}\nCHANGED = 1\n")
    assert code_hash(adapter("tiny", "WithTiny")) != before


def test_the_hash_of_another_package_does_not_cover_it_either(package: Path) -> None:
    before = source_hash("models_of_others.speaking")
    (package / "tiny.py").write_text("CHANGED = 1")
    assert source_hash("models_of_others.speaking") == before
    (package / "engine.py").write_text("CHANGED = 1")
    assert source_hash("models_of_others.speaking") != before


def test_only_build_tiny_imports_the_builders() -> None:
    """Code that is not part of the digest must not change answers of real weights."""
    root = Path(omnigap_services.__file__).parent
    imports = {file.relative_to(root): list(_imports_of_tiny(ast.parse(file.read_text()))) for file in _sources(root)}
    found = {file: where for file, where in imports.items() if where}
    assert Path("hf/chat/adapter.py") in found
    assert {where for places in found.values() for where in places} == {"build_tiny"}


def _sources(root: Path) -> list[Path]:
    return [file for file in root.rglob("*.py") if "tiny" not in (file.stem, file.parent.name)]


def _imports_of_tiny(tree: ast.AST, function: str = "") -> list[str]:
    """The functions with an import of a module called `tiny`; an empty name for one outside of functions."""
    found: list[str] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import) and any("tiny" in alias.name.split(".") for alias in node.names):
            found.append(function)
        if isinstance(node, ast.ImportFrom) and (
            "tiny" in (node.module or "").split(".") or any(alias.name == "tiny" for alias in node.names)
        ):
            found.append(function)
        inner = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        found += _imports_of_tiny(node, inner)
    return found
