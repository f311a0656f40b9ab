"""Keeps thinking apart from the answer, as both stream in pieces that end anywhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.adapter import Turn


@dataclass(frozen=True, slots=True)
class Split:
    """A piece of output: what belongs to the answer, and what to the thinking before it."""

    answer: str = ""
    thinking: str = ""


class ThinkingSplitter:
    """Splits one answer's text at its marks. Empty marks split nothing.

    Args:
        inside: the prompt itself ends with the opening mark, so that the text begins with thinking.
    """

    def __init__(self, opening: str, closing: str, inside: bool = False) -> None:
        self._marks = (opening, closing)
        self._active = bool(opening and closing)
        self._inside = inside and self._active
        self._held = ""
        self._answered = False

    def feed(self, text: str) -> Split:
        """What is certain by now; the beginning of what may be a mark is held back."""
        return self._split(text, last=False)

    def end(self) -> Split:
        """What was held back: no mark came of it."""
        return self._split("", last=True)

    def _split(self, text: str, last: bool) -> Split:
        if not self._active:
            return Split(answer=text)
        self._held += text
        found = {True: "", False: ""}
        while True:
            mark = self._marks[self._inside]
            before, met, after = self._held.partition(mark)
            if met:
                found[self._inside] += self._kept(before)
                self._inside = not self._inside
                self._held = after
                continue
            certain = len(self._held) if last else len(self._held) - _overlap(self._held, mark)
            found[self._inside] += self._kept(self._held[:certain])
            self._held = self._held[certain:]
            return Split(answer=found[False], thinking=found[True])

    def _kept(self, text: str) -> str:
        """An answer does not begin with the empty lines that stand around the marks."""
        if self._inside:
            return text
        if not self._answered:
            text = text.lstrip()
        self._answered = self._answered or bool(text)
        return text


def _overlap(text: str, mark: str) -> int:
    """Characters at the end of the text that a mark may begin with."""
    for size in range(min(len(text), len(mark) - 1), 0, -1):
        if mark.startswith(text[-size:]):
            return size
    return 0


# From token ids to text pieces while they come: one row of a batch, back to its turn.

_BROKEN = "\N{REPLACEMENT CHARACTER}"


class TurnWriter:
    """What was sent for one turn. A row that begins again, in a smaller batch, sends nothing twice."""

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self._answer = _Channel()
        self._thinking = _Channel()

    def begin(self) -> None:
        """The row begins, or begins again."""
        self._answer.at = self._thinking.at = 0

    def send(self, answer: str, thinking: str) -> None:
        """The next piece of each. The turn ends where a second attempt says something else than the first one said."""
        new_thinking, new_answer = self._thinking.fresh(thinking), self._answer.fresh(answer)
        if new_thinking is None or new_answer is None:
            text = "memory ran out amid the answer, and the second try in a smaller batch began otherwise: ask again"
            self.turn.fail(ContractError(Reason.OUT_OF_MEMORY, f"{text}, or lower max_batch_size"))
            return
        self.turn.reason(new_thinking)
        self.turn.write(new_answer)


class _Channel:
    """One channel's text as it went out, and how far the present attempt has repeated it."""

    def __init__(self) -> None:
        self.text = ""
        self.at = 0

    def fresh(self, piece: str) -> str | None:
        """The part of the next piece that did not go out before; None where it contradicts what went out."""
        known = self.text[self.at : self.at + len(piece)]
        if not piece.startswith(known):
            return None
        self.at += len(piece)
        new = piece[len(known) :]
        self.text += new
        return new


class RowDecoder:
    """The text of one row of one attempt.

    Args:
        hidden: ids that are not part of any text, such as the end mark.
    """

    def __init__(self, outbox: TurnWriter, tokenizer: Any, splitter: ThinkingSplitter, hidden: Collection[int]) -> None:
        outbox.begin()
        self._outbox = outbox
        self._tokenizer = tokenizer
        self._splitter = splitter
        self._hidden = hidden
        self._ids: list[int] = []
        self._done = 0
        self._seen = 0

    @property
    def length(self) -> int:
        """Ids that it has taken."""
        return self._seen

    def take(self, ids: Sequence[int]) -> None:
        """All ids of the answer so far; sends the text that is certain by now."""
        self._ids.extend(token for token in ids[self._seen :] if token not in self._hidden)
        self._seen = max(self._seen, len(ids))
        self._send(self._new_text(last=False))

    def end(self, ids: Sequence[int]) -> None:
        """All ids of the answer; sends the rest of the text."""
        self.take(ids)
        self._send(self._new_text(last=True))
        rest = self._splitter.end()
        self._outbox.send(rest.answer, rest.thinking)

    def _new_text(self, last: bool) -> str:
        """The text of the ids since the last call; half a character waits for its other half.

        A few ids before them are decoded with them, since some tokenizers write a space by what stands before.
        """
        context = max(0, self._done - 4)
        before = self._decoded(self._ids[context : self._done])
        whole = self._decoded(self._ids[context:])
        if not last and (whole.endswith(_BROKEN) or not whole.startswith(before)):
            return ""
        self._done = len(self._ids)
        return whole[len(before) :]

    def _decoded(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def _send(self, text: str) -> None:
        split = self._splitter.feed(text)
        self._outbox.send(split.answer, split.thinking)
