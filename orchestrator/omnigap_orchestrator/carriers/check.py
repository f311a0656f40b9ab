"""Own carriers, read and decoded once before anything is asked: what is checked here is what is stored and sent."""

from __future__ import annotations

from dataclasses import dataclass

from omnigap.digest import sha256_hex
from omnigap.errors import ContractError
from omnigap.media import AudioLimits, ImageLimits, decode_audio, decode_image
from omnigap.vocabulary import Modality
from omnigap_orchestrator.items.item import EXTENSIONS, Item, ItemError, OwnCarrier


@dataclass(frozen=True, slots=True)
class CheckedMedium:
    """A medium that decodes.

    Attributes:
        data: its bytes as they came.
        extension: of the file in the media store.
        seconds: of audio; 0 for an image.
        size: width and height of an image in pixels; (0, 0) for audio.
    """

    data: bytes
    mime_type: str
    extension: str
    sha256: str
    seconds: float = 0.0
    size: tuple[int, int] = (0, 0)


def check_own_carrier(
    item: Item,
    modality: Modality,
    *,
    audio_limits: AudioLimits | None = None,
    image_limits: ImageLimits | None = None,
) -> CheckedMedium:
    """Reads and decodes an item's own recording or picture.

    Raises:
        ItemError: naming the item and the file, for a medium that can't be read, is not what it says, is empty, holds
            NaN, or is over the limits.
        KeyError: where the item has no such carrier.
    """
    carrier = item.carriers[modality]
    where = f"item {item.id!r}: carriers.{modality}: {_name_of(carrier)}"
    try:
        data = carrier.read()
    except OSError as error:
        raise ItemError(f"{where}: can't be read: {error.strerror}") from error
    seconds, size = 0.0, (0, 0)
    try:
        if modality is Modality.SPEECH:
            seconds = decode_audio(data, carrier.mime_type, limits=audio_limits).seconds
        else:
            size = decode_image(data, carrier.mime_type, limits=image_limits).size
    except ContractError as error:
        raise ItemError(f"{where}: {error.message}") from error
    return CheckedMedium(
        data, carrier.mime_type, EXTENSIONS[carrier.mime_type], sha256_hex(data), round(seconds, 3), size
    )


def _name_of(carrier: OwnCarrier) -> str:
    return str(carrier.path) if carrier.path is not None else f"{len(carrier.data or b'')} bytes in the row"
