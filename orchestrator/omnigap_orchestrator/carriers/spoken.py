"""What a voice reads for an item: its question and choices, cleaned of what is written but not said."""

from __future__ import annotations

import re

from omnigap.vocabulary import CHOICE_LETTERS
from omnigap_orchestrator.carriers.errors import CarrierError
from omnigap_orchestrator.items.item import Item

# A gap to be filled in is written as underscores or dots and said as a word.
_BLANK = re.compile(r"_{2,}|\.{4,}|…{2,}")
# Marks of a text's layout: emphasis, code, headings.
_MARKUP = re.compile(r"\*{1,3}(?=\S)|(?<=\S)\*{1,3}|`+|^#{1,6}\s+", re.MULTILINE)
_BULLET = re.compile(r"^\s*[-•]\s+", re.MULTILINE)
_ENDS_SENTENCE = (".", "?", "!", ":", ";", ",", "…", "。", "？", "！", "¿", "¡")


def spoken_text(item: Item) -> str:
    """One line for a voice: the question, then each choice as a sentence, `A: Paris.`, so that letters are heard apart.

    Raises:
        CarrierError: where nothing that can be said is left.
    """
    sentences = [pronounceable(item.question)]
    sentences += [
        _sentence(f"{letter}: {pronounceable(choice)}")
        for letter, choice in zip(CHOICE_LETTERS, item.choices, strict=False)
    ]
    if item.choices:
        sentences[0] = _sentence(sentences[0])
    text = " ".join(sentence for sentence in sentences if sentence)
    if not any(character.isalnum() for character in text):
        raise CarrierError(
            f"item {item.id!r}: the question {item.question!r} holds nothing that can be said: "
            "give the item its own recording, carriers.speech"
        )
    return text


def pronounceable(text: str) -> str:
    """A text on one line, without marks of layout; a line's end becomes a pause, a gap to fill in the word `blank`."""
    text = _BLANK.sub(" blank ", text)
    text = _MARKUP.sub("", _BULLET.sub("", text))
    lines = [" ".join(line.split()) for line in text.split("\n")]
    lines = [line for line in lines if line]
    joined = " ".join([*(_sentence(line) for line in lines[:-1]), *lines[-1:]])
    return re.sub(r"\bblank ([.?!,;:])", r"blank\1", joined)


def _sentence(text: str) -> str:
    return text if not text or text.endswith(_ENDS_SENTENCE) else f"{text}."
