"""Which media travel inside the report."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from fake_run import store

from omnigap_orchestrator.report.media import shelve


def path_of(digest: str) -> str | None:
    return f"media/{digest[:2]}/{digest}.wav"


def test_the_budget_is_spent_in_the_given_order_and_the_rest_is_linked(tmp_path: Path) -> None:
    digests = [store(tmp_path, bytes([n]) * 300, "wav") for n in range(4)]
    shelf = shelve([digests[2], digests[0], digests[3], digests[1]], tmp_path, path_of, budget=800)
    assert [m.embedded is not None for m in shelf.media] == [True, True, False, False]
    assert shelf.embedded_bytes == 800
    assert shelf.media[2].link == path_of(digests[3])
    assert base64.b64decode(shelf.media[0].base64()) == bytes([2]) * 300


def test_no_budget_embeds_everything(tmp_path: Path) -> None:
    digests = [store(tmp_path, bytes([n]) * 900, "wav") for n in range(3)]
    shelf = shelve(digests, tmp_path, path_of, budget=None)
    assert (shelf.embedded, shelf.linked, shelf.missing) == (3, 0, 0)


def test_a_medium_that_many_cells_share_is_held_once(tmp_path: Path) -> None:
    digest = store(tmp_path, b"RIFF", "wav")
    shelf = shelve([digest, digest], tmp_path, path_of, budget=None)
    assert len(shelf.media) == 1
    assert shelf.index == {digest: 0}


def test_a_text_carrier_is_inside_whatever_the_budget(tmp_path: Path) -> None:
    digest = store(tmp_path, "Où est-ce\xa0?".encode(), "txt")
    shelf = shelve([digest], tmp_path, lambda d: f"media/{d[:2]}/{d}.txt", budget=0)
    assert shelf.media[0].text == "Où est-ce\xa0?"


def test_what_was_not_stored_or_is_gone_is_missing(tmp_path: Path) -> None:
    gone = hashlib.sha256(b"gone").hexdigest()
    shelf = shelve([gone, "0" * 64], tmp_path, lambda d: path_of(d) if d == gone else None, budget=None)
    assert [m.kind for m in shelf.media] == ["missing", "missing"]
    assert shelf.missing == 2
