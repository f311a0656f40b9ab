"""Resuming a run with a service of another digest notes the change and the number of cells to repeat."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.golden.commands import orchestrate
from tests.golden.folders import study, unpack
from tests.golden.served import Changed, Stored, serving, stored_cards

DIGEST = "def456" + 58 * "0"


@dataclass(frozen=True)
class Resumed:
    """A stored run whose services are served again on free ports.

    Attributes:
        model: the service of the model; its digest is `DIGEST` if it was changed.
        old_digest: the model's digest in the stored run.
    """

    folder: Path
    endpoints: dict[str, str]
    model: Stored
    old_digest: str

    def run(self, *arguments: str, code: int = 0) -> str:
        """Runs it; returns the output, notes included."""
        config, items = study(self.folder, self.endpoints), self.folder / "items.jsonl"
        command = ("run", "-c", config, "--run-dir", self.folder, "--items", items, "--quiet", *arguments)
        return orchestrate(*command, code=code, notes=True)


@contextmanager
def resumed(root: Path, *, changed: bool) -> Iterator[Resumed]:
    folder = unpack("plain", root)
    cards = stored_cards(folder)
    services = {name: Stored(card) for name, card in cards.items()}
    if changed:
        services["cascade"] = Changed(cards["cascade"], DIGEST)
    with serving(services) as endpoints:
        yield Resumed(folder, endpoints, services["cascade"], cards["cascade"].digest)


def test_a_changed_digest_is_noted_with_the_cells_to_repeat(tmp_path: Path) -> None:
    with resumed(tmp_path, changed=True) as stored:
        # Only the stage generate: the new answers have neither transcript nor score.
        notes = stored.run("--stages", "generate", code=3)
    assert re.search(r"cascade.*digest.*\b60 of 60 cells", notes)
    assert f"{stored.old_digest[:6]}… -> {DIGEST[:6]}…" in notes
    assert len(stored.model.asked) == 60


def test_unchanged_services_are_not_noted(tmp_path: Path) -> None:
    with resumed(tmp_path, changed=False) as stored:
        notes = stored.run()
    assert "digest changed" not in notes


def test_a_restricted_call_leaves_the_rest_to_the_next_note(tmp_path: Path) -> None:
    with resumed(tmp_path, changed=True) as stored:
        first = stored.run("--stages", "generate", "--conditions", "t2t", code=3)
        second = stored.run("--stages", "generate", code=3)
        third = stored.run("--stages", "generate", code=3)
    assert "10 of 10 cells" in first
    # The other cells have answers of the first digest, which is not the one last seen.
    assert "50 of 60 cells" in second
    assert f"{stored.old_digest[:6]}… -> {DIGEST[:6]}…" in second
    assert "digest changed" not in third


def test_a_changed_service_outside_the_call_is_not_noted(tmp_path: Path) -> None:
    with resumed(tmp_path, changed=True) as stored:
        # The call does not score, and the scores of 0.1.0 are by other rules.
        notes = stored.run("--stages", "transcribe", code=3)
    assert "digest changed" not in notes
