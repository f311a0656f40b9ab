"""Carriers of questions, rendered as image or speech or supplied by the item, and the media store."""

from omnigap_orchestrator.carriers.carrier_set import (
    CheckedMedium,
    ImageStyle,
    blank_carrier_key,
    blank_image,
    check_own_carrier,
    image_styles,
    silence,
    speech_carrier_key,
    spoken_text,
)
from omnigap_orchestrator.carriers.media_store import CarrierError, MediaStore, MediumError, StoreError
from omnigap_orchestrator.carriers.render import image_carrier_key, render_text

__all__ = [
    "CarrierError",
    "CheckedMedium",
    "ImageStyle",
    "MediaStore",
    "MediumError",
    "StoreError",
    "blank_carrier_key",
    "blank_image",
    "check_own_carrier",
    "image_carrier_key",
    "image_styles",
    "render_text",
    "silence",
    "speech_carrier_key",
    "spoken_text",
]
