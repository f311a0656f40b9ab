"""Compares output of 0.1.0 with current output, value by value, with the names of `renamed.py`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tests.golden import renamed

# The order of a sum may change, which affects only the last digits of a float.
RELATIVE, ABSOLUTE = 1e-9, 1e-12


def differences(
    expected: Any, found: Any, path: str = "", names: Mapping[str, str] = renamed.SUMMARY_KEYS
) -> list[str]:
    """The differences of two JSON values, one line each; empty if they are equal.

    Args:
        path: dotted path of these values, without list positions.
        names: path in 0.1.0 -> current name.
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
    """As `differences`, for the rows of a table."""
    return differences(expected, found, names=renamed.COLUMNS)


def _of_dicts(expected: dict[str, Any], found: dict[str, Any], path: str, names: Mapping[str, str]) -> list[str]:
    lines, known = [], set()
    for key, before in expected.items():
        inner = f"{path}.{key}" if path else key
        current = names.get(inner, key)
        known.add(current)
        if current in found:
            lines += differences(before, found[current], inner, names)
        elif inner not in renamed.MAY_DIFFER:
            lines.append(f"{inner}: missing")
    new = [f"{path}.{key}" if path else key for key in found if key not in known]
    return lines + [f"{key}: new" for key in new if key not in renamed.ADDED]


def _equal(before: Any, now: Any) -> bool:
    if isinstance(before, bool) or isinstance(now, bool):
        return before is now
    if isinstance(before, float) and isinstance(now, float):
        return (math.isnan(before) and math.isnan(now)) or math.isclose(before, now, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return bool(before == now)
