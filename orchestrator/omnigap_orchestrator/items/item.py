"""One question of the benchmark, what it may bring along, and the kinds of media that it may bring."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from omnigap.errors import OmnigapError
from omnigap.media.audio import WAV
from omnigap.media.image import PNG
from omnigap.vocabulary import CHOICE_LETTERS, AnswerType, Modality

_SHOWN = 20


class ItemError(OmnigapError):
    """Items that can't be used.

    Attributes:
        faults: one sentence a fault, each naming its file and line or row; the message shows the first twenty.
    """

    def __init__(self, *faults: str) -> None:
        self.faults = faults
        lines = list(faults[:_SHOWN])
        if len(faults) > _SHOWN:
            lines.append(f"and {len(faults) - _SHOWN} more")
        super().__init__("\n".join(lines))


HEAD_BYTES = 16
"""Length of a file's head, in bytes, that is enough to recognise its media type."""

EXTENSIONS = {
    WAV: "wav",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/mpeg": "mp3",
    PNG: "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
}
"""The kinds that a carrier may be, and the file extension of each."""

_READABLE = {Modality.SPEECH: "WAV, FLAC, Ogg or MP3", Modality.IMAGE: "PNG, JPEG or WebP"}
_FAMILY = {Modality.SPEECH: "audio/", Modality.IMAGE: "image/"}


def mime_type_of(head: bytes) -> str | None:
    """The MIME type that the first `HEAD_BYTES` bytes tell; None: none of the kinds in `EXTENSIONS`."""
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
    # MPEG audio: an ID3 tag, or a frame's sync word with a layer that is not the reserved one.
    elif head.startswith(b"ID3") or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06):
        kind = "audio/mpeg"
    return kind


def carrier_mime_type(head: bytes, modality: Modality) -> str:
    """The MIME type of a speech or image carrier.

    Raises:
        ValueError: for no bytes, an unknown kind, and a kind of another modality.
    """
    if not head:
        raise ValueError("is empty: give a file with something in it")
    kind = mime_type_of(head)
    if kind is None:
        raise ValueError(f"begins with {head[:8]!r}, which is no kind that can be read: give {_READABLE[modality]}")
    if not kind.startswith(_FAMILY[modality]):
        raise ValueError(f"holds {kind}, which is no {modality}: give {_READABLE[modality]}")
    return kind


@dataclass(frozen=True, slots=True)
class OwnCarrier:
    """A carrier that comes with the item: text as it is, or the file or bytes of a recording or a picture."""

    text: str | None = None
    path: Path | None = None
    data: bytes | None = None
    mime_type: str = ""

    def read(self) -> bytes:
        """The medium's bytes.

        Raises:
            OSError: where the file cannot be read.
        """
        if self.data is not None:
            return self.data
        if self.path is not None:
            return self.path.read_bytes()
        return (self.text or "").encode()


@dataclass(frozen=True, slots=True)
class Check:
    """A verifiable instruction that the answer has to follow: IFEval's id, and its arguments as sorted JSON."""

    kind: str
    arguments: str = "{}"


@dataclass(frozen=True, slots=True)
class Item:
    """One question with its gold answers.

    Attributes:
        answers: the gold answer first, then its aliases; a choice's letter where there are choices; empty only where
            the metric needs none.
        instruction: typed, the same in all six conditions.
        carriers: what replaces the rendered carrier of a modality.
        cluster: what groups dependent items (passage, speaker); None: the item stands alone.
        metric: that scores it, instead of its answer type's; None: that one.
        checks: what the metrics of instruction following look at.
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

    @property
    def typed(self) -> str:
        """Question and choices as one text: what the text carrier types and the image carrier shows."""
        lines = [
            self.question,
            *(f"{letter}. {choice}" for letter, choice in zip(CHOICE_LETTERS, self.choices, strict=False)),
        ]
        return "\n".join(lines)


MediaPath = Callable[[Item, Modality], str | None]


def write_items(path: Path, items: Sequence[Item], media_path: MediaPath) -> None:
    """JSON Lines, one item a line.

    Args:
        media_path: where an item's own recording or picture lies, relative to the file; None writes its bytes inline.
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
