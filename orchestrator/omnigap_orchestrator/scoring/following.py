"""Instruction following as metrics: IFEval's verdicts of an item's checks, on one answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from omnigap_orchestrator.scoring.instructions import AUDIBLE, Instruction, followed, read_instruction
from omnigap_orchestrator.scoring.metrics import Scored

if TYPE_CHECKING:
    from omnigap_orchestrator.items.item import Check, Item


@lru_cache(maxsize=1 << 12)
def instruction_of(check: Check) -> Instruction:
    """A check of an item, read."""
    return read_instruction(check.kind, json.loads(check.arguments))


def instructions_of(item: Item) -> tuple[Instruction, ...]:
    return tuple(instruction_of(check) for check in item.checks)


def _strict(item: Item, text: str, answer: str) -> Scored:
    """1 where every instruction is followed: IFEval's strict accuracy at the level of prompts."""
    return Scored(float(followed(instructions_of(item), text).all), "ifeval", answer)


def _loose(item: Item, text: str, answer: str) -> Scored:
    return Scored(float(followed(instructions_of(item), text, loose=True).all), "ifeval_loose", answer)


def _share(item: Item, text: str, answer: str) -> Scored:
    return Scored(followed(instructions_of(item), text).share, "ifeval_share", answer)


def _audible(item: Item, text: str, answer: str) -> Scored:
    """The strict verdict over the instructions that can be heard, in text answers too: so the two stay comparable."""
    heard = [instruction for instruction in instructions_of(item) if instruction.kind in AUDIBLE]
    return Scored(float(followed(heard, text).all), "ifeval_audible", answer)


IFEVAL_METRICS: dict[str, Callable[[Item, str, str], Scored]] = {
    "ifeval": _strict,
    "ifeval_loose": _loose,
    "ifeval_share": _share,
    "ifeval_audible": _audible,
}
""""As written, or as heard": the checks of layout, case and punctuation look at the ASR scorer's in a speech answer."""
