"""Hostile images: memory and time are bounded, 16 bits keep their grey, and no error but ContractError leaves."""

from __future__ import annotations

import functools
import io
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from omnigap.errors import ContractError
from omnigap.media import ImageLimits, decode_image
from omnigap.vocabulary import Reason
from tests.proto.media.hostile import chunk, cost_of, png
from tests.proto.media.test_audio_bounds import EDITS, Edit, edited

MB = 1024 * 1024


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def animation(kind: str) -> bytes:
    """Twenty frames, the first of which is black."""
    frames = [Image.new("RGB", (400, 400), (4 * number, 0, 0)) for number in range(20)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:])


def webp_with_canvas(width: int, height: int) -> bytes:
    """An animated WebP whose header claims this canvas."""
    data = bytearray(animation("WEBP"))
    data[24:27], data[27:30] = (width - 1).to_bytes(3, "little"), (height - 1).to_bytes(3, "little")
    return bytes(data)


def packed(size: int) -> bytes:
    """The body of a compressed chunk: a name, the method, and zeros."""
    return b"k\0\0" + zlib.compress(bytes(size))


SMALL_JPEG = saved(Image.new("RGB", (40, 40)), "JPEG")


def jpeg_with(segment: bytes, times: int) -> bytes:
    """A small JPEG with extra segments after its first marker."""
    return SMALL_JPEG[:2] + segment * times + SMALL_JPEG[2:]


def jpeg_with_scans(times: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    data = saved(Image.new("L", (4_000, 4_000)), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") :][:10] + b"\0"
    return data[:-2] + last * times + b"\xff\xd9"


BOMBS = {
    "a row of 16 million pixels": (lambda: png(16_000_000, 1), "image/png"),
    "a column of 16 million pixels": (lambda: png(1, 16_000_000, rows=bytes(1_000)), "image/png"),
    "an interlaced column": (lambda: png(1, 16_000_000, interlaced=True, rows=bytes(1_000)), "image/png"),
    "a million empty chunks": (lambda: png(4, 4, extra=chunk(b"abCd", b"") * 1_000_000), "image/png"),
    "a text of 100 MB": (lambda: png(4, 4, extra=chunk(b"zTXt", packed(100 * MB))), "image/png"),
    "a profile of 100 MB": (lambda: png(4, 4, extra=chunk(b"iCCP", packed(100 * MB))), "image/png"),
    "three thousand texts": (lambda: png(4, 4, extra=chunk(b"zTXt", packed(60_000)) * 3_000), "image/png"),
    "a million comments": (lambda: jpeg_with(b"\xff\xfe\0\2", 1_000_000), "image/jpeg"),
    "a megabyte of filling": (lambda: jpeg_with(b"\xff", MB), "image/jpeg"),
    "a thousand Exif blocks": (lambda: jpeg_with(b"\xff\xe1\xea\x60Exif\0\0" + bytes(59_992), 1_000), "image/jpeg"),
    "two thousand scans": (lambda: jpeg_with_scans(2_000), "image/jpeg"),
    "a canvas of 324 million pixels": (lambda: webp_with_canvas(18_000, 18_000), "image/webp"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_before_they_cost_memory(name: str) -> None:
    make, mime_type = BOMBS[name]
    cost = cost_of(make(), mime_type)
    assert cost.outcome in ("TOO_LARGE", "BAD_MEDIA")
    assert cost.peak < 40 * MB


@pytest.mark.parametrize(
    ("make", "mime_type"),
    [
        (lambda: png(4_000, 4_000, depth=16, color=6), "image/png"),
        (lambda: png(65_535, 240), "image/png"),
        (lambda: png(240, 65_535), "image/png"),
        (lambda: png(4, 4, rows=bytes(500 * MB)), "image/png"),
        (lambda: saved(Image.new("RGB", (4_000, 4_000)), "JPEG", progressive=True), "image/jpeg"),
        (lambda: saved(Image.new("CMYK", (4_000, 4_000)), "JPEG"), "image/jpeg"),
        (lambda: jpeg_with_scans(80), "image/jpeg"),
        (lambda: animation("WEBP"), "image/webp"),
        (lambda: animation("PNG"), "image/png"),
    ],
)
def test_memory_is_bounded_by_the_pixels(make: functools.partial[bytes], mime_type: str) -> None:
    cost = cost_of(make(), mime_type)
    assert cost.outcome == "decoded"
    # An image with transparency has four bytes a pixel, and is held four times while it is put on white.
    assert cost.peak < 16 * cost.size + 40 * MB


@pytest.mark.parametrize("size", [(101, 1), (1, 101)])
def test_the_limit_of_a_side_is_inclusive(size: tuple[int, int]) -> None:
    assert decode_image(png(*size), "image/png", limits=ImageLimits(max_side=101)).size == size
    with pytest.raises(ContractError, match=r"101.*over the limit of 100 pixels a side") as caught:
        decode_image(png(*size), "image/png", limits=ImageLimits(max_side=100))
    assert caught.value.reason is Reason.TOO_LARGE


def test_an_animation_is_its_first_frame() -> None:
    for kind, mime_type in (("WEBP", "image/webp"), ("PNG", "image/png")):
        assert decode_image(animation(kind), mime_type).getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize("grey", [0, 255, 40_000, 65_535])
def test_sixteen_bits_of_grey_keep_their_brightness(grey: int) -> None:
    data = saved(Image.fromarray(np.full((4, 4), grey, np.uint16)), "PNG")
    assert decode_image(data, "image/png").getpixel((1, 1)) == (grey >> 8,) * 3


def test_errors_show_no_bytes_of_the_file() -> None:
    # Pillow's own message names the chunk.
    broken = png(4, 4, extra=chunk(b"hunt", b"er2"))[:60] + b"hunter2!" * 4
    secret = b"password=hunter2 " * 20
    for data, mime_type in (
        (broken, "image/png"),
        (secret, "image/png"),
        (secret, "image/jpeg"),
        (secret, "image/webp"),
    ):
        with pytest.raises(ContractError) as caught:
            decode_image(data, mime_type)
        assert "hunt" not in caught.value.message
    with pytest.raises(ContractError) as caught:
        decode_image(secret, "\x1b[31m\u202e" + "x" * 10_000)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 300


@functools.cache
def files() -> list[tuple[bytes, str]]:
    """A small file of every format and mode."""
    noise = Image.effect_noise((40, 30), 50)
    modes = [noise.convert("RGB").convert(mode) for mode in ("1", "L", "P", "RGB", "RGBA", "LA", "CMYK")]
    found = []
    for image in [*modes, Image.fromarray(np.asarray(noise).astype(np.uint16) * 256)]:
        for kind, mime_type, options in (
            ("PNG", "image/png", {}),
            ("PNG", "image/png", {"save_all": True, "append_images": [image]}),
            ("JPEG", "image/jpeg", {"progressive": True}),
            ("WEBP", "image/webp", {}),
            ("WEBP", "image/webp", {"save_all": True, "append_images": [image], "lossless": True}),
        ):
            try:
                found.append((saved(image, kind, **options), mime_type))
            except (OSError, ValueError):  # the format has no such mode
                continue
    return found


@given(st.integers(0, 10**6), EDITS, st.booleans())
def test_no_file_raises_anything_but_contract_errors(number: int, edits: list[Edit], header: bool) -> None:
    data, mime_type = files()[number % len(files())]
    _decodes_or_refuses(edited(data, edits, header), mime_type)


@given(st.binary(max_size=300), st.sampled_from(["image/png", "image/jpeg", "image/webp"]))
def test_no_bytes_raise_anything_but_contract_errors(data: bytes, mime_type: str) -> None:
    beginnings = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8", "image/webp": b"RIFF\xff\0\0\0WEBP"}
    _decodes_or_refuses(data, mime_type)
    _decodes_or_refuses(beginnings[mime_type] + data, mime_type)


def _decodes_or_refuses(data: bytes, mime_type: str) -> None:
    try:
        image = decode_image(data, mime_type)
    except ContractError as error:
        assert error.reason in (Reason.BAD_MEDIA, Reason.TOO_LARGE)
        assert error.message.isprintable()
        assert len(error.message) < 300
    else:
        assert image.mode == "RGB"
