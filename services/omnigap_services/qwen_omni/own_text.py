"""An answer's text as its tokens come: whole characters only, and nothing twice when a batch is tried again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omnigap.errors import OmnigapError

_BROKEN = "\ufffd"


class DivergedError(OmnigapError):
    """A second try of an answer went another way than what had been sent of the first."""


class OwnText:
    """The text of one answer. Special tokens are not part of it."""

    def __init__(self, tokenizer: Any, write: Callable[[str], None]) -> None:
        self._tokenizer = tokenizer
        self._write = write
        self._sent = ""
        self.restart()

    def restart(self) -> None:
        """The answer begins anew; what was sent already is not sent again."""
        self.ids: list[int] = []
        self._held: list[int] = []
        self.text = ""

    def add(self, token: int) -> None:
        """Takes the next token.

        Raises:
            DivergedError: where the text so far is another one than what was sent before the restart.
        """
        self.ids.append(token)
        self._held.append(token)
        piece = self._decode()
        # A character of several bytes may end in a later token.
        if piece and not piece.endswith(_BROKEN):
            self._take(piece)

    def end(self) -> None:
        """No token follows: what was held back goes out as it is.

        Raises:
            DivergedError: as `add`; also where the text ends before what was sent.
        """
        if self._held:
            self._take(self._decode())
        if self.text != self._sent:
            raise DivergedError(f"the second try ends before {self._sent[len(self.text) :]!r}, which was sent")

    def _decode(self) -> str:
        decoded: str = self._tokenizer.decode(self._held, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return decoded

    def _take(self, piece: str) -> None:
        self._held = []
        self.text += piece
        new = self.text[len(self._sent) :]
        if not (self.text.startswith(self._sent) or self._sent.startswith(self.text)):
            raise DivergedError(f"the second try says {self.text[-40:]!r} where {self._sent[-40:]!r} was sent")
        if new:
            self._write(new)
            self._sent = self.text
