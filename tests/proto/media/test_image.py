"""Image decoding and encoding: supported formats, limits checked before decoding, and stable bytes."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from omnigap.errors import ContractError
from omnigap.media import ImageLimits, decode_image, encode_png
from omnigap.vocabulary import Reason


def file_of(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


RED = Image.new("RGB", (7, 5), (255, 0, 0))


@pytest.mark.parametrize(
    ("data", "mime_type"),
    [
        (file_of(RED, "PNG"), "image/png"),
        (file_of(RED, "WEBP", lossless=True), "image/webp"),
        (file_of(RED, "PNG"), "IMAGE/PNG; x=y"),
        (file_of(RED.convert("P"), "PNG"), "image/png"),
    ],
)
def test_supported_formats_decode_to_rgb(data: bytes, mime_type: str) -> None:
    image = decode_image(data, mime_type)
    assert (image.mode, image.size, image.getpixel((3, 3))) == ("RGB", (7, 5), (255, 0, 0))


def test_jpeg_decodes() -> None:
    red, green, blue = decode_image(file_of(RED, "JPEG"), "image/jpeg").getpixel((3, 3))
    assert red > 240
    assert green < 15
    assert blue < 15


def test_transparency_is_composited_on_white() -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert decode_image(file_of(clear, "PNG"), "image/png").getpixel((0, 0)) == (255, 255, 255)
    grey = Image.new("LA", (4, 4), (0, 0))
    assert decode_image(file_of(grey, "PNG"), "image/png").getpixel((0, 0)) == (255, 255, 255)


def test_pixel_limit_is_inclusive_and_the_error_names_both_sizes() -> None:
    data = file_of(Image.new("1", (100, 100)), "PNG")
    assert decode_image(data, "image/png", limits=ImageLimits(max_pixels=10_000)).size == (100, 100)
    with pytest.raises(ContractError, match=r"100 x 100.*9999") as caught:
        decode_image(data, "image/png", limits=ImageLimits(max_pixels=9_999))
    assert caught.value.reason is Reason.TOO_LARGE


def test_unsupported_formats_are_not_parsed() -> None:
    for kind, mime_type in (("GIF", "image/gif"), ("TIFF", "image/tiff")):
        with pytest.raises(ContractError, match="image/png") as caught:
            decode_image(file_of(RED, kind), mime_type)
        assert caught.value.reason is Reason.BAD_MEDIA


def test_bytes_of_another_format_raise() -> None:
    with pytest.raises(ContractError) as caught:
        decode_image(file_of(RED, "GIF"), "image/png")
    assert caught.value.reason is Reason.BAD_MEDIA


def test_png_round_trips_with_stable_bytes() -> None:
    noise = Image.effect_noise((32, 32), 50).convert("RGB")
    assert decode_image(encode_png(noise), "image/png").tobytes() == noise.tobytes()
    assert encode_png(noise) == encode_png(noise.copy())
