"""Headers of GGUF files: what they hold, files that are cut off or damaged, and models that are split into parts."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnigap_services.hf.chat.gguf_header import GgufError, GgufHeader, join
from tests.services.hf import tiny_gguf


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf.write_gguf(tmp_path_factory.mktemp("whole") / "whole.gguf")


def test_the_header_is_what_the_gguf_package_reads(whole: Path) -> None:
    header, reader = GgufHeader.read(whole), gguf.GGUFReader(whole)
    assert header.data_start == reader.data_offset
    assert [(tensor.name, tensor.size, tensor.elements) for tensor in header.tensors] == [
        (tensor.name, tensor.n_bytes, tensor.n_elements) for tensor in reader.tensors
    ]
    for tensor in reader.tensors:
        assert header.tensor_bytes(tensor.name) == tensor.data.tobytes()
    for key in (
        "general.architecture",
        "llama.rope.freq_base",
        "tokenizer.ggml.eos_token_id",
        "tokenizer.chat_template",
    ):
        assert header.metadata[key] == reader.fields[key].contents()


def test_long_arrays_are_skipped_and_short_ones_kept(tmp_path: Path) -> None:
    made = gguf.GGUFWriter(tmp_path / "arrays.gguf", "llama")
    made.add_array("short", [1, 2, 3])
    made.add_array("long.numbers", list(range(2_000)))
    made.add_array("long.texts", [str(number) for number in range(2_000)])
    made.add_string("after", "still read")
    made.add_tensor("weight", np.ones(4, np.float32))
    made.write_header_to_file()
    made.write_kv_data_to_file()
    made.write_tensors_to_file()
    made.close()
    found = GgufHeader.read(tmp_path / "arrays.gguf").metadata
    assert found["short"] == [1, 2, 3] and found["after"] == "still read"
    assert not [key for key in found if key.startswith("long")]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(min_value=0))
def test_a_file_that_is_cut_off_anywhere_is_refused(number: int, whole: Path, tmp_path: Path) -> None:
    data = whole.read_bytes()
    header = GgufHeader.read(whole)
    # Padding behind the last tensor may be missing.
    end = max(header.data_start + tensor.offset + tensor.size for tensor in header.tensors)
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(data[: number % end])
    with pytest.raises(GgufError, match=r"empty|cut off|too early|does not begin with GGUF"):
        GgufHeader.read(cut)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(min_value=0), noise=st.binary(min_size=1, max_size=12))
def test_a_damaged_header_is_read_or_refused_but_never_another_error(
    number: int, noise: bytes, whole: Path, tmp_path: Path
) -> None:
    data = bytearray(whole.read_bytes())
    place = number % GgufHeader.read(whole).data_start
    data[place : place + len(noise)] = noise
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(data)
    with suppress(GgufError):
        GgufHeader.read(damaged)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"<!DOCTYPE html>", "error page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 98\n", "Git LFS pointer .*git lfs pull"),
        (b"GGUF\x01\x00\x00\x00" + bytes(40), "version 1"),
        (b"GGUF\x00\x00\x00\x03" + bytes(40), "big-endian"),
        (b"GGUF\x03\x00\x00\x00" + b"\xff" * 40, "too early"),
    ],
)
def test_other_formats_and_versions_are_named(start: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(start)
    with pytest.raises(GgufError, match=words):
        GgufHeader.read(path)


@pytest.mark.parametrize("parts", [2, 3, 20])
def test_joined_parts_are_the_whole_file_again(whole: Path, tmp_path: Path, parts: int) -> None:
    first = tiny_gguf.write_gguf(tmp_path / "model.gguf", parts=parts)
    names = [first.name.replace("-00001-", f"-{number:05d}-") for number in range(1, parts + 1)]
    join([GgufHeader.read(tmp_path / name) for name in names], tmp_path / "joined.gguf")
    joined, expected = GgufHeader.read(tmp_path / "joined.gguf"), GgufHeader.read(whole)
    assert [tensor.name for tensor in joined.tensors] == [tensor.name for tensor in expected.tensors]
    for tensor in expected.tensors:
        assert joined.tensor_bytes(tensor.name) == expected.tensor_bytes(tensor.name)
    assert {**joined.metadata, "split.no": 0, "split.count": parts} == joined.metadata
    assert expected.metadata.items() <= joined.metadata.items()
    assert len(gguf.GGUFReader(tmp_path / "joined.gguf").tensors) == len(expected.tensors)


def test_a_part_that_becomes_shorter_is_refused(tmp_path: Path) -> None:
    first = tiny_gguf.write_gguf(tmp_path / "model.gguf", parts=2)
    names = [first.name, first.name.replace("-00001-", "-00002-")]
    headers = [GgufHeader.read(tmp_path / name) for name in names]
    with (tmp_path / names[1]).open("r+b") as file:
        file.truncate(headers[1].data_start)
    with pytest.raises(GgufError, match=rf"{names[1]} ends in its tensor '.*': it was shortened"):
        join(headers, tmp_path / "joined.gguf")
