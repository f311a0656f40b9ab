"""JSON Lines items: the documented form is read, and every bad line is named with its field and the fix."""

import base64
import io
import json
import re
import wave
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from omnigap.vocabulary import AnswerType, Modality
from omnigap_orchestrator.carriers import spoken_text
from omnigap_orchestrator.items import Item, ItemError, OwnCarrier, load_items, write_items
from omnigap_orchestrator.items.item import Check

DOCUMENT = Path(__file__).parents[3] / "docs" / "items.md"
GOOD: dict[str, Any] = {
    "id": "q1",
    "task": "qa",
    "language": "en",
    "question": "What is two plus two?",
    "answers": ["4", "four"],
    "answer_type": "number",
}


def wav(frames: int = 160) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"\1\0" * frames)
    return buffer.getvalue()


def image(kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, kind)
    return buffer.getvalue()


def write(folder: Path, *rows: dict[str, Any] | str | bytes) -> Path:
    path = folder / "my.jsonl"
    lines = [json.dumps(row).encode() if isinstance(row, dict) else row for row in rows]
    path.write_bytes(b"\n".join(line.encode() if isinstance(line, str) else line for line in lines))
    return path


def read(folder: Path, *rows: dict[str, Any] | str | bytes) -> tuple[Item, ...]:
    return load_items(write(folder, *rows))


def message(folder: Path, *rows: dict[str, Any] | str | bytes) -> str:
    path = write(folder, *rows)
    with pytest.raises(ItemError) as caught:
        load_items(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_row_in_the_documented_form_becomes_an_item(tmp_path: Path) -> None:
    (item,) = read(tmp_path, GOOD | {"instruction": "Say a number.", "source": "here", "cluster": "sums"})
    assert item.answers == ("4", "four")
    assert item.answer_type is AnswerType.NUMBER
    assert (item.instruction, item.source, item.cluster) == ("Say a number.", "here", "sums")
    assert (item.choices, dict(item.carriers)) == ((), {})


def test_the_rows_of_the_document_are_valid(tmp_path: Path) -> None:
    (example,) = re.findall(r"```jsonl\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "robin.wav").write_bytes(wav())
    (tmp_path / "media" / "robin.png").write_bytes(image())
    items = {item.id: item for item in read(tmp_path, example)}
    assert set(items) == {"fr-1", "mc-1", "bird-1"}
    assert set(items["bird-1"].carriers) == set(Modality)
    assert spoken_text(items["mc-1"]).endswith("A: shark. B: dolphin. C: lizard.")


def test_a_byte_order_mark_blank_lines_and_carriage_returns_do_no_harm(tmp_path: Path) -> None:
    row = json.dumps(GOOD).encode()
    assert len(read(tmp_path, b"\xef\xbb\xbf" + row + b"\r", b"", b"  \r", json.dumps(GOOD | {"id": "q2"}))) == 2


def test_null_in_an_optional_field_counts_as_absent(tmp_path: Path) -> None:
    nulls = dict.fromkeys(("choices", "instruction", "carriers", "source", "cluster"))
    assert read(tmp_path, GOOD | nulls) == read(tmp_path, GOOD)


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path: Path) -> None:
    (item,) = read(tmp_path, json.dumps(GOOD | {"question": "a\u2028b\x85c"}, ensure_ascii=False))
    assert item.question == "a\u2028b\x85c"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"anwsers": ["x"]}, ["unknown key 'anwsers'", "did you mean 'answers'"]),
        ({"zzz": 1}, ["unknown key 'zzz'", "question"]),
        ({"answers": []}, ["answers", "is empty", "gold answer"]),
        ({"answers": [""]}, ["answers[0]", "holds nothing"]),
        ({"answers": "4"}, ["answers", "must be a list", "write ['4']"]),
        ({"answers": [4]}, ["answers[0]", "must be text, not 4", 'write it in quotes, "4"']),
        ({"answers": None}, ["answers", "must be a list"]),
        ({"answer_type": "numbr"}, ["answer_type", "'number'", "'numbr'"]),
        ({"language": "english"}, ["language", "'english'", "BCP-47"]),
        ({"language": "en_GB"}, ["language", "write 'en-GB'"]),
        ({"question": " "}, ["question", "holds nothing"]),
        ({"question": "a\0b"}, ["question", "U+0000"]),
        ({"question": "\ud800"}, ["question", "U+D800"]),
        ({"question": 5}, ["question", "must be text, not 5"]),
        ({"id": ""}, ["id", "must not be empty"]),
        ({"id": " a"}, ["id", "' a'"]),
        ({"id": 7}, ["id", "must be text, not 7"]),
        ({"id": "x" * 201}, ["id", "at most 200"]),
        ({"choices": ["a"]}, ["choices", "has 1", "2 to 8"]),
        ({"choices": list("abcdefghi")}, ["choices", "has 9", "2 to 8"]),
        ({"choices": ["a", "a"]}, ["choices", "'a' stands twice"]),
        ({"choices": ["a", "b"], "answer_type": "letter", "answers": ["C"]}, ["answers", "'C'", "A to B"]),
        ({"choices": ["a", "b"], "answer_type": "letter", "answers": ["b"]}, ["answers", "'b'", "A to B"]),
        ({"answer_type": "letter", "answers": ["AB"]}, ["answers", "'AB'", "A to Z"]),
        ({"carriers": {"speach": "x.wav"}}, ["carriers", "'speach'", "did you mean 'speech'"]),
        ({"carriers": []}, ["carriers", "table"]),
        ({"carriers": {"text": ""}}, ["carriers.text", "holds nothing"]),
        ({"carriers": {"speech": "lost.wav"}}, ["carriers.speech", "'lost.wav'", "No such file"]),
        ({"carriers": {"speech": "."}}, ["carriers.speech", "'.'", "directory"]),
        ({"carriers": {"speech": "a\0b"}}, ["carriers.speech", "can't be read"]),
        ({"carriers": {"image": {}}}, ["carriers.image", "neither bytes nor path"]),
        ({"carriers": {"image": {"bytes": "!!"}}}, ["carriers.image.bytes", "no base64"]),
        ({"carriers": {"image": {"bytes": ""}}}, ["carriers.image.bytes", "not be empty"]),
        ({"carriers": {"image": {"byte": "aGk="}}}, ["carriers.image", "'byte'", "did you mean 'bytes'"]),
        ({"carriers": {"image": {"bytes": "R0lGODlhAQ=="}}}, ["carriers.image", "GIF89a", "PNG, JPEG or WebP"]),
        ({"carriers": {"speech": {"bytes": base64.b64encode(image()).decode()}}}, ["image/png", "is no speech"]),
        ({"carriers": {"image": {"bytes": base64.b64encode(wav()).decode()}}}, ["audio/wav", "is no image"]),
    ],
)
def test_a_bad_field_is_named_with_line_and_fix(tmp_path: Path, change: dict[str, Any], said: list[str]) -> None:
    told = message(tmp_path, GOOD, GOOD | {"id": "q2"} | change)
    assert "my.jsonl: line 2: " in told
    assert len(told.splitlines()) == 1
    for words in said:
        assert words in told


@pytest.mark.parametrize("field", sorted(GOOD))
def test_a_missing_field_is_named(tmp_path: Path, field: str) -> None:
    row = {key: value for key, value in GOOD.items() if key != field}
    assert f"line 1: {field}: is missing" in message(tmp_path, row)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": "a"', "no JSON at character 11"),
        ("[1, 2]", "a JSON list: write one object"),
        ("null", "a JSON NoneType"),
        ("[" * 100_000, "no JSON that can be read"),
        ("1" * 5_000, "no JSON that can be read"),
    ],
)
def test_a_line_that_is_no_object_is_named(tmp_path: Path, line: str, said: str) -> None:
    told = message(tmp_path, GOOD, line)
    assert "line 2: " in told
    assert said in told


def test_bytes_that_are_not_utf8_are_named_with_line_and_byte(tmp_path: Path) -> None:
    assert "line 2: byte 4 of the line is 0xe9" in message(tmp_path, GOOD, b"abc\xe9")


def test_ids_that_stand_twice_are_named_with_both_lines(tmp_path: Path) -> None:
    told = message(tmp_path, GOOD, GOOD | {"id": "q2"}, "", GOOD)
    assert "line 4: id: 'q1' stands already in line 1" in told


def test_ids_that_stand_in_two_files_are_named_with_both_files(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text(json.dumps(GOOD))
    with pytest.raises(ItemError, match=r"b\.jsonl: line 1: id: 'q1' stands already in .*a\.jsonl: line 1"):
        load_items(tmp_path)


def test_every_bad_line_is_named_and_long_lists_are_cut(tmp_path: Path) -> None:
    path = write(tmp_path, *[GOOD | {"id": f"q{n}", "question": ""} for n in range(30)])
    with pytest.raises(ItemError) as caught:
        load_items(path)
    assert len(caught.value.faults) == 30
    assert str(caught.value).splitlines()[-1] == "and 10 more"


def test_a_file_without_items_is_refused(tmp_path: Path) -> None:
    assert "holds no items" in message(tmp_path, "")


def test_files_that_can_not_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ItemError, match=r"lost\.jsonl: no such file"):
        load_items(tmp_path / "lost.jsonl")
    (tmp_path / "x.xlsx").write_bytes(b"")
    with pytest.raises(ItemError, match=r"x\.xlsx: is none of the kinds that are read: .*\.jsonl"):
        load_items(tmp_path / "x.xlsx")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ItemError, match="this folder holds no file"):
        load_items(tmp_path / "empty")


def test_the_kind_of_a_medium_is_told_from_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "really.png").write_bytes(image("JPEG"))
    (tmp_path / "sound.mp3").write_bytes(wav())
    (item,) = read(tmp_path, GOOD | {"carriers": {"image": "really.png", "speech": "sound.mp3"}})
    assert item.carriers[Modality.IMAGE].mime_type == "image/jpeg"
    assert item.carriers[Modality.SPEECH].mime_type == "audio/wav"


def test_bytes_in_the_row_win_over_the_path_beside_them(tmp_path: Path) -> None:
    row = GOOD | {"carriers": {"image": {"bytes": base64.b64encode(image("WEBP")).decode(), "path": "gone.png"}}}
    (item,) = read(tmp_path, row)
    carrier = item.carriers[Modality.IMAGE]
    assert (carrier.read(), carrier.mime_type, carrier.path) == (image("WEBP"), "image/webp", None)


def test_an_item_that_is_written_back_is_the_same_in_every_field(tmp_path: Path) -> None:
    """A run's folder holds what it asked: a field that is forgotten there would be lost when the run goes on."""
    item = Item(
        id="q1",
        task="qa",
        language="ko",
        question="Which one?",
        answers=("B",),
        answer_type=AnswerType.LETTER,
        choices=("one", "two"),
        instruction="Answer with a letter.",
        carriers={
            Modality.TEXT: OwnCarrier(text="Which one is it?", mime_type="text/plain"),
            Modality.SPEECH: OwnCarrier(data=wav(), mime_type="audio/wav"),
        },
        source="made up",
        cluster="c1",
        metric="ifeval",
        checks=(Check("startend:quotation", "{}"),),
    )
    for field in fields(Item):
        left_out = field.default_factory() if field.default_factory is not MISSING else field.default
        assert getattr(item, field.name) != left_out, f"{field.name} stands at its default: the test would not miss it"
    write_items(tmp_path / "again.jsonl", [item], lambda item, modality: None)
    assert load_items(tmp_path / "again.jsonl") == (item,)
