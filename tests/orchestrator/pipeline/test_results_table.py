"""A run against served models: every planned cell becomes one row, with what was asked, answered, heard and scored."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image
from running import Setting, item, outcomes, stored_table
from served_doubles import RATE, Double, Serve, identity, say, sound, spoken

from omnigap.media import AudioClip, encode_pcm16, encode_png, encode_wav, pcm16_to_float
from omnigap.media.audio import Samples
from omnigap_orchestrator.analysis import analyse
from omnigap_orchestrator.results import RESULTS_SCHEMA
from omnigap_services.adapter import Turn


def paris(turn: Turn) -> None:
    say(turn, "Paris")


async def trio(host: Serve, root: Path, **fields: object) -> tuple[Setting, Double, Double, Double]:
    """A model that says Paris, an ear that hears it, and a voice; three items."""
    model, ear, voice = Double(paris), Double(paris), Double()
    places = {"models": {"omni": [await host(model)]}, "scorer": [await host(ear)], "tts": [await host(voice)]}
    return Setting(root, **{**places, **fields}), model, ear, voice  # type: ignore[arg-type]


async def test_every_planned_cell_is_one_row_of_the_schema(tmp_path: Path, host: Serve) -> None:
    setting, model, ear, voice = await trio(host, tmp_path)
    table = await setting.execute()
    assert table.schema == RESULTS_SCHEMA
    cells = table.select("model", "item_id", "condition", "replicate")
    assert cells.is_unique().all()
    assert cells.height == 3 * 6
    assert outcomes(table) == {"answered": 18}
    assert (table["score"] == 1).all()
    assert (len(model.asked), len(ear.asked), len(voice.asked)) == (18, 9, 3)
    speech = table.filter(pl.col("output") == "speech")
    assert (speech["transcript"] == "Paris").all()
    assert (speech["audio_seconds"] == 0.2).all()
    assert speech["asr_digest"].unique().len() == 1
    text = table.filter(pl.col("output") == "text")
    assert text["transcript"].null_count() == text["output_media"].null_count() == text.height


async def test_answers_agree_after_normalisation(tmp_path: Path, host: Serve) -> None:
    def three(turn: Turn) -> None:
        say(turn, "3")

    model, ear, voice = Double(three), Double(lambda turn: say(turn, "Three.")), Double()
    places = {"models": {"omni": [await host(model)]}, "scorer": [await host(ear)], "tts": [await host(voice)]}
    dots = [item(name, answers=["3"], answer_type="number") for name in ("dots", "stars")]
    setting = Setting(tmp_path, items=dots, **places)  # type: ignore[arg-type]
    table = await setting.execute()
    assert set(table["answer_used"]) == {"3", "Three."}
    assert set(table["normalised_answer"]) == {"3"}
    assert (
        analyse(table).frames["consistency"].row(by_predicate=pl.col("measure") == "RER", named=True)["estimate"] == 1.0
    )


async def test_row_values_are_in_the_order_of_the_schema(tmp_path: Path, host: Serve) -> None:
    setting, *_ = await trio(host, tmp_path, items=[item("peru")])
    await setting.execute(stages=["generate"])
    with stored_table(setting.folder) as table:
        row = table._row(next(iter(table._cells)))
    assert tuple(row) == tuple(RESULTS_SCHEMA)


async def test_the_carrier_has_only_the_question_and_the_instruction_is_always_text(
    tmp_path: Path, host: Serve
) -> None:
    setting, model, _, voice = await trio(host, tmp_path, items=[item("spain", instruction="Use one word.")])
    await setting.execute()
    (read_aloud,) = voice.asked
    assert read_aloud.texts == ("What is the capital of spain?",)
    for request in model.asked:
        carrier, instruction = request.parts
        assert instruction == "Use one word."
        assert not isinstance(carrier, str) or carrier == "What is the capital of spain?"
        if isinstance(carrier, AudioClip):
            assert np.array_equal(carrier.samples, _on_the_wire(spoken(identity(read_aloud), read_aloud)))


async def test_replicates_cycle_through_voices_and_fonts(tmp_path: Path, host: Serve) -> None:
    tables = {
        "run": {"replicates": 3, "seed": 5},
        "carriers": {"speech": {"voices": ["ann", "bob"]}, "image": {"font": ["DejaVu Sans", "DejaVu Serif"]}},
    }
    setting, model, _, voice = await trio(host, tmp_path, items=[item("peru")], tables=tables)
    table = await setting.execute()
    assert [request.voice for request in voice.asked] == ["ann", "bob"]
    spoken_by = table.filter(pl.col("condition") == "s2t").sort("replicate")["voice"]
    assert spoken_by.to_list() == ["ann", "bob", "ann"]
    drawn_in = table.filter(pl.col("condition") == "i2t").sort("replicate")["font"]
    assert drawn_in.to_list() == ["DejaVu Sans", "DejaVu Serif", "DejaVu Sans"]
    assert table.filter(pl.col("input") == "text")["voice"].null_count() == 6
    asked = {(r.decoding.seed, _bytes(r.carrier)) for r in model.asked if isinstance(r.carrier, Image.Image)}
    first, second, third = (next(data for seed, data in asked if seed == 5 + n) for n in range(3))
    assert first == third != second
    heard = {r.decoding.seed: r.carrier.samples for r in model.asked if isinstance(r.carrier, AudioClip)}
    readings = {request.voice: _on_the_wire(spoken(identity(request), request)) for request in voice.asked}
    for replicate, name in enumerate(["ann", "bob", "ann"]):
        assert np.array_equal(heard[5 + replicate], readings[name])
    media = table.filter(pl.col("condition") == "s2s").sort("replicate")["input_media"]
    assert media[0] == media[2]


async def test_replicates_cover_all_combinations_of_variants(tmp_path: Path, host: Serve) -> None:
    image = {"font": ["DejaVu Sans", "DejaVu Serif"], "size": [20, 40], "colour": ["black", "navy"], "width": 500}
    speech = {"voices": ["ann", "bob"], "words_per_minute": [120, 240]}
    tables = {"run": {"replicates": 8}, "carriers": {"speech": speech, "image": image}}
    own = item("own", carriers={"image": {"bytes": base64.b64encode(encode_png(Image.new("RGB", (9, 9)))).decode()}})
    setting, _, _, voice = await trio(host, tmp_path, items=[item("peru"), own], tables=tables)
    table = await setting.execute(conditions=["s2t", "i2t"])
    spoken_in = table.filter(item_id="peru", condition="s2t").sort("replicate")
    pairs = [(name, rate) for rate in (120.0, 240.0) for name in ("ann", "bob")]
    assert spoken_in.select("voice", "words_per_minute").rows() == 2 * pairs
    assert spoken_in["input_media"].n_unique() == 4
    assert {(r.voice, r.words_per_minute) for r in voice.asked if "peru" in r.texts[0]} == set(pairs)
    drawn = table.filter(item_id="peru", condition="i2t")
    assert drawn.select("font", "font_size", "colour").is_unique().all()
    assert drawn["input_media"].n_unique() == 8
    assert set(drawn.select("background", "image_width").rows()) == {("white", 500)}
    # What the item brings along was drawn in no font.
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
    setting, model, _, voice = await trio(host, tmp_path, items=items)
    table = await setting.execute()
    assert outcomes(table) == {"answered": 12}
    assert voice.asked == []
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
    """Samples as they arrive: rounded to 16 bits."""
    return pcm16_to_float(encode_pcm16(samples))


def _bytes(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
