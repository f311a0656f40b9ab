"""Digests: equal for equal content, different for anything else."""

from __future__ import annotations

import hashlib

import pytest

from omnigap.digest import digest_of, sha256_hex


def test_key_order_is_ignored_and_list_order_counts() -> None:
    assert digest_of({"a": 1, "b": {"c": 2, "d": 3}}) == digest_of({"b": {"d": 3, "c": 2}, "a": 1})
    assert digest_of(["a", "b"]) != digest_of(["b", "a"])


@pytest.mark.parametrize(("one", "other"), [("1", 1), (None, ""), (["ab"], ["a", "b"]), ({"a": None}, {}), (True, 1)])
def test_similar_values_have_different_digests(one: object, other: object) -> None:
    assert digest_of(one) != digest_of(other)  # type: ignore[arg-type]


def test_digest_is_sha256_of_canonical_utf8_json() -> None:
    assert digest_of({"ü": [1, 0.5, "한"]}) == hashlib.sha256('{"ü":[1,0.5,"한"]}'.encode()).hexdigest()
    assert sha256_hex(b"") == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"x": float("-inf")}])
def test_nan_and_infinity_raise(value: object) -> None:
    with pytest.raises(ValueError):
        digest_of(value)  # type: ignore[arg-type]


def test_values_outside_json_raise() -> None:
    with pytest.raises(TypeError):
        digest_of({"data": b"bytes"})  # type: ignore[dict-item]
