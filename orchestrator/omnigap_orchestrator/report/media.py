"""What the item browser shows of each item besides its cells: question, choices, instruction and gold answers."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class CatalogueItem:
    """The words of one item."""

    question: str
    choices: tuple[str, ...] = ()
    instruction: str = ""
    answers: tuple[str, ...] = ()


class _ItemLike(Protocol):
    """What `Catalogue.of` needs of an item; `items.Item` has it."""

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


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Items by id. An id of the results that is missing here is shown by its id alone."""

    items: Mapping[str, CatalogueItem] = field(default_factory=dict)

    @classmethod
    def of(cls, items: Iterable[_ItemLike]) -> Catalogue:
        """From the items as they were loaded for the run."""
        return cls({i.id: CatalogueItem(i.question, i.choices, i.instruction, i.answers) for i in items})

    def get(self, item_id: str) -> CatalogueItem:
        """The item, or one that has its id for a question."""
        return self.items.get(item_id) or CatalogueItem(question=item_id)


# Which media travel inside the report and which stay files beside it: a budget, spent on what matters first.

MediaPath = Callable[[str], str | None]
"""SHA-256 of a medium -> its path relative to the run folder, with `/`; None where it was not stored."""

CollectMedia = Callable[[Iterable[str], int], "ReportMedia"]
"""SHA-256s of media and a number of bytes -> these media, embedded up to that size and linked beyond."""

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
"""By suffix and not by `mimetypes`, which asks the machine and so differs between machines."""

MAX_INLINE_TEXT = 4_000


@dataclass(frozen=True, slots=True)
class Medium:
    """One medium as the item browser gets it.

    Attributes:
        kind: `audio`, `image`, `text` or `missing`.
        text: a text carrier's own words.
        link: path relative to the report, where the bytes stay outside.
        embedded: the file whose bytes travel inside; read only when the page is written.
    """

    kind: str
    mime_type: str = ""
    text: str = ""
    link: str = ""
    embedded: Path | None = None

    @property
    def source(self) -> str:
        """What an element of the page plays or shows: the bytes themselves, or the file beside the page."""
        return f"data:{self.mime_type};base64,{self.base64()}" if self.embedded else self.link

    def base64(self) -> str:
        """The embedded bytes; nothing for a medium that is not embedded."""
        return base64.b64encode(self.embedded.read_bytes()).decode("ascii") if self.embedded else ""


@dataclass(frozen=True, slots=True)
class ReportMedia:
    """The media of the item browser, in the order in which they were asked for, with what the budget did."""

    media: tuple[Medium, ...]
    index: dict[str, int]
    embedded: int
    linked: int
    missing: int
    embedded_bytes: int


def collect_media(digests: Iterable[str], folder: Path, path_of: MediaPath, budget: int | None) -> ReportMedia:
    """Embeds media in the given order until `budget` bytes of base64 are spent, and links the rest.

    A medium that does not fit is linked, and smaller ones after it may still fit. Texts are always inside: they are
    small, and a reader needs them to read the rest.

    Args:
        folder: the run folder, which the paths are relative to.
        budget: bytes that embedding may add to the report; None: no limit.
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
        if mime_type == "text/plain":
            text = path.read_bytes().decode("utf-8", errors="replace")
            media.append(Medium("text", mime_type, text=text[:MAX_INLINE_TEXT]))
            continue
        kind = mime_type.partition("/")[0]
        size = -(-path.stat().st_size // 3) * 4
        if budget is None or spent + size <= budget:
            spent += size
            embedded += 1
            media.append(Medium(kind, mime_type, embedded=path))
        else:
            linked += 1
            media.append(Medium(kind, mime_type, link=quote(relative)))
    return ReportMedia(tuple(media), index, embedded, linked, missing, spent)
