"""From token ids to streamed text: whole characters, thinking kept apart, and nothing sent twice after a retry."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.adapter import Turn

# Tokenizers decode an incomplete UTF-8 sequence to this character.
_INCOMPLETE = "\N{REPLACEMENT CHARACTER}"

# Ids decoded again before the new ones, see `RowDecoder._new_text`.
_CONTEXT_IDS = 4


class RowDecoder:
    """Decodes the ids of one row of a batch, and sends the text through its `TurnWriter`.

    Args:
        tokenizer: has `decode`, with the arguments of transformers' tokenizers.
        hidden: ids that are not part of any text, such as the end mark.
    """

    def __init__(self, writer: TurnWriter, tokenizer: Any, splitter: TextSplitter, hidden: Collection[int]) -> None:
        writer.restart()
        self._writer = writer
        self._tokenizer = tokenizer
        self._splitter = splitter
        self._hidden = hidden
        self._ids: list[int] = []
        self._decoded_ids = 0
        self._seen = 0

    @property
    def length(self) -> int:
        """Number of ids so far, hidden ones included."""
        return self._seen

    @property
    def ended(self) -> bool:
        """True once the text has an end mark: whatever follows is not part of the answer."""
        return self._splitter.ended

    def update(self, ids: Sequence[int]) -> None:
        """Takes all ids of the answer so far, and sends the text that is final."""
        self._ids.extend(token for token in ids[self._seen :] if token not in self._hidden)
        self._seen = max(self._seen, len(ids))
        self._send(self._new_text(last=False))

    def finish(self, ids: Sequence[int]) -> None:
        """Takes all ids of the complete answer, and sends the rest of the text."""
        self.update(ids)
        self._send(self._new_text(last=True))
        rest = self._splitter.finish()
        self._writer.send(rest.answer, rest.thinking)

    def _new_text(self, last: bool) -> str:
        """The text of the ids since the last call; empty while a character is incomplete.

        A few earlier ids are decoded together with the new ones, because some tokenizers write a space depending on the
        token before it. Decoding the whole answer at every token would take quadratic time.
        """
        start = max(0, self._decoded_ids - _CONTEXT_IDS)
        before = self._decode(self._ids[start : self._decoded_ids])
        whole = self._decode(self._ids[start:])
        # If `whole` no longer starts with `before`, the new token changed the text around it: wait for the next one.
        if not last and (whole.endswith(_INCOMPLETE) or not whole.startswith(before)):
            return ""
        self._decoded_ids = len(self._ids)
        return whole[len(before) :]

    def _decode(self, ids: Sequence[int]) -> str:
        # Special tokens are kept, since the thinking marks may be some; `hidden` removes the others. The clean-up would
        # change spaces around punctuation after they were sent.
        return str(self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def _send(self, text: str) -> None:
        split = self._splitter.feed(text)
        self._writer.send(split.answer, split.thinking)


@dataclass(frozen=True, slots=True)
class Split:
    """A piece of output, split into answer and thinking."""

    answer: str = ""
    thinking: str = ""


class TextSplitter(Protocol):
    """What the decoded text of an answer passes through before it is sent."""

    @property
    def ended(self) -> bool:
        """True once the text has an end mark."""

    def feed(self, text: str) -> Split:
        """The part that is certain."""

    def finish(self) -> Split:
        """The text that was held back."""


class ThinkingSplitter:
    """Splits streamed text at its thinking marks; without marks everything is answer.

    Args:
        inside: the prompt already ends with the opening mark, so the text begins with thinking.
    """

    def __init__(self, opening: str, closing: str, inside: bool = False) -> None:
        # Indexed by `_inside`: outside thinking the opening mark is searched, inside the closing one.
        self._marks = (opening, closing)
        self._active = bool(opening and closing)
        self._inside = inside and self._active
        self._held = ""
        self._answer_started = False

    @property
    def ended(self) -> bool:
        """Such a text has no end mark."""
        return False

    def feed(self, text: str) -> Split:
        """The part that is certain; an ending that may be the beginning of a mark is held back."""
        return self._split(text, last=False)

    def finish(self) -> Split:
        """The text that was held back."""
        return self._split("", last=True)

    def _split(self, text: str, last: bool) -> Split:
        if not self._active:
            return Split(answer=text)
        self._held += text
        found = {True: "", False: ""}
        while True:
            mark = self._marks[self._inside]
            before, match, after = self._held.partition(mark)
            if match:
                found[self._inside] += self._without_leading_space(before)
                self._inside = not self._inside
                self._held = after
                continue
            certain = len(self._held) if last else len(self._held) - _overlap(self._held, mark)
            found[self._inside] += self._without_leading_space(self._held[:certain])
            self._held = self._held[certain:]
            return Split(answer=found[False], thinking=found[True])

    def _without_leading_space(self, text: str) -> str:
        """Removes the empty lines that models write between the closing mark and the answer."""
        if self._inside:
            return text
        if not self._answer_started:
            text = text.lstrip()
        self._answer_started = self._answer_started or bool(text)
        return text


class StopSplitter:
    """Ends a streamed answer at a mark in its text, without the white space around the answer.

    A tokenizer writes such a mark in several ways, so it is searched in the text and not among the ids.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._held = ""
        self._started = False
        self.ended = False

    def feed(self, text: str) -> Split:
        """The part that is certain; an ending that may begin the mark, and white space at the end, are held back."""
        if self.ended:
            return Split()
        self._held += text
        if not self._started:
            self._held = self._held.lstrip()
            self._started = bool(self._held)
        before, match, _ = self._held.partition(self._mark)
        if match:
            self.ended, self._held = True, ""
            return Split(answer=before.rstrip())
        certain = self._held[: len(self._held) - _overlap(self._held, self._mark)].rstrip()
        self._held = self._held[len(certain) :]
        return Split(answer=certain)

    def finish(self) -> Split:
        """The text that was held back."""
        rest, self._held = self._held.rstrip(), ""
        return Split(answer=rest)


def _overlap(text: str, mark: str) -> int:
    """Number of characters at the end of `text` that `mark` begins with."""
    for size in range(min(len(text), len(mark) - 1), 0, -1):
        if mark.startswith(text[-size:]):
            return size
    return 0


class TurnWriter:
    """Sends one turn's text. A row that starts again, in a smaller batch, sends nothing twice."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.complete = False
        self._answer = _Channel()
        self._thinking = _Channel()

    def restart(self) -> None:
        """The row starts, or starts again after memory ran out."""
        self._answer.position = self._thinking.position = 0

    def send(self, answer: str, thinking: str) -> None:
        """Sends the next pieces; the turn fails if a retry contradicts what was already sent."""
        new_thinking, new_answer = self._thinking.new_part(thinking), self._answer.new_part(answer)
        if new_thinking is None or new_answer is None:
            # In half precision the smaller batch can choose another token; sent text cannot be taken back.
            text = "memory ran out during the answer, and the retry in a smaller batch began differently: ask again"
            self.turn.fail(ContractError(Reason.OUT_OF_MEMORY, f"{text}, or lower max_batch_size"))
            return
        self.turn.reason(new_thinking)
        self.turn.write(new_answer)


class _Channel:
    """The text that was sent, and how much of it the present attempt has repeated."""

    def __init__(self) -> None:
        self.text = ""
        self.position = 0

    def new_part(self, piece: str) -> str | None:
        """The part of the next piece that was not sent before; None if it contradicts what was sent."""
        known = self.text[self.position : self.position + len(piece)]
        if not piece.startswith(known):
            return None
        self.position += len(piece)
        new = piece[len(known) :]
        self.text += new
        return new
