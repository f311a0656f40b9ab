"""Decodes images to RGB and encodes PNG. The size in the header is checked before any pixel is decoded."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image

from omnigap.errors import ContractError, quoted
from omnigap.vocabulary import Reason

PNG = "image/png"

_FORMATS = {PNG: "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}


# Pillow reads the chunks and markers of a file one by one, in Python. Eight million empty ones fit into one request.
_MAX_READS = 200_000

# Parts of a JPEG that take far more time than they have bytes: each scan goes over all pixels, and Pillow copies all
# earlier Exif blocks for each one. Encoders write about ten scans and one block.
_JPEG_PARTS = {"scans": b"\xff\xda", "Exif blocks": b"Exif\0\0"}
_MAX_JPEG_PARTS = 100


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Limits of an accepted image.

    Attributes:
        max_pixels: width x height.
        min_side, max_side: in pixels. The longest side of a JPEG is 65,535; decoders keep a table of all rows.
    """

    max_pixels: int = 16_000_000
    min_side: int = 1
    max_side: int = 65_535


def decode_image(data: bytes, mime_type: str, *, limits: ImageLimits | None = None) -> Image.Image:
    """Decodes one PNG, JPEG or WebP image to RGB; of an animation the first frame.

    Transparent pixels are composited on white.

    Raises:
        ContractError: BAD_MEDIA for bytes that do not match `mime_type` or hold no pixels; TOO_LARGE for more pixels
            than the limit, and for files that take too long to decode.
    """
    limits = limits or ImageLimits()
    kind = mime_type.split(";")[0].strip().lower()
    if kind not in _FORMATS:
        known = ", ".join(_FORMATS)
        text = f"images of type {quoted(mime_type)} are not supported: send one of {known}"
        raise ContractError(Reason.BAD_MEDIA, text)
    if not data:
        raise ContractError(Reason.BAD_MEDIA, f"the {kind} part is empty: send an image")
    try:
        return _decoded(data, _FORMATS[kind], limits)
    # A lack of memory is not the file's fault: all limits are checked before.
    except (ContractError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise ContractError(Reason.TOO_LARGE, "the image decodes to too many pixels: make it smaller") from error
    # For a broken file Pillow raises whatever its parser meets (OSError, SyntaxError, struct.error, KeyError ...). The
    # text of the error may quote the file, so it is not passed on.
    except Exception as error:
        cut = "truncated" in str(error).lower()
        why = "the file is cut off" if cut else "the file is broken, of another kind, or declares a side of 0 pixels"
        raise ContractError(Reason.BAD_MEDIA, f"the bytes do not decode as {kind}: {why}") from error


def _decoded(data: bytes, pillow_format: str, limits: ImageLimits) -> Image.Image:
    if pillow_format == "JPEG":
        _check_jpeg(data)
    # Pillow allocates two whole canvases of a WebP when it opens the file.
    if pillow_format == "WEBP" and (size := _webp_canvas(data)):
        _check_size(*size, limits)
    with warnings.catch_warnings():
        # About damaged metadata, and about sizes below our own limit.
        warnings.filterwarnings("ignore", module="PIL")
        # Only the declared format's parser may run: untrusted bytes must not reach Pillow's rarer decoders.
        image = Image.open(_CountedBytes(data), formats=[pillow_format])
        # `open` reads only the header, so a decompression bomb is refused before `load` decodes its pixels.
        _check_size(image.width, image.height, limits)
        image.load()
        return _on_white(image)


def _check_jpeg(data: bytes) -> None:
    for name, beginning in _JPEG_PARTS.items():
        if (count := data.count(beginning)) > _MAX_JPEG_PARTS:
            text = f"the JPEG file has {count} {name}, over the limit of {_MAX_JPEG_PARTS}: encode it again"
            raise ContractError(Reason.TOO_LARGE, text)


def _webp_canvas(data: bytes) -> tuple[int, int] | None:
    """Width and height of an extended WebP file; None for a simple one, whose sides are below 16,384 pixels.

    https://developers.google.com/speed/webp/docs/riff_container#extended_file_format
    """
    if data[12:16] != b"VP8X" or len(data) < 30:
        return None
    return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1


class _CountedBytes(io.BytesIO):
    """A file in memory that may be read a limited number of times."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self._reads += 1
        if self._reads > _MAX_READS:
            text = "the image file has too many chunks or markers: encode it again"
            raise ContractError(Reason.TOO_LARGE, text)
        return super().read(size)


def _check_size(width: int, height: int, limits: ImageLimits) -> None:
    if min(width, height) < limits.min_side:
        text = f"the image is {width} x {height}: each side needs at least {limits.min_side} pixels"
        raise ContractError(Reason.BAD_MEDIA, text)
    if max(width, height) > limits.max_side:
        text = f"the image is {width} x {height}, over the limit of {limits.max_side} pixels a side: make it smaller"
        raise ContractError(Reason.TOO_LARGE, text)
    if width * height > limits.max_pixels:
        text = f"the image is {width} x {height}, over the limit of {limits.max_pixels} pixels: make it smaller"
        raise ContractError(Reason.TOO_LARGE, text)


def _on_white(image: Image.Image) -> Image.Image:
    """Converts to RGB; transparent pixels become white, as an image viewer would show them."""
    if image.mode.startswith("I"):
        # 16 bits of grey. Pillow's conversion would turn everything above 255 white.
        image = Image.fromarray((np.asarray(image).clip(0, 65_535) >> 8).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        background = Image.new("RGBA", rgba.size, "white")
        background.alpha_composite(rgba)
        return background.convert("RGB")
    return image.convert("RGB")


def encode_png(image: Image.Image) -> bytes:
    """Encodes a PNG without metadata, so that the same pixels always give the same bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=False)
    return buffer.getvalue()
