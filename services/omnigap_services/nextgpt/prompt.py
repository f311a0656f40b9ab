"""The prompt of NExT-GPT: its vocabulary, the ids of a question, and the embeddings of a batch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from omnigap.media import AudioClip
from omnigap_services.adapter import Request
from omnigap_services.nextgpt.options import SERVICE
from omnigap_services.options import OptionsError

OPENING, CLOSING = "<Img>", "</Img>"
"""Tokens around the vector of an image, and of a clip as well."""

ADDED_TOKENS = (
    *(OPENING, CLOSING),
    *(f"[IMG{number}]" for number in range(4)),
    *(f"[VID{number}]" for number in range(24)),
    *(f"[AUD{number}]" for number in range(8)),
)
"""Tokens that NExT-GPT adds to Vicuna's, in this order."""

STOP = "###"
"""Begins the next turn, and so ends an answer."""

VOCABULARY_FILES = ("added_tokens.json", "special_tokens_map.json", "tokenizer_config.json")
"""Files beside `tokenizer.model` that are read where they exist."""

Media = AudioClip | Image.Image


class Vocabulary:
    """Ids of text and of the added tokens.

    Text is encoded by sentencepiece itself, as the tokenizers of the authors' time did: every segment begins with its
    own space, and marks such as `</s>` or `[IMG0]` in a question are ordinary text.

    Attributes:
        added: ids of the added tokens, which follow those of sentencepiece; none of them is text.
        bos: put in front of every segment of text; the checkpoint's own choice, which is not always `<s>`.
        hidden: ids that are not part of any text.
    """

    def __init__(self, folder: Path, option: str) -> None:
        """Reads `tokenizer.model` and what is beside it; added tokens that are not listed get the next ids.

        Raises:
            OptionsError: the files can't be read, or their ids leave gaps.
        """
        from sentencepiece import SentencePieceProcessor

        self._wrong = f"service {SERVICE}: option {option!r}: the tokenizer in {folder}"
        try:
            self._pieces = SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
            found = {name: _json(folder / name) for name in VOCABULARY_FILES}
            self.added = self._added(found)
            self.bos = self._bos(found)
        except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise OptionsError(f"{self._wrong} can't be read ({error}): download it again") from error
        self.end = self._pieces.eos_id()
        self.hidden = frozenset({self._pieces.unk_id(), self._pieces.bos_id(), self.end, *self.added.values()})

    def __len__(self) -> int:
        return int(self._pieces.vocab_size()) + len(self.added)

    def text_ids(self, text: str) -> list[int]:
        """The ids of one segment of text, with the token that begins it."""
        return [self.bos, *self._pieces.encode(text)]

    def decode(self, ids: Sequence[int], **_: object) -> str:
        """The text of ids of sentencepiece; the arguments of transformers' tokenizers change nothing."""
        return str(self._pieces.decode(list(ids)))

    def _added(self, found: Mapping[str, Any]) -> dict[str, int]:
        """Ids of the added tokens; those that no file lists are appended, as the authors' code does at every start."""
        base = int(self._pieces.vocab_size())
        decoder = found["tokenizer_config.json"].get("added_tokens_decoder", {})
        listed = {token["content"]: int(number) for number, token in decoder.items()}
        listed.update({token: int(number) for token, number in found["added_tokens.json"].items()})
        # A file may list `<s>` and other tokens that sentencepiece has.
        added = {token: number for token, number in sorted(listed.items(), key=lambda one: one[1]) if number >= base}
        if list(added.values()) != list(range(base, base + len(added))):
            gaps = f"{len(added)} added tokens with ids {min(added.values())} to {max(added.values())}"
            raise OptionsError(
                f"{self._wrong} lists {gaps}, but they must follow the {base} of tokenizer.model without gaps"
            )
        for token in ADDED_TOKENS:
            added.setdefault(token, base + len(added))
        return added

    def _bos(self, found: Mapping[str, Any]) -> int:
        for name in ("special_tokens_map.json", "tokenizer_config.json"):
            token = found[name].get("bos_token")
            token = token.get("content") if isinstance(token, dict) else token
            if token:
                # Vicuna v0 comes with maps that call `</s>` its first token as well.
                return self.added.get(token, int(self._pieces.piece_to_id(token)))
        return int(self._pieces.bos_id())


def _json(path: Path) -> dict[str, Any]:
    """The object in a file; empty if there is none.

    Raises:
        ValueError: not JSON, or not an object.
    """
    if not path.is_file():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{path.name} holds no object")
    return found


Segment = list[int] | Media
"""Ids, or a clip or image whose vector is put here."""


def segments_of(request: Request, vocabulary: Vocabulary) -> list[Segment]:
    """The prompt of a request: `### Human: <Image>...</Image> {question}\\n### Assistant:`.

    Text on each side of an image or clip is a segment of its own; texts next to each other are joined by an empty line.
    The typed text is not searched for marks: upstream splits it at ` <` and `> ` and drops these.
    """
    opening, closing = vocabulary.added[OPENING], vocabulary.added[CLOSING]
    parts = [request.system_prompt, *request.parts] if request.system_prompt else list(request.parts)
    found: list[Segment] = []
    texts: list[str] = []
    start = f"{STOP} Human:"
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        found.append(vocabulary.text_ids(_joined(start, texts)))
        found.extend(([opening], part, [closing]))
        start, texts = "", []
    found.append(vocabulary.text_ids(f"{_joined(start, texts)}\n{STOP} Assistant:"))
    return found


def _joined(start: str, texts: Sequence[str]) -> str:
    return " ".join(text for text in (start, "\n\n".join(texts)) if text)


@dataclass(frozen=True, slots=True)
class EmbeddedPrompts:
    """Prompts of a batch as embeddings.

    Attributes:
        inputs: `inputs_embeds` of shape (rows, positions, hidden) and `attention_mask` of shape (rows, positions).
        lengths: positions of each row without padding.
    """

    inputs: Mapping[str, torch.Tensor] = field(repr=False)
    lengths: tuple[int, ...]

    @property
    def width(self) -> int:
        """`generate` returns the new ids only if it gets embeddings."""
        return 0

    def tokens(self, row: int) -> int:
        """Positions of one prompt, without padding."""
        return self.lengths[row]


def embedded(
    prompts: Sequence[Sequence[Segment]],
    embed: Callable[[torch.Tensor], torch.Tensor],
    vectors: Callable[[Sequence[Media]], torch.Tensor],
) -> EmbeddedPrompts:
    """The embeddings of a batch, padded on the left, where generation does not continue.

    Args:
        embed: embeddings of ids; shapes (n,) and (n, hidden).
        vectors: embeddings of clips and images, shape (n, hidden).
    """
    media = [segment for prompt in prompts for segment in prompt if not isinstance(segment, list)]
    found = iter(vectors(media)) if media else iter(())
    rows = [
        torch.cat(
            [embed(torch.tensor(segment)) if isinstance(segment, list) else next(found)[None] for segment in prompt]
        )
        for prompt in prompts
    ]
    lengths = tuple(len(row) for row in rows)
    width = max(lengths)
    inputs = rows[0].new_zeros(len(rows), width, rows[0].shape[1])
    mask = torch.zeros(len(rows), width, dtype=torch.long, device=inputs.device)
    for number, row in enumerate(rows):
        inputs[number, width - len(row) :] = row
        mask[number, width - len(row) :] = 1
    return EmbeddedPrompts({"inputs_embeds": inputs, "attention_mask": mask}, lengths)
