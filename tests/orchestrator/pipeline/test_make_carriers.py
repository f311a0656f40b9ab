"""Carriers of a run against served models: rendered variants, and the own media of items."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from omnigap.media import AudioClip, encode_pcm16, encode_png, encode_wav, pcm16_to_float
from omnigap.media.audio import Samples
from tests.helpers.running import item, outcomes, served_trio
from tests.helpers.served_doubles import RATE, Serve, identity, sound, spoken


async def test_the_carrier_has_only_the_question_and_the_instruction_is_always_text(
    tmp_path: Path, host: Serve
) -> None:
    setting, model, _, tts = await served_trio(host, tmp_path, items=[item("spain", instruction="Use one word.")])
    await setting.execute()
    (synthesised,) = tts.asked
    assert synthesised.texts == ("What is the capital of spain?",)
    for request in model.asked:
        carrier, instruction = request.parts
        assert instruction == "Use one word."
        assert not isinstance(carrier, str) or carrier == "What is the capital of spain?"
        if isinstance(carrier, AudioClip):
            assert np.array_equal(carrier.samples, _on_the_wire(spoken(identity(synthesised), synthesised)))


async def test_replicates_cycle_through_voices_and_fonts(tmp_path: Path, host: Serve) -> None:
    tables = {
        "run": {"replicates": 3, "seed": 5},
        "carriers": {"speech": {"voices": ["ann", "bob"]}, "image": {"font": ["DejaVu Sans", "DejaVu Serif"]}},
    }
    setting, model, _, tts = await served_trio(host, tmp_path, items=[item("peru")], tables=tables)
    table = await setting.execute()
    assert [request.voice for request in tts.asked] == ["ann", "bob"]
    spoken_by = table.filter(pl.col("condition") == "s2t").sort("replicate")["voice"]
    assert spoken_by.to_list() == ["ann", "bob", "ann"]
    drawn_in = table.filter(pl.col("condition") == "i2t").sort("replicate")["font"]
    assert drawn_in.to_list() == ["DejaVu Sans", "DejaVu Serif", "DejaVu Sans"]
    assert table.filter(pl.col("input") == "text")["voice"].null_count() == 6
    asked = {(r.decoding.seed, _bytes(r.carrier)) for r in model.asked if isinstance(r.carrier, Image.Image)}
    first, second, third = (next(data for seed, data in asked if seed == 5 + n) for n in range(3))
    assert first == third != second
    received = {r.decoding.seed: r.carrier.samples for r in model.asked if isinstance(r.carrier, AudioClip)}
    recordings = {request.voice: _on_the_wire(spoken(identity(request), request)) for request in tts.asked}
    for replicate, name in enumerate(["ann", "bob", "ann"]):
        assert np.array_equal(received[5 + replicate], recordings[name])
    media = table.filter(pl.col("condition") == "s2s").sort("replicate")["input_media"]
    assert media[0] == media[2]


async def test_replicates_cover_all_combinations_of_variants(tmp_path: Path, host: Serve) -> None:
    image = {"font": ["DejaVu Sans", "DejaVu Serif"], "size": [20, 40], "colour": ["black", "navy"], "width": 500}
    speech = {"voices": ["ann", "bob"], "words_per_minute": [120, 240]}
    tables = {"run": {"replicates": 8}, "carriers": {"speech": speech, "image": image}}
    own = item("own", carriers={"image": {"bytes": base64.b64encode(encode_png(Image.new("RGB", (9, 9)))).decode()}})
    setting, _, _, tts = await served_trio(host, tmp_path, items=[item("peru"), own], tables=tables)
    table = await setting.execute(conditions=["s2t", "i2t"])
    spoken_in = table.filter(item_id="peru", condition="s2t").sort("replicate")
    pairs = [(name, rate) for rate in (120.0, 240.0) for name in ("ann", "bob")]
    assert spoken_in.select("voice", "words_per_minute").rows() == 2 * pairs
    assert spoken_in["input_media"].n_unique() == 4
    assert {(r.voice, r.words_per_minute) for r in tts.asked if "peru" in r.texts[0]} == set(pairs)
    drawn = table.filter(item_id="peru", condition="i2t")
    assert drawn.select("font", "font_size", "colour").is_unique().all()
    assert drawn["input_media"].n_unique() == 8
    assert set(drawn.select("background", "image_width").rows()) == {("white", 500)}
    # The own image of an item has no font.
    brought = table.filter(item_id="own", condition="i2t")
    assert brought.select("font", "font_size", "colour").null_count().row(0) == (8, 8, 8)


async def test_own_carriers_of_items_can_be_files_or_bytes(tmp_path: Path, host: Serve) -> None:
    recording, picture = _wav("recording"), encode_png(Image.new("RGB", (40, 30), "red"))
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "bird.wav").write_bytes(recording)
    (tmp_path / "media" / "bird.png").write_bytes(picture)
    inline = {"bytes": base64.b64encode(_wav("inline")).decode(), "path": "x.wav"}
    items = [
        item(
            "files", carriers={"speech": "media/bird.wav", "image": {"path": "media/bird.png"}, "text": "A red bird."}
        ),
        item("bytes", carriers={"speech": inline}),
    ]
    setting, model, _, tts = await served_trio(host, tmp_path, items=items)
    table = await setting.execute()
    assert outcomes(table) == {"answered": 12}
    assert tts.asked == []
    sounds = [request.carrier.samples for request in model.asked if isinstance(request.carrier, AudioClip)]
    for seed in ("recording", "inline"):
        assert sum(np.array_equal(samples, _on_the_wire(sound(seed))) for samples in sounds) == 2
    assert sum(request.carrier == "A red bird." for request in model.asked) == 2
    images = [request.carrier for request in model.asked if isinstance(request.carrier, Image.Image)]
    assert sum(image.size == (40, 30) for image in images) == 2
    asked = len(model.asked)
    again = await setting.execute()
    assert again.equals(table)
    assert len(model.asked) == asked


def _wav(seed: str) -> bytes:
    return encode_wav(encode_pcm16(sound(seed)), RATE)


def _on_the_wire(samples: Samples) -> Samples:
    """Samples as received by a service: rounded to 16 bits."""
    return pcm16_to_float(encode_pcm16(samples))


def _bytes(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
