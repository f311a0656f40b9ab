"""A run that is resumed against a service of another digest says in one line why its cells are asked again."""

from __future__ import annotations

import re
from pathlib import Path

from tests.golden.commands import orchestrate
from tests.golden.folders import study, unpack
from tests.golden.served import Changed, Stored, serving, stored_cards

DIGEST = "def456" + 58 * "0"


def test_another_digest_of_the_model_is_said_with_the_cells_that_it_costs(tmp_path: Path) -> None:
    folder = unpack("plain", tmp_path)
    cards = stored_cards(folder)
    services = {name: Stored(card) for name, card in cards.items()} | {"cascade": Changed(cards["cascade"], DIGEST)}
    with serving(services) as endpoints:
        config, items = study(folder, endpoints), folder / "items.jsonl"
        # Only the model is asked: its answers stay without a transcript and without a score.
        arguments = ("run", "-c", config, "--run-dir", folder, "--items", items, "--stages", "generate", "--quiet")
        notes = orchestrate(*arguments, code=3, notes=True)
    assert re.search(r"cascade.*digest.*\b60 of 60 cells are asked again", notes)
    assert f"{cards['cascade'].digest[:6]}… -> {DIGEST[:6]}…" in notes
    assert len(services["cascade"].asked) == 60


def test_the_same_services_announce_nothing(tmp_path: Path) -> None:
    folder = unpack("plain", tmp_path)
    with serving({name: Stored(card) for name, card in stored_cards(folder).items()}) as endpoints:
        config, items = study(folder, endpoints), folder / "items.jsonl"
        notes = orchestrate("run", "-c", config, "--run-dir", folder, "--items", items, "--quiet", notes=True)
    assert "asked again" not in notes


def test_a_narrowed_call_leaves_the_rest_to_be_announced_by_the_next(tmp_path: Path) -> None:
    folder = unpack("plain", tmp_path)
    cards = stored_cards(folder)
    services = {name: Stored(card) for name, card in cards.items()} | {"cascade": Changed(cards["cascade"], DIGEST)}
    with serving(services) as endpoints:
        config, items = study(folder, endpoints), folder / "items.jsonl"
        arguments = ("run", "-c", config, "--run-dir", folder, "--items", items, "--quiet")
        narrowed = orchestrate(*arguments, "--stages", "generate", "--conditions", "t2t", code=3, notes=True)
        whole = orchestrate(*arguments, "--stages", "generate", code=3, notes=True)
        again = orchestrate(*arguments, "--stages", "generate", code=3, notes=True)
    assert "10 of 10 cells are asked again" in narrowed
    # The other cells were last asked of the first digest, which is no longer the one last seen.
    assert "50 of 60 cells are asked again" in whole
    assert f"{cards['cascade'].digest[:6]}… -> {DIGEST[:6]}…" in whole
    assert "asked again" not in again


def test_a_service_that_this_call_does_not_ask_announces_nothing(tmp_path: Path) -> None:
    folder = unpack("plain", tmp_path)
    cards = stored_cards(folder)
    services = {name: Stored(card) for name, card in cards.items()} | {"cascade": Changed(cards["cascade"], DIGEST)}
    with serving(services) as endpoints:
        config, items = study(folder, endpoints), folder / "items.jsonl"
        arguments = ("run", "-c", config, "--run-dir", folder, "--items", items, "--quiet")
        notes = orchestrate(*arguments, "--stages", "transcribe", notes=True)
    assert "asked again" not in notes
