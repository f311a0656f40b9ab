"""Images that do not decode, or unfold to more than a service may hold: one that sees must refuse them."""

from __future__ import annotations

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, Reason
from omnigap_orchestrator.extras.conform import spoiled
from omnigap_orchestrator.extras.conform.questions import image_part, picture, request_of
from omnigap_orchestrator.extras.conform.refusal import refused
from omnigap_orchestrator.extras.conform.subject import Subject
from omnigap_orchestrator.extras.conform.verdict import Finding, check, skipped

BLIND = "it takes no images"


@check
async def truncated_image_is_bad_media(subject: Subject) -> Finding:
    """Half a PNG file is refused with BAD_MEDIA."""
    return await _refused(subject, image_part(spoiled.truncated_png()), Reason.BAD_MEDIA)


@check
async def empty_image_is_bad_media(subject: Subject) -> Finding:
    """A PNG file of 0 x 0 pixels is refused with BAD_MEDIA."""
    return await _refused(subject, image_part(spoiled.empty_png()), Reason.BAD_MEDIA)


@check
async def mislabelled_image_is_bad_media(subject: Subject) -> Finding:
    """A PNG file that is called `image/jpeg` is refused with BAD_MEDIA."""
    return await _refused(subject, image_part(picture("not a JPEG"), "image/jpeg"), Reason.BAD_MEDIA)


@check
async def unknown_image_type_is_bad_media(subject: Subject) -> Finding:
    """An image of a MIME type that nobody knows is refused with BAD_MEDIA."""
    return await _refused(subject, image_part(picture("not known"), "image/x-unseen"), Reason.BAD_MEDIA)


@check
async def image_bomb_is_too_large(subject: Subject) -> Finding:
    """A small PNG file that unfolds to more than `limits.max_image_pixels` is refused with TOO_LARGE."""
    if subject.taking(Modality.IMAGE) is None:
        return skipped(BLIND)
    pixels = subject.card.limits.max_image_pixels or spoiled.BOMB_PIXELS
    if pixels > spoiled.BOMB_PIXELS:
        return skipped(f"limits.max_image_pixels is {pixels}: too many to make a file of")
    return await _refused(subject, image_part(spoiled.bomb_png(pixels)), Reason.TOO_LARGE)


async def _refused(subject: Subject, part: pb.InputPart, reason: Reason) -> Finding:
    condition = subject.taking(Modality.IMAGE)
    if condition is None:
        return skipped(BLIND)
    return await refused(subject, request_of(condition, part), reason)
