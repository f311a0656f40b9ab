"""Rows of items files: the documented form, faults with line, field and fix, metrics and checks."""

from __future__ import annotations

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
from omnigap_orchestrator.items.row import collect, jsonl_rows

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


def test_row_in_the_documented_form(tmp_path: Path) -> None:
    (item,) = read(tmp_path, GOOD | {"instruction": "Say a number.", "source": "here", "cluster": "sums"})
    assert item.answers == ("4", "four")
    assert item.answer_type is AnswerType.NUMBER
    assert (item.instruction, item.source, item.cluster) == ("Say a number.", "here", "sums")
    assert (item.choices, dict(item.carriers)) == ((), {})


def test_rows_in_the_documentation_are_valid(tmp_path: Path) -> None:
    (example,) = re.findall(r"```jsonl\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "robin.wav").write_bytes(wav())
    (tmp_path / "media" / "robin.png").write_bytes(image())
    items = {item.id: item for item in read(tmp_path, example)}
    assert set(items) == {"fr-1", "mc-1", "bird-1"}
    assert set(items["bird-1"].carriers) == set(Modality)
    assert spoken_text(items["mc-1"]).endswith("A: shark. B: dolphin. C: lizard.")


def test_byte_order_mark_blank_lines_and_carriage_returns_are_accepted(tmp_path: Path) -> None:
    row = json.dumps(GOOD).encode()
    assert len(read(tmp_path, b"\xef\xbb\xbf" + row + b"\r", b"", b"  \r", json.dumps(GOOD | {"id": "q2"}))) == 2


def test_null_in_an_optional_field_counts_as_absent(tmp_path: Path) -> None:
    nulls = dict.fromkeys(("choices", "instruction", "carriers", "source", "cluster"))
    assert read(tmp_path, GOOD | nulls) == read(tmp_path, GOOD)


def test_unicode_line_separators_inside_a_text_are_kept(tmp_path: Path) -> None:
    (item,) = read(tmp_path, json.dumps(GOOD | {"question": "a\u2028b\x85c"}, ensure_ascii=False))
    assert item.question == "a\u2028b\x85c"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"anwsers": ["x"]}, ["unknown key 'anwsers'", "did you mean 'answers'"]),
        ({"zzz": 1}, ["unknown key 'zzz'", "question"]),
        ({"answers": []}, ["answers", "is empty", "gold answer"]),
        ({"answers": [""]}, ["answers[0]", "is ''"]),
        ({"answers": "4"}, ["answers", "must be a list", "write ['4']"]),
        ({"answers": [4]}, ["answers[0]", "must be text, not 4", 'write it in quotes, "4"']),
        ({"answers": None}, ["answers", "must be a list"]),
        ({"answer_type": "numbr"}, ["answer_type", "'number'", "'numbr'"]),
        ({"language": "english"}, ["language", "'english'", "BCP-47"]),
        ({"language": "en_GB"}, ["language", "write 'en-GB'"]),
        ({"question": " "}, ["question", "is ' '"]),
        ({"question": "a\0b"}, ["question", "U+0000"]),
        ({"question": "\ud800"}, ["question", "U+D800"]),
        ({"question": 5}, ["question", "must be text, not 5"]),
        ({"id": ""}, ["id", "must not be empty"]),
        ({"id": " a"}, ["id", "' a'"]),
        ({"id": 7}, ["id", "must be text, not 7"]),
        ({"id": "x" * 201}, ["id", "at most 200"]),
        ({"choices": ["a"]}, ["choices", "has 1", "2 to 8"]),
        ({"choices": list("abcdefghi")}, ["choices", "has 9", "2 to 8"]),
        ({"choices": ["a", "a"]}, ["choices", "'a' occurs twice"]),
        ({"choices": ["a", "b"], "answer_type": "letter", "answers": ["C"]}, ["answers", "'C'", "A to B"]),
        ({"choices": ["a", "b"], "answer_type": "letter", "answers": ["b"]}, ["answers", "'b'", "A to B"]),
        ({"answer_type": "letter", "answers": ["AB"]}, ["answers", "'AB'", "A to Z"]),
        ({"carriers": {"speach": "x.wav"}}, ["carriers", "'speach'", "did you mean 'speech'"]),
        ({"carriers": []}, ["carriers", "table"]),
        ({"carriers": {"text": ""}}, ["carriers.text", "is ''"]),
        ({"carriers": {"speech": "lost.wav"}}, ["carriers.speech", "'lost.wav'", "No such file"]),
        ({"carriers": {"speech": "."}}, ["carriers.speech", "'.'", "directory"]),
        ({"carriers": {"speech": "a\0b"}}, ["carriers.speech", "can't be read"]),
        ({"carriers": {"image": {}}}, ["carriers.image", "neither bytes nor path"]),
        ({"carriers": {"image": {"bytes": "!!"}}}, ["carriers.image.bytes", "base64"]),
        ({"carriers": {"image": {"bytes": ""}}}, ["carriers.image.bytes", "not be empty"]),
        ({"carriers": {"image": {"byte": "aGk="}}}, ["carriers.image", "'byte'", "did you mean 'bytes'"]),
        ({"carriers": {"image": {"bytes": "R0lGODlhAQ=="}}}, ["carriers.image", "GIF", "PNG, JPEG or WebP"]),
        (
            {"carriers": {"speech": {"bytes": base64.b64encode(image()).decode()}}},
            ["carriers.speech", "image/png", "WAV, FLAC"],
        ),
        (
            {"carriers": {"image": {"bytes": base64.b64encode(wav()).decode()}}},
            ["carriers.image", "audio/wav", "PNG, JPEG"],
        ),
    ],
)
def test_invalid_field_raises_with_line_field_and_fix(
    tmp_path: Path, change: dict[str, Any], expected: list[str]
) -> None:
    error = message(tmp_path, GOOD, GOOD | {"id": "q2"} | change)
    assert "my.jsonl: line 2: " in error
    assert len(error.splitlines()) == 1
    for part in expected:
        assert part in error


@pytest.mark.parametrize("field", sorted(GOOD))
def test_missing_field_raises_with_its_name(tmp_path: Path, field: str) -> None:
    row = {key: value for key, value in GOOD.items() if key != field}
    assert f"line 1: {field}: is missing" in message(tmp_path, row)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"id": "a"', "at character 11"),
        ("[1, 2]", "a JSON list: write one object"),
        ("null", "a JSON NoneType"),
        ("[" * 100_000, "invalid JSON"),
        ("1" * 5_000, "invalid JSON"),
    ],
)
def test_line_that_is_not_a_json_object_raises_with_its_number(tmp_path: Path, line: str, expected: str) -> None:
    error = message(tmp_path, GOOD, line)
    assert "line 2: " in error
    assert expected in error


def test_invalid_utf8_raises_with_line_and_byte(tmp_path: Path) -> None:
    assert "line 2: byte 4 of the line is 0xe9" in message(tmp_path, GOOD, b"abc\xe9")


def test_duplicate_id_raises_with_both_lines(tmp_path: Path) -> None:
    error = message(tmp_path, GOOD, GOOD | {"id": "q2"}, "", GOOD)
    assert "line 4: id: 'q1'" in error
    assert "in line 1" in error


def test_duplicate_id_in_two_files_raises_with_both_files(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text(json.dumps(GOOD))
    with pytest.raises(ItemError, match=r"b\.jsonl: line 1: id: 'q1' .*a\.jsonl: line 1"):
        load_items(tmp_path)


def test_all_faults_are_collected_and_the_message_is_shortened(tmp_path: Path) -> None:
    path = write(tmp_path, *[GOOD | {"id": f"q{n}", "question": ""} for n in range(30)])
    with pytest.raises(ItemError) as caught:
        load_items(path)
    assert len(caught.value.faults) == 30
    assert str(caught.value).splitlines()[-1] == "and 10 more"


def test_file_without_items_raises(tmp_path: Path) -> None:
    assert "no items" in message(tmp_path, "")


def test_missing_or_unsupported_files_raise_with_their_path(tmp_path: Path) -> None:
    with pytest.raises(ItemError, match=r"lost\.jsonl: no such file"):
        load_items(tmp_path / "lost.jsonl")
    (tmp_path / "x.xlsx").write_bytes(b"")
    with pytest.raises(ItemError, match=r"x\.xlsx: .*\.jsonl"):
        load_items(tmp_path / "x.xlsx")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ItemError, match=r"empty: .*no file .*\.jsonl"):
        load_items(tmp_path / "empty")


def test_media_types_are_detected_from_content(tmp_path: Path) -> None:
    (tmp_path / "really.png").write_bytes(image("JPEG"))
    (tmp_path / "sound.mp3").write_bytes(wav())
    (item,) = read(tmp_path, GOOD | {"carriers": {"image": "really.png", "speech": "sound.mp3"}})
    assert item.carriers[Modality.IMAGE].mime_type == "image/jpeg"
    assert item.carriers[Modality.SPEECH].mime_type == "audio/wav"


def test_bytes_take_precedence_over_the_path(tmp_path: Path) -> None:
    row = GOOD | {"carriers": {"image": {"bytes": base64.b64encode(image("WEBP")).decode(), "path": "gone.png"}}}
    (item,) = read(tmp_path, row)
    carrier = item.carriers[Modality.IMAGE]
    assert (carrier.read(), carrier.mime_type, carrier.path) == (image("WEBP"), "image/webp", None)


def test_written_items_round_trip_in_every_field(tmp_path: Path) -> None:
    """A run folder stores its items with `write_items`: a field that it omits would be lost when the run is resumed."""
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
    for field in (field for field in fields(Item) if field.compare):
        left_out = field.default_factory() if field.default_factory is not MISSING else field.default
        assert getattr(item, field.name) != left_out, (
            f"{field.name} has its default value: the test would not notice its loss"
        )
    write_items(tmp_path / "again.jsonl", [item], lambda item, modality: None)
    assert load_items(tmp_path / "again.jsonl") == (item,)


ROW = {"id": "q1", "task": "t", "language": "en", "question": "What?", "answers": ["a"], "answer_type": "open"}


CHECK = {
    "id": "keywords:frequency",
    "kwargs": {"keyword": "sun", "frequency": 2, "relation": "at least", "letter": None},
}


def one(tmp_path: Path, **fields: object) -> Item:
    path = tmp_path / "items.jsonl"
    path.write_text(json.dumps({**ROW, **fields}) + "\n")
    return collect(jsonl_rows(path))[0]


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        (["A. cat", "B. dog"], ("cat", "dog")),
        (["(A) cat", "(B) dog"], ("cat", "dog")),
        (["a) cat", "b) dog"], ("cat", "dog")),
        (["A: cat", "B: dog", "C: cow"], ("cat", "dog", "cow")),
        (["Ａ．猫", "Ｂ．犬"], ("猫", "犬")),
        (["A - cat", "B - dog"], ("cat", "dog")),
        (["A. cat", "C. dog"], ("A. cat", "C. dog")),
        (["A. cat", "dog"], ("A. cat", "dog")),
        (["a.m.", "b.c."], ("a.m.", "b.c.")),
        (["A cat", "B flat"], ("A cat", "B flat")),
    ],
)
def test_choices_lose_letters_of_their_own(tmp_path: Path, written: list[str], asked: tuple[str, ...]) -> None:
    item = one(tmp_path, choices=written, answers=["B"], answer_type="letter")
    assert item.choices == asked
    assert item.brought_letters == (asked != tuple(written))


def test_choices_that_differ_only_in_their_letters_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ItemError, match="equal without their letters"):
        one(tmp_path, choices=["A. cat", "B. cat"], answers=["B"], answer_type="letter")


def test_metric_and_checks_round_trip(tmp_path: Path) -> None:
    item = one(tmp_path, metric="ifeval", checks=[CHECK], answers=[])
    assert item.metric == "ifeval"
    assert item.checks == (Check("keywords:frequency", '{"frequency": 2, "keyword": "sun", "relation": "at least"}'),)
    write_items(tmp_path / "again.jsonl", [item], lambda item, modality: None)
    assert collect(jsonl_rows(tmp_path / "again.jsonl")) == (item,)


@pytest.mark.parametrize(
    ("fields", "expected_words"),
    [
        ({"metric": "refusl"}, ["metric", "did you mean 'refusal'"]),
        ({"answers": []}, ["answers: is empty"]),
        ({"metric": "ifeval"}, ["checks: is empty", "'ifeval'"]),
        ({"metric": "ifeval", "checks": [{"id": "keywords:nothing"}]}, ["checks[0]", "unknown instruction"]),
        (
            {"metric": "ifeval_audible", "checks": [{"id": "punctuation:no_comma"}]},
            ["ifeval_audible", "keywords:existence"],
        ),
    ],
)
def test_item_without_what_its_metric_needs_raises(
    tmp_path: Path, fields: dict[str, object], expected_words: list[str]
) -> None:
    with pytest.raises(ItemError) as error:
        one(tmp_path, **fields)
    assert all(word in str(error.value) for word in expected_words), error.value


def test_judge_metric_needs_no_gold_answer(tmp_path: Path) -> None:
    assert one(tmp_path, metric="judge", answers=[]).answers == ()
