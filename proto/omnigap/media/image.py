"""Decodes images to RGB and encodes PNG. The size in the header is checked before any pixel is decoded."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason

PNG = "image/png"

_FORMATS = {PNG: "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP"}


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Limits of an accepted image: total pixels, and the shorter side in pixels."""

    max_pixels: int = 16_000_000
    min_side: int = 1


def decode_image(data: bytes, mime_type: str, *, limits: ImageLimits | None = None) -> Image.Image:
    """Decodes one PNG, JPEG or WebP image to RGB; transparent pixels are composited on white.

    Raises:
        ContractError: BAD_MEDIA for bytes that do not match `mime_type` or hold no pixels; TOO_LARGE for more pixels
            than the limit.
    """
    limits = limits or ImageLimits()
    kind = mime_type.split(";")[0].strip().lower()
    if kind not in _FORMATS:
        known = ", ".join(_FORMATS)
        raise ContractError(Reason.BAD_MEDIA, f"images of type {mime_type!r} are not supported: send one of {known}")
    if not data:
        raise ContractError(Reason.BAD_MEDIA, f"the {kind} part is empty: send an image")
    try:
        with warnings.catch_warnings():
            # Pillow's warning is noise here: our own limit, checked below, is lower than Pillow's.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            # Only the declared format's parser may run: untrusted bytes must not reach Pillow's rarer decoders.
            image = Image.open(io.BytesIO(data), formats=[_FORMATS[kind]])
        # `open` reads only the header, so a decompression bomb is refused before `load` decodes its pixels.
        _check_size(image.width, image.height, limits)
        image.load()
    except Image.DecompressionBombError as error:
        raise ContractError(Reason.TOO_LARGE, f"the image decodes to too many pixels: {error}") from error
    except UnidentifiedImageError as error:
        # Pillow's own message names a BytesIO object in memory, which does not help the user.
        text = f"the bytes do not decode as {kind}: the header is broken, or declares a side of 0 pixels"
        raise ContractError(Reason.BAD_MEDIA, text) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ContractError(Reason.BAD_MEDIA, f"the bytes do not decode as {kind}: {error}") from error
    return _on_white(image)


def _check_size(width: int, height: int, limits: ImageLimits) -> None:
    if min(width, height) < limits.min_side:
        text = f"the image is {width} x {height}: each side needs at least {limits.min_side} pixels"
        raise ContractError(Reason.BAD_MEDIA, text)
    if width * height > limits.max_pixels:
        text = f"the image is {width} x {height}, over the limit of {limits.max_pixels} pixels: make it smaller"
        raise ContractError(Reason.TOO_LARGE, text)


def _on_white(image: Image.Image) -> Image.Image:
    """Converts to RGB; transparent pixels become white, as an image viewer would show them."""
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
