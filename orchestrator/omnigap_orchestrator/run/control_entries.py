"""The book's control cells: what each asks, under which key, and whether its model can answer it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import REFERENCE, Condition, Control, Modality, Support
from omnigap_orchestrator.dispatch.service import support_in
from omnigap_orchestrator.plan import FIRST_PASS, AnswerKeys, conditions_of, typed_carrier
from omnigap_orchestrator.run.book import Book, Entry, Subject
from omnigap_orchestrator.run.carriers import Carrier


class ControlEntries:
    """Entries of the control cells of a book, made as they are read from the entries that they stand beside."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._readers = {name: _reader(subject) for name, subject in book.subjects.items()}

    def __iter__(self) -> Iterator[Entry]:
        """Those of a two-pass control in their first pass."""
        for cell in self._book.plan.control_cells():
            entry = self._book.entry(replace(cell, control=None))
            yield _MAKERS[cell.control](self, replace(entry, cell=cell)) if cell.control else entry

    def second_pass(self, entry: Entry, first_pass: str) -> Entry:
        """The second pass that follows from what the first one wrote: the same text, typed, with the item's words."""
        subject, carrier = self._book.subjects[entry.cell.model], Carrier.typed(typed_carrier(first_pass))
        asked = replace(
            entry, subject=subject, carrier=carrier, instruction=entry.item.instruction, first_pass=first_pass
        )
        # With the first pass in the key: two questions that came out as one text stay two cells.
        return replace(asked, key=_key(asked, Control.TWO_PASS, entry.key or ""))

    def _repeat(self, entry: Entry) -> Entry:
        return replace(entry, key=_key(entry, Control.REPEAT))

    def _blank(self, entry: Entry) -> Entry:
        if entry.carrier is None:
            return entry
        asked = replace(entry, carrier=self._book.carriers.blank_of(entry.carrier))
        # With what was blanked in the key: the same white page for another question is another cell's guess.
        return replace(asked, key=_key(asked, Control.BLANK, entry.carrier.sha))

    def _two_pass(self, entry: Entry) -> Entry:
        support, reason = None, ""
        if entry.subject.card is not None:
            support, reason = support_of(entry.subject.card, entry.cell.condition, Control.TWO_PASS)
        asked = replace(
            entry,
            subject=self._readers[entry.cell.model],
            instruction=_prompts(self._book)[entry.cell.condition.input],
            support=support,
            support_reason=reason,
        )
        return replace(asked, key=_key(asked, FIRST_PASS))


_MAKERS = {
    Control.REPEAT: ControlEntries._repeat,
    Control.BLANK: ControlEntries._blank,
    Control.TWO_PASS: ControlEntries._two_pass,
}


def support_of(card: pb.DescribeResponse, condition: Condition, control: Control | None) -> tuple[Support, str]:
    """What a card says of a control cell, and why not: its second pass needs a typed question answered as text too."""
    direct = support_in(card, condition)
    if control is not Control.TWO_PASS or direct[0] is Support.UNSUPPORTED:
        return direct
    typed, reason = support_in(card, REFERENCE)
    return (typed, f"its second pass is {REFERENCE}: {reason}") if typed is Support.UNSUPPORTED else direct


def first_pass_prompts(book: Book) -> tuple[str, ...]:
    """What is typed in the first passes of this plan: beside spoken questions, beside shown ones."""
    if Control.TWO_PASS not in book.plan.controls:
        return ()
    inputs = {c.input for spec in book.plan.models for c in conditions_of(Control.TWO_PASS, spec.conditions)}
    return tuple(prompt for modality, prompt in _prompts(book).items() if modality in inputs)


def _prompts(book: Book) -> dict[Modality, str]:
    return {Modality.SPEECH: book.config.run.hear_prompt, Modality.IMAGE: book.config.run.read_prompt}


def _key(entry: Entry, *marks: str) -> str | None:
    """The key of an entry as it is asked now."""
    cell, keys = entry.cell, entry.subject.keys
    if keys is None or entry.carrier is None:
        return None
    output = cell.condition.output.value
    return keys.key(entry.carrier.sha, entry.instruction, entry.item.language, output, cell.replicate, *marks)


def _reader(subject: Subject) -> Subject:
    """The model in a first pass: a length that was chosen for answers would cut what it writes down."""
    spec = replace(subject.spec, decoding=subject.spec.decoding.model_copy(update={"max_new_tokens": None}))
    return Subject(spec, subject.card, AnswerKeys(spec, subject.card.digest) if subject.card is not None else None)
