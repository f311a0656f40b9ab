"""Which media are embedded in the report."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from omnigap_orchestrator.report.media import collect_media
from tests.orchestrator.report.fake_run import store


def path_of(digest: str) -> str | None:
    return f"media/{digest[:2]}/{digest}.wav"


def test_media_are_embedded_in_order_until_the_budget_is_spent(tmp_path: Path) -> None:
    digests = [store(tmp_path, bytes([n]) * 300, "wav") for n in range(4)]
    media = collect_media([digests[2], digests[0], digests[3], digests[1]], tmp_path, path_of, budget=800)
    assert [m.embedded is not None for m in media.media] == [True, True, False, False]
    assert media.embedded_bytes == 800
    assert media.media[2].link == path_of(digests[3])
    assert base64.b64decode(media.media[0].base64()) == bytes([2]) * 300


def test_without_a_budget_everything_is_embedded(tmp_path: Path) -> None:
    digests = [store(tmp_path, bytes([n]) * 900, "wav") for n in range(3)]
    media = collect_media(digests, tmp_path, path_of, budget=None)
    assert (media.embedded, media.linked, media.missing) == (3, 0, 0)


def test_shared_medium_is_embedded_once(tmp_path: Path) -> None:
    digest = store(tmp_path, b"RIFF", "wav")
    media = collect_media([digest, digest], tmp_path, path_of, budget=None)
    assert len(media.media) == 1
    assert media.index == {digest: 0}


def test_text_carrier_is_embedded_without_a_budget(tmp_path: Path) -> None:
    digest = store(tmp_path, "Où est-ce\xa0?".encode(), "txt")
    media = collect_media([digest], tmp_path, lambda d: f"media/{d[:2]}/{d}.txt", budget=0)
    assert media.media[0].text == "Où est-ce\xa0?"


def test_unstored_and_deleted_media_are_missing(tmp_path: Path) -> None:
    gone = hashlib.sha256(b"gone").hexdigest()
    media = collect_media([gone, "0" * 64], tmp_path, lambda d: path_of(d) if d == gone else None, budget=None)
    assert [m.kind for m in media.media] == ["missing", "missing"]
    assert media.missing == 2


def test_a_damaged_medium_is_missing_instead_of_another_sound(tmp_path: Path) -> None:
    digests = [store(tmp_path, bytes([n]) * 300, "wav") for n in range(2)]
    (tmp_path / (path_of(digests[0]) or "")).write_bytes(b"another sound")
    media = collect_media(digests, tmp_path, path_of, budget=None)
    assert (media.embedded, media.missing) == (1, 1)
    assert media.media[media.index[digests[0]]].kind == "missing"
