"""Image bytes to RGB pixels and back, with the header's size checked before a pixel is decoded."""

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
    """What an image may be: pixels in all, and the shortest side."""

    max_pixels: int = 16_000_000
    min_side: int = 1


def decode_image(data: bytes, mime_type: str, *, limits: ImageLimits | None = None) -> Image.Image:
    """Decodes one PNG, JPEG or WebP image to RGB; transparency is laid on white.

    Raises:
        ContractError: BAD_MEDIA for bytes that are not what they say or have no pixels; TOO_LARGE for more pixels than
            the limit, told from the header, so that a small file that unfolds to many pixels is never unfolded.
    """
    limits = limits or ImageLimits()
    kind = mime_type.split(";")[0].strip().lower()
    if kind not in _FORMATS:
        known = ", ".join(_FORMATS)
        raise ContractError(Reason.BAD_MEDIA, f"images of MIME type {mime_type!r} are not known: send one of {known}")
    if not data:
        raise ContractError(Reason.BAD_MEDIA, f"the {kind} part is empty: send an image")
    try:
        with warnings.catch_warnings():
            # The size is checked below against our own limit, which is lower than Pillow's.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=[_FORMATS[kind]])
        _check_size(image.width, image.height, limits)
        image.load()
    except Image.DecompressionBombError as error:
        raise ContractError(Reason.TOO_LARGE, f"the image unfolds to too many pixels: {error}") from error
    except UnidentifiedImageError as error:
        # Pillow's own sentence names an object in memory, which helps nobody.
        text = f"the bytes do not decode as {kind}: its header is broken, or tells a side of 0 pixels"
        raise ContractError(Reason.BAD_MEDIA, text) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ContractError(Reason.BAD_MEDIA, f"the bytes do not decode as {kind}: {error}") from error
    return _on_white(image)


def _check_size(width: int, height: int, limits: ImageLimits) -> None:
    if min(width, height) < limits.min_side:
        raise ContractError(Reason.BAD_MEDIA, f"the image is {width} x {height}: it needs at least one pixel a side")
    if width * height > limits.max_pixels:
        text = f"the image is {width} x {height}, over the limit of {limits.max_pixels} pixels: make it smaller"
        raise ContractError(Reason.TOO_LARGE, text)


def _on_white(image: Image.Image) -> Image.Image:
    """RGB; transparent pixels show the white that a viewer would show."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, "white")
        ground.alpha_composite(rgba)
        return ground.convert("RGB")
    return image.convert("RGB")


def encode_png(image: Image.Image) -> bytes:
    """A PNG without metadata, so that the same pixels always give the same bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=False)
    return buffer.getvalue()
