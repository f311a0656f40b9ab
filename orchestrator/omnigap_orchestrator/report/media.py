"""Texts of the items and media files of the report: which media are embedded in the page and which are linked."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class CatalogueItem:
    """The texts of one item."""

    question: str
    choices: tuple[str, ...] = ()
    instruction: str = ""
    answers: tuple[str, ...] = ()


class _ItemLike(Protocol):
    """The fields of an item that `Catalogue.of` reads; `items.Item` has them."""

    @property
    def id(self) -> str: ...
    @property
    def question(self) -> str: ...
    @property
    def choices(self) -> tuple[str, ...]: ...
    @property
    def instruction(self) -> str: ...
    @property
    def answers(self) -> tuple[str, ...]: ...


ReadAnswer = Callable[[str, str, str], tuple[str, str]]
"""Id of an item, answer and metric -> what scoring reads from the answer, and the step that read it; else empty."""


def _reads_nothing(item: str, answer: str, metric: str) -> tuple[str, str]:
    return "", ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Items by id, and how their answers are read. For a missing item the report shows its id as the question."""

    items: Mapping[str, CatalogueItem] = field(default_factory=dict)
    read: ReadAnswer = _reads_nothing

    @classmethod
    def of(cls, items: Iterable[_ItemLike], read: ReadAnswer = _reads_nothing) -> Catalogue:
        """The catalogue of the items of a run."""
        return cls({i.id: CatalogueItem(i.question, i.choices, i.instruction, i.answers) for i in items}, read)

    def get(self, item_id: str) -> CatalogueItem:
        """The item, or an item with the id as its question."""
        return self.items.get(item_id) or CatalogueItem(question=item_id)


MediaPath = Callable[[str], str | None]
"""SHA-256 of a medium -> its path relative to the run folder, with `/`; None if it was not stored."""

CollectMedia = Callable[[Iterable[str], int], "ReportMedia"]
"""SHA-256s of media, a budget in bytes -> these media, embedded up to the budget and linked beyond it."""

# A table of our own: `mimetypes` reads the files of the operating system, so its answers differ between machines.
MIME_TYPES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".mp3": "audio/mpeg",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".txt": "text/plain",
}

MAX_INLINE_TEXT = 4_000


@dataclass(frozen=True, slots=True)
class Medium:
    """One medium of the report.

    Attributes:
        kind: `audio`, `image`, `text` or `missing`.
        text: the content of a text carrier.
        link: path relative to the report, for a linked medium.
        embedded: the file to embed; it is read only when the page is written, so that the media of a run are never
            in memory together.
    """

    kind: str
    mime_type: str = ""
    text: str = ""
    link: str = ""
    embedded: Path | None = None

    @property
    def source(self) -> str:
        """The `src` attribute of an HTML element: a data URL, or the path of the file."""
        return f"data:{self.mime_type};base64,{self.base64()}" if self.embedded else self.link

    def base64(self) -> str:
        """The embedded bytes; empty for a medium that is not embedded."""
        return base64.b64encode(self.embedded.read_bytes()).decode("ascii") if self.embedded else ""


@dataclass(frozen=True, slots=True)
class ReportMedia:
    """Media in the requested order; `index` maps a SHA-256 to the position, `embedded`, `linked`, `missing` count."""

    media: tuple[Medium, ...]
    index: dict[str, int]
    embedded: int
    linked: int
    missing: int
    embedded_bytes: int


def _matches(path: Path, digest: str) -> bool:
    """Whether a file can be read and has the content that its name says."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest
    except OSError:
        return False


def collect_media(digests: Iterable[str], folder: Path, path_of: MediaPath, budget: int | None) -> ReportMedia:
    """Embeds media in the given order until `budget` bytes of base64 are spent, and links the rest.

    A medium that does not fit is linked; smaller media after it may still be embedded. One whose content is not that of
    its SHA-256 counts as missing if it would be embedded: the page must not play something else.

    Args:
        folder: the run folder; the paths are relative to it.
        budget: bytes that embedded media may add to the report; None: no limit.
    """
    media: list[Medium] = []
    index: dict[str, int] = {}
    embedded = linked = missing = spent = 0
    for digest in digests:
        if digest in index:
            continue
        index[digest] = len(media)
        relative = path_of(digest)
        path = folder / relative if relative else None
        if relative is None or path is None or not path.is_file():
            missing += 1
            media.append(Medium("missing"))
            continue
        mime_type = MIME_TYPES.get(path.suffix.lower(), "application/octet-stream")
        # Text is always embedded: it is small, and a linked file could not be shown next to the other carriers.
        if mime_type == "text/plain" and _matches(path, digest):
            text = path.read_bytes().decode("utf-8", errors="replace")
            media.append(Medium("text", mime_type, text=text[:MAX_INLINE_TEXT]))
            continue
        kind = mime_type.partition("/")[0]
        # base64 writes four characters for every three bytes, the last group padded.
        size = -(-path.stat().st_size // 3) * 4
        if budget is None or spent + size <= budget:
            if not _matches(path, digest):
                missing += 1
                media.append(Medium("missing"))
                continue
            spent += size
            embedded += 1
            media.append(Medium(kind, mime_type, embedded=path))
        else:
            linked += 1
            media.append(Medium(kind, mime_type, link=quote(relative)))
    return ReportMedia(tuple(media), index, embedded, linked, missing, spent)
