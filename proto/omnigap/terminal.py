"""Text of others in a terminal: no character may control it or hide, and a broken stream must not end the work."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import unicodedata
from collections.abc import Iterator
from typing import IO, Any

MAX_LINE = 2_000
"""Characters of a line of a message; longer lines are cut."""
MAX_LINES = 1_100
"""Lines of a message: the loaders list at most a thousand faults."""

# Printable by their category, and yet drawn as nothing: fillers, joiners and variation selectors. U+FE0E and U+FE0F
# choose between the text and the emoji form of a character and are common.
_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, [*range(0xFE00, 0xFE0E), *range(0xE0100, 0xE01F0)]))
)


def visible(text: str) -> str:
    """The text with every character that a terminal obeys or does not draw as its escape, such as `\\x1b`.

    These are control characters (C0, C1, DEL), bidirectional and other format characters, zero-width and filler
    characters, line and paragraph separators, surrogates, and unassigned and private characters. Line feeds, tabs and
    blanks stay; CR LF becomes LF.
    """
    if text.isprintable() and _BLANK.isdisjoint(text):
        return text
    return "".join(map(_visible_character, text.replace("\r\n", "\n")))


def is_visible(character: str) -> bool:
    """Whether `visible` keeps a character."""
    drawn = character.isprintable() and character not in _BLANK
    return drawn or character in "\n\t" or unicodedata.category(character) == "Zs"


def _visible_character(character: str) -> str:
    if is_visible(character):
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(text: str, limit: int = MAX_LINE) -> str:
    """The visible text on one line of at most `limit` characters."""
    # Cut first: a text of gigabytes is not worth splitting. Each character becomes one or more.
    line = visible(" ".join(text[: 4 * limit].split()))
    return line if len(line) <= limit and len(text) <= 4 * limit else f"{line[: limit - 1]}…"


def readable(message: str) -> str:
    """The visible message of several lines, cut to `MAX_LINES` lines of `MAX_LINE` characters."""
    lines = message[: MAX_LINE * MAX_LINES].split("\n")
    kept = [visible(line) for line in lines[:MAX_LINES]]
    kept = [line if len(line) <= MAX_LINE else f"{line[: MAX_LINE - 1]}…" for line in kept]
    return "\n".join(kept if len(lines) <= MAX_LINES else [*kept, f"… and {len(lines) - MAX_LINES} more lines"])


class LogFormatter(logging.Formatter):
    """Formats records with visible characters, and indents continuation lines, so that no message can fake a record."""

    def format(self, record: logging.LogRecord) -> str:
        return readable(super().format(record)).replace("\n", "\n    ")


def protect_streams() -> None:
    """Makes the standard streams of this process safe to use; called once at the start of a command.

    Characters that the encoding of a stream lacks are written as escapes. A stream that is closed gets a descriptor on
    which every read and write fails: otherwise the next file that is opened takes its number, and C libraries would
    write their messages into it.
    """
    for descriptor, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number, which is this one.
            os.set_inheritable(os.open(os.devnull, mode), True)
    if sys.stdout is None:
        # `print` would do nothing without a stream, and the command would end as if its output had been read.
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    elif isinstance(getattr(sys.stdout, "buffer", None), io.RawIOBase):
        # PYTHONUNBUFFERED: without a buffer, Python drops the rest of a long text of which a pipe took a part.
        sys.stdout = open(1, "w", 1, encoding=sys.stdout.encoding, closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


class LossyStream:
    """A text stream whose failed writes are ignored and remembered: a full disk or a reader that has gone ends no work.

    Attributes:
        lost: the first error of a write; None if all text was written.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.lost: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Writes the text, or drops it if a write has failed before."""
        if self.lost is None:
            with self._remembered():
                return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        if self.lost is None:
            with self._remembered():
                self._stream.flush()

    def close_lost(self) -> None:
        """Points a stream that failed at the null device, because Python flushes it once more at exit."""
        if self.lost is not None:
            with contextlib.suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, self._stream.fileno())
                os.close(null)

    @contextlib.contextmanager
    def _remembered(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.lost = error
        except ValueError as error:
            self.lost = OSError(str(error))
