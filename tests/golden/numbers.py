"""Compares what 0.1.0 wrote with what is written today, value by value, under the names of `renamed.py`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tests.golden import renamed

# Sums may be taken in another order: the last digits of a float are no number of the run.
RELATIVE, ABSOLUTE = 1e-9, 1e-12


def differences(
    expected: Any, found: Any, path: str = "", names: Mapping[str, str] = renamed.SUMMARY_KEYS
) -> list[str]:
    """Every place where two JSON values differ, as one line each; an empty list where they are equal.

    Args:
        path: of these values, dotted, without list positions.
        names: path in 0.1.0 -> name today.
    """
    if path in renamed.MAY_DIFFER:
        return []
    if isinstance(expected, dict) and isinstance(found, dict):
        return _of_dicts(expected, found, path, names)
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return [f"{path}: {len(expected)} entries before, {len(found)} now"]
        pairs = zip(expected, found, strict=True)
        return [line for before, now in pairs for line in differences(before, now, path, names)]
    if isinstance(expected, str):
        expected = renamed.VALUES.get(path, {}).get(expected, expected)
    return [] if _equal(expected, found) else [f"{path}: {expected!r} before, {found!r} now"]


def row_differences(expected: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[str]:
    """The same for the rows of a table, whose columns have names of their own."""
    return differences(expected, found, names=renamed.COLUMNS)


def _of_dicts(expected: dict[str, Any], found: dict[str, Any], path: str, names: Mapping[str, str]) -> list[str]:
    lines, known = [], set()
    for key, before in expected.items():
        inner = f"{path}.{key}" if path else key
        today = names.get(inner, key)
        known.add(today)
        if today in found:
            lines += differences(before, found[today], inner, names)
        elif inner not in renamed.MAY_DIFFER:
            lines.append(f"{inner}: is gone")
    new = [f"{path}.{key}" if path else key for key in found if key not in known]
    return lines + [f"{key}: is new" for key in new if key not in renamed.ADDED]


def _equal(before: Any, now: Any) -> bool:
    if isinstance(before, bool) or isinstance(now, bool):
        return before is now
    if isinstance(before, float) and isinstance(now, float):
        return (math.isnan(before) and math.isnan(now)) or math.isclose(before, now, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return bool(before == now)
