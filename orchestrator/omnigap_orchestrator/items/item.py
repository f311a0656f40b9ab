"""The item, its own carriers and checks, detection of media types, and writing of items as JSON Lines."""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from omnigap.errors import OmnigapError
from omnigap.files import read_regular
from omnigap.media.audio import WAV
from omnigap.media.image import PNG
from omnigap.vocabulary import CHOICE_LETTERS, AnswerType, Modality

_MAX_SHOWN = 20


class ItemError(OmnigapError):
    """Items that can't be used.

    Attributes:
        faults: one sentence per fault, with file and line or row. The message shows the first twenty.
    """

    def __init__(self, *faults: str) -> None:
        self.faults = faults
        lines = list(faults[:_MAX_SHOWN])
        if len(faults) > _MAX_SHOWN:
            lines.append(f"and {len(faults) - _MAX_SHOWN} more")
        super().__init__("\n".join(lines))


HEAD_BYTES = 16
"""Number of leading bytes of a file that are needed to detect its media type."""

EXTENSIONS = {
    WAV: "wav",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    PNG: "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
}
"""Supported MIME types of speech and image carriers, with their file extensions."""

_SUPPORTED = {Modality.SPEECH: "WAV, FLAC, Ogg or MP3", Modality.IMAGE: "PNG, JPEG or WebP"}
_FAMILY = {Modality.SPEECH: "audio/", Modality.IMAGE: "image/"}


def mime_type_of(head: bytes) -> str | None:
    """Detects the MIME type from the first `HEAD_BYTES` bytes of a file; None if it is not in `EXTENSIONS`."""
    kind: str | None = None
    if head[:4] in (b"RIFF", b"RIFX"):
        kind = {b"WAVE": WAV, b"WEBP": "image/webp"}.get(head[8:12])
    elif head.startswith(b"fLaC"):
        kind = "audio/flac"
    elif head.startswith(b"OggS"):
        kind = "audio/ogg"
    elif head.startswith(b"\x89PNG\r\n\x1a\n"):
        kind = PNG
    elif head.startswith(b"\xff\xd8\xff"):
        kind = "image/jpeg"
    # MPEG audio has no magic number: it starts with an ID3 tag, or with the sync bits of a frame and a valid layer.
    elif head.startswith(b"ID3") or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06):
        kind = "audio/mpeg"
    return kind


_OTHER_MEDIA = (
    (0, b"GIF8", "GIF"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"FORM", "AIFF"),
    (0, b"\x1aE\xdf\xa3", "WebM"),
    (4, b"ftyp", "MP4, M4A or HEIC"),
    (0, b"%PDF-", "PDF"),
)
"""Media without support by the bytes at a place, for the message."""


def carrier_mime_type(head: bytes, modality: Modality) -> str:
    """Detects the MIME type of a speech or image carrier.

    Raises:
        ValueError: the file is empty, of an unsupported type, or of another modality.
    """
    if not head:
        raise ValueError("is empty: give a file with content")
    kind = mime_type_of(head)
    if kind is None:
        # Not the bytes: a path may name any file, and messages are stored and published.
        name = next((name for place, magic, name in _OTHER_MEDIA if head[place:].startswith(magic)), "")
        what = f"is {name}, which is not a supported format" if name else "is not of a supported format"
        raise ValueError(f"{what}: give {_SUPPORTED[modality]}")
    if not kind.startswith(_FAMILY[modality]):
        raise ValueError(f"is {kind}, not {modality}: give {_SUPPORTED[modality]}")
    return kind


@dataclass(frozen=True, slots=True)
class OwnCarrier:
    """A carrier that comes with the item: text, or the file or bytes of a recording or a picture."""

    text: str | None = None
    path: Path | None = None
    data: bytes | None = None
    mime_type: str = ""

    def read(self) -> bytes:
        """Returns the content as bytes.

        Raises:
            OSError: the file cannot be read.
        """
        if self.data is not None:
            return self.data
        if self.path is not None:
            return read_regular(self.path)
        return (self.text or "").encode()


@dataclass(frozen=True, slots=True)
class Check:
    """A verifiable instruction that the answer must follow: IFEval's id, and its arguments as JSON with sorted keys."""

    kind: str
    arguments: str = "{}"


@dataclass(frozen=True, slots=True)
class Item:
    """One question with its gold answers.

    Attributes:
        answers: the gold answer, then its aliases; letters if there are choices; empty only if the metric needs none.
        instruction: sent as text in all six conditions.
        carriers: own carriers, which replace the rendered carrier of a modality.
        cluster: groups dependent items, such as those of one passage or speaker; None for an independent item.
        metric: overrides the metric of the answer type.
        checks: verifiable instructions, for the metrics of instruction following.
        brought_letters: whether the choices began with their letters, which were removed when the item was read.
    """

    id: str
    task: str
    language: str
    question: str
    answers: tuple[str, ...]
    answer_type: AnswerType
    choices: tuple[str, ...] = ()
    instruction: str = ""
    carriers: Mapping[Modality, OwnCarrier] = field(default_factory=dict)
    source: str = ""
    cluster: str | None = None
    metric: str | None = None
    checks: tuple[Check, ...] = ()
    # How an item was written is no part of it: a run folder stores it without the letters.
    brought_letters: bool = field(default=False, compare=False)

    @property
    def typed(self) -> str:
        """Question and choices as one text, which the text carrier contains and the image carrier shows."""
        lines = [
            self.question,
            *(f"{letter}. {choice}" for letter, choice in zip(CHOICE_LETTERS, self.choices, strict=False)),
        ]
        return "\n".join(lines)


_BROUGHT_LETTER = re.compile(r"\s*[(\[（]?([A-Za-zＡ-Ｚ])\s*(?:[)\]）:：、．]|\.(?=[^a-z.])|\s[-–—]\s)\s*(?=\S)")


def without_letters(choices: tuple[str, ...]) -> tuple[str, ...]:
    """The choices without letters of their own ("A. x", "(B) y"), if all bring the letter of their place.

    The text and the image carrier letter the choices, so that these would be asked as "A. A. x".
    """
    found = [_BROUGHT_LETTER.match(choice) for choice in choices]
    letters = [unicodedata.normalize("NFKC", match[1]).upper() for match in found if match is not None]
    if not choices or letters != list(CHOICE_LETTERS[: len(choices)]):
        return choices
    return tuple(choice[match.end() :] for choice, match in zip(choices, found, strict=True) if match is not None)


MediaPath = Callable[[Item, Modality], str | None]


def write_items(path: Path, items: Sequence[Item], media_path: MediaPath) -> None:
    """Writes JSON Lines, one item per line.

    Args:
        media_path: returns the path of an item's own recording or picture, relative to the file; None to write the
            bytes inline as base64.
    """
    with path.open("w", encoding="utf-8") as file:
        for item in items:
            file.write(json.dumps(_row(item, media_path), ensure_ascii=False) + "\n")


def _row(item: Item, media_path: MediaPath) -> dict[str, object]:
    row: dict[str, object] = {
        "id": item.id,
        "task": item.task,
        "language": item.language,
        "question": item.question,
        "choices": list(item.choices),
        "instruction": item.instruction,
        "answers": list(item.answers),
        "answer_type": item.answer_type.value,
        "source": item.source,
        "cluster": item.cluster,
        "metric": item.metric,
        "checks": [{"id": check.kind, "kwargs": json.loads(check.arguments)} for check in item.checks],
        "carriers": {m.value: _carrier(item, m, c, media_path) for m, c in item.carriers.items()},
    }
    return {key: value for key, value in row.items() if value not in ([], "", None, {})}


def _carrier(item: Item, modality: Modality, carrier: OwnCarrier, media_path: MediaPath) -> object:
    if modality is Modality.TEXT:
        return carrier.text
    path = media_path(item, modality)
    return path if path is not None else {"bytes": base64.b64encode(carrier.read()).decode()}
