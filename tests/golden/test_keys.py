"""Keys of stored work are those of 0.1.0: with another key, a run would repeat stored work."""

from __future__ import annotations

import inspect
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from omnigap.digest import digest_of
from tests.golden import derivation

KEYS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("keys.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", KEYS, ids=lambda case: case["name"])
def test_keys_are_derived_as_in_0_1_0(case: dict[str, Any], tmp_path: Path) -> None:
    derive = derivation.DERIVE[case["kind"]]
    place = {"folder": tmp_path} if "folder" in inspect.signature(derive).parameters else {}
    assert derive(**case["inputs"], **place) == case["key"]


def test_every_kind_of_key_is_pinned() -> None:
    assert {case["kind"] for case in KEYS} == set(derivation.DERIVE)


def test_different_inputs_have_different_keys() -> None:
    keys = [key for case in KEYS for key in ([case["key"]] if isinstance(case["key"], str) else case["key"])]
    assert [key for key, count in Counter(keys).items() if count > 1] == []


def test_the_key_of_an_own_file_is_path_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(b"RIFF")
    os.utime(path, ns=(5, 7_000_000_000))
    assert derivation.own_file(path, "audio/wav") == digest_of(["own", str(path), 4, 7_000_000_000])
