"""A damaged medium fails its cells only, and the same command makes it or asks it again."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from PIL import Image

from omnigap.media import encode_png
from omnigap_orchestrator.carriers import MediaStore, MediumError
from tests.helpers.damage import cut, delete, flip, folder, referenced
from tests.helpers.running import Setting, item, outcomes, served_trio, without_times
from tests.helpers.served_doubles import Double, Serve, say

SPOILS = [flip, cut, delete, folder]
BY_SPEECH = {"run": {"conditions": ["t2t", "s2t"]}}
AS_SPEECH = {"run": {"conditions": ["t2t", "t2s"]}}


@pytest.mark.parametrize("spoil", SPOILS)
async def test_a_damaged_carrier_is_made_again_before_its_cell_is_asked(
    spoil: object, tmp_path: Path, host: Serve
) -> None:
    setting, model, _, tts = await served_trio(host, tmp_path, tables=BY_SPEECH)
    await setting.execute(stages=["carriers"])
    whole = [path.read_bytes() for path in referenced(setting.folder.root, "carriers")]
    spoil(referenced(setting.folder.root, "carriers")[0], random.Random(1))  # type: ignore[operator]
    synthesised = len(tts.asked)
    table = await setting.execute()
    assert outcomes(table) == {"answered": 6}
    assert len(tts.asked) == synthesised + 1
    assert len(model.asked) == 6
    assert [path.read_bytes() for path in referenced(setting.folder.root, "carriers")] == whole


@pytest.mark.parametrize("spoil", SPOILS)
async def test_damaged_audio_of_an_answer_is_asked_again(spoil: object, tmp_path: Path, host: Serve) -> None:
    setting, _, scorer, _ = await served_trio(host, tmp_path, tables=AS_SPEECH)
    await setting.execute(stages=["generate"])
    whole = [path.read_bytes() for path in referenced(setting.folder.root, "answers")]
    spoil(referenced(setting.folder.root, "answers")[0], random.Random(1))  # type: ignore[operator]
    assert outcomes(await setting.execute()) == {"answered": 6}
    assert len(scorer.asked) == 3
    assert [path.read_bytes() for path in referenced(setting.folder.root, "answers")] == whole


async def test_a_carrier_that_cannot_be_made_again_fails_its_cells_and_no_other(tmp_path: Path, host: Serve) -> None:
    """An item whose own picture was read from the folder of the run: nothing else has it."""
    recording = tmp_path / "own.png"

    recording.write_bytes(encode_png(Image.new("RGB", (32, 32), "white")))
    items = [item("france"), item("peru", carriers={"image": str(recording)})]
    model = Double(lambda turn: say(turn, "Paris"))
    tables = {"run": {"conditions": ["t2t", "i2t"]}}
    setting = Setting(tmp_path, {"omni": [await host(model)]}, items=items, tables=tables)
    await setting.execute(stages=["carriers"])
    again = Setting(tmp_path, setting.models, tables={**tables, "items": {"path": str(setting.folder.items)}})
    (own,) = [
        path for path in referenced(setting.folder.root, "carriers") if path.read_bytes() == recording.read_bytes()
    ]
    flip(own, random.Random(1))
    table = await again.execute()
    assert outcomes(table) == {"answered": 3, "failed": 1}
    (failed,) = table.filter(outcome="failed").iter_rows(named=True)
    assert (failed["item_id"], failed["error_reason"]) == ("peru", "BAD_MEDIA")
    assert str(own) in failed["error_message"] or own.stem in failed["error_message"]


async def test_a_damaged_medium_of_a_blank_is_made_again(tmp_path: Path, host: Serve) -> None:
    tables = {"run": {"conditions": ["s2t"], "controls": ["blank"]}}
    setting, _, _, _ = await served_trio(host, tmp_path, tables={"run": {"conditions": ["s2t"]}})
    await setting.execute(stages=["carriers"])
    flip(referenced(setting.folder.root, "carriers")[0], random.Random(1))
    with_controls = Setting(tmp_path, setting.models, setting.scorer, setting.tts, tables=tables)
    table = await with_controls.execute()
    assert outcomes(table) == {"answered": 3}
    assert outcomes(with_controls.control_table()) == {"answered": 3}


async def test_results_stay_known_without_the_media(tmp_path: Path, host: Serve) -> None:
    setting, _, _, _ = await served_trio(host, tmp_path, tables=BY_SPEECH)
    before = without_times(await setting.execute())
    for path in referenced(setting.folder.root, "carriers"):
        path.unlink()
    assert without_times(setting.table()).equals(before)


def test_a_cut_medium_is_stored_again(tmp_path: Path) -> None:
    store = MediaStore(tmp_path)
    sha = store.put(b"a recording", "wav")
    cut(store.path(sha), random.Random(1))
    assert store.put(b"a recording", "wav") == sha
    assert store.read(sha) == b"a recording"


def test_a_medium_that_is_set_aside_is_kept(tmp_path: Path) -> None:
    store = MediaStore(tmp_path)
    sha = store.put(b"a recording", "wav")
    store.path(sha).write_bytes(b"noise")
    with pytest.raises(MediumError) as caught:
        store.read(sha)
    caught.value.set_aside()
    assert not store.exists(sha)
    (kept,) = (tmp_path / "damaged").iterdir()
    assert kept.read_bytes() == b"noise"
