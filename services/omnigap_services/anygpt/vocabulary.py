"""Token ids: text through sentencepiece, and the runs of added tokens for speech and images, read from the checkpoint.

The ids are built here instead of by a tokenizer of transformers: the checkpoint was trained with the slow tokenizer of
4.34, which encodes each text between two added tokens on its own, with its own "▁". The current one does not, and a
tokenizer that normalises drops the variation selector in the names of the speech tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.raw_checkpoint import wrong
from omnigap_services.weights import LFS_POINTER, is_lfs_pointer

HUMAN, ASSISTANT, END_OF_HUMAN, END = "[Human]", "[MMGPT]", "<eoh>", "<eos>"
TRANSCRIPT, REPLY = "<-Ins->", "<-Res->"

# The speaking head (U+1F5E3) is followed by the variation selector U+FE0F.
SPEECH_PREFIX = "\U0001f5e3\ufe0f"
IMAGE_PREFIX = "\U0001f440"

_PIECES = "tokenizer.model"
_SOURCES = ("added_tokens.json", "tokenizer_config.json", "tokenizer.json")

Part = str | int
"""A piece of a prompt: text, which is never read as a mark, or the id of an added token."""


@dataclass(frozen=True, slots=True)
class Run:
    """The ids of one kind of discrete token: codes `0` to `size - 1` are ids from `first` on.

    Attributes:
        start, end: ids of the marks around the codes.
    """

    first: int
    size: int
    start: int
    end: int

    def ids(self, codes: Iterable[int]) -> list[int]:
        """The codes as ids, with the marks around them."""
        return [self.start, *(self.first + code for code in codes), self.end]

    def codes(self, ids: Iterable[int]) -> list[int]:
        """The codes among ids; other ids are left out."""
        return [token - self.first for token in ids if self.first <= token < self.first + self.size]


class Vocabulary:
    """The ids of one checkpoint.

    Attributes:
        speech, image: None if the checkpoint has no such tokens.
        ends: ids that end an answer: the end of sequence, `<eos>`, and the marks of a new turn.
        size: one more than the largest id.
    """

    def __init__(self, pieces: Any, added: Mapping[str, int], who: str) -> None:
        """
        Args:
            pieces: a SentencePieceProcessor.
            added: added tokens by name; those that are pieces of sentencepiece too are ignored.
            who: the beginning of messages.

        Raises:
            OptionsError: a mark is missing, or a run has a gap.
        """
        self._pieces = pieces
        self._piece_count = pieces.vocab_size()
        self._added = {name: number for name, number in added.items() if number >= self._piece_count}
        self._names = {number: name for name, number in self._added.items()}
        self._who = who
        if len(self._names) < len(self._added):
            raise OptionsError(f"{who} has two added tokens of one id: download its tokenizer again")
        self._pattern = _pattern(self._added)
        self.speech = self._run("speech", SPEECH_PREFIX, "<sosp>", "<eosp>")
        self.image = self._run("image", IMAGE_PREFIX, "<soim>", "<eoim>")
        marks = (END, HUMAN, ASSISTANT, END_OF_HUMAN)
        self.ends = frozenset([pieces.eos_id(), *map(self.id_of, marks)])
        self.size = max([self._piece_count - 1, *self._names]) + 1

    def id_of(self, name: str) -> int:
        """The id of an added token.

        Raises:
            OptionsError: the checkpoint has none of this name.
        """
        if name not in self._added:
            raise OptionsError(f"{self._who} has no added token {name}: it is not AnyGPT, or not downloaded completely")
        return self._added[name]

    def text_ids(self) -> list[int]:
        """Ids that a text may contain: pieces without the control ones, and the marks of a reply to speech."""
        pieces = (n for n in range(self._piece_count) if not (self._pieces.is_control(n) or self._pieces.is_unknown(n)))
        return [*pieces, *(self._added[name] for name in (TRANSCRIPT, REPLY) if name in self._added)]

    def parts(self, text: str) -> list[Part]:
        """Splits a text of the prompt's own form at the names of added tokens."""
        found = self._pattern.split(text)
        return [self._added.get(piece, piece) for piece in found if piece]

    def ids(self, parts: Iterable[Part]) -> list[int]:
        """The ids of a prompt: begin of sequence, then each text between added tokens with its own "▁"."""
        found, text = [int(self._pieces.bos_id())], ""
        for part in parts:
            if isinstance(part, str):
                text += part
                continue
            found += [*(self._pieces.encode(text) if text else []), part]
            text = ""
        return found + (self._pieces.encode(text) if text else [])

    def text(self, ids: Iterable[int]) -> str:
        """The ids as text; added tokens are written as their names."""
        found, held = "", []
        for token in ids:
            if token < self._piece_count:
                held.append(token)
                continue
            found += self._pieces.decode(held) + self._names.get(token, "")
            held = []
        return found + str(self._pieces.decode(held))

    def _run(self, kind: str, prefix: str, start: str, end: str) -> Run | None:
        pattern = re.compile(f"<{prefix}(0|[1-9][0-9]*)>")
        found = {int(match[1]): token for name, token in self._added.items() if (match := pattern.fullmatch(name))}
        if not found:
            return None
        for code in range(len(found)):
            if code not in found:
                raise OptionsError(f"{self._who} lacks the {kind} token <{prefix}{code}>: download its tokenizer again")
            if found[code] != found[0] + code:
                raise OptionsError(
                    f"{self._who} has the {kind} token <{prefix}{code}> at id {found[code]} and not at"
                    f" {found[0] + code}: the ids of {kind} tokens must be one run without a gap"
                )
        return Run(found[0], len(found), self.id_of(start), self.id_of(end))


def _pattern(names: Iterable[str]) -> re.Pattern[str]:
    """A pattern with one group, which matches all of these names, and numbered ones beside them."""
    # One alternative for each run: an expression with 17,000 alternatives takes a second to compile.
    shapes = {re.sub(r"[0-9]+", lambda _: "[0-9]+", re.escape(name)) for name in names}
    # Longest first, so that no mark is found within another one.
    return re.compile(f"({'|'.join(sorted(shapes, key=len, reverse=True)) or '(?!)'})")


def read_vocabulary(service: str, option: str, folder: Path) -> Vocabulary:
    """The vocabulary of a checkpoint's folder: tokenizer.model, and the added tokens of the files beside it.

    Raises:
        OptionsError: a file is missing or unreadable, two files disagree, or see `Vocabulary`.
    """
    from sentencepiece import SentencePieceProcessor

    path = folder / _PIECES
    if not path.is_file():
        raise wrong(service, option, f"is {folder.name!r}, which has no {_PIECES}: download the whole checkpoint")
    if is_lfs_pointer(path):
        raise wrong(service, option, f"is {folder.name!r}, whose {_PIECES} is {LFS_POINTER}: download it again")
    try:
        pieces = SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError) as error:
        raise wrong(service, option, f"is {folder.name!r}, whose {_PIECES} can't be read ({error})") from error
    found: dict[str, tuple[int, str]] = {}
    for name in _SOURCES:
        for token, number in _added_tokens(service, option, folder / name).items():
            known, source = found.setdefault(token, (number, name))
            if known != number:
                text = f"where {token} has id {known} in {source} and {number} in {name}: download its tokenizer again"
                raise wrong(service, option, f"is {folder.name!r}, {text}")
    if not found:
        files = " or ".join(_SOURCES)
        raise wrong(service, option, f"is {folder.name!r}, which has no added tokens ({files}): it is not AnyGPT")
    who = f"service {service}: option {option!r}: the checkpoint {folder.name}"
    return Vocabulary(pieces, {token: number for token, (number, _) in found.items()}, who)


def _added_tokens(service: str, option: str, path: Path) -> dict[str, int]:
    """Added tokens of one file, in the form of its kind; empty if the file does not exist or has none."""
    if not path.is_file():
        return {}
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        if path.name == "added_tokens.json":
            return {str(token): int(number) for token, number in read.items()}
        if path.name == "tokenizer_config.json":
            return {
                str(token["content"]): int(number) for number, token in read.get("added_tokens_decoder", {}).items()
            }
        return {str(token["content"]): int(token["id"]) for token in read.get("added_tokens", [])}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        kind = type(error).__name__
        raise wrong(
            service, option, f"is {path.parent.name!r}, whose {path.name} can't be read ({kind}: {error})"
        ) from error
