"""Every error that omnigap defines has one base, so that a command can show its message without a list of classes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from omnigap.errors import ContractError, OmnigapError, first_error
from omnigap.vocabulary import Reason
from omnigap_orchestrator.cli.options import friendly

ROOT = Path(__file__).parents[1]
BASE = "OmnigapError"
BUILT_IN = {"Exception", "BaseException", "ValueError", "RuntimeError", "OSError", "KeyError", "TypeError"}


def _classes() -> Iterator[tuple[str, str, list[str]]]:
    """File, name and bases of each class. Read from the source: not every extra is installed where this runs."""
    for folder in ("proto", "services", "orchestrator"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    yield (
                        str(path.relative_to(ROOT)),
                        node.name,
                        [ast.unparse(base).split(".")[-1] for base in node.bases],
                    )


def test_each_error_class_derives_from_the_base() -> None:
    classes = list(_classes())
    derived = {BASE}
    while more := {name for _, name, bases in classes if derived & {*bases}} - derived:
        derived |= more
    errors = [(path, name) for path, name, bases in classes if {*bases} & BUILT_IN or name.endswith("Error")]
    assert len(errors) > 25
    assert [(path, name) for path, name in errors if name not in derived] == []


def test_a_command_shows_the_first_error_of_nested_groups() -> None:
    fault = ContractError(Reason.BAD_REQUEST, "set `output`")

    @friendly
    def command() -> None:
        raise ExceptionGroup("outer", [ExceptionGroup("inner", [fault, ValueError("later")])])

    with pytest.raises(click.ClickException, match="set `output`"):
        command()


def test_a_fault_of_the_program_keeps_its_traceback() -> None:
    @friendly
    def command() -> None:
        raise ExceptionGroup("outer", [ValueError("a fault")])

    with pytest.raises(ExceptionGroup):
        command()


def test_a_second_base_is_kept_if_callers_rely_on_it() -> None:
    from omnigap_orchestrator.plan import PlanError
    from omnigap_services.options import OptionsError
    from omnigap_services.server import PortTakenError

    assert issubclass(PlanError, ValueError)
    assert issubclass(OptionsError, ValueError)
    assert issubclass(PortTakenError, OSError)
    assert isinstance(first_error(PlanError("x")), OmnigapError)
