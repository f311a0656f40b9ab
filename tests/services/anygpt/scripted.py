"""A toy vocabulary, and a language model that writes given tokens, behind the engine of the service."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image
from sentencepiece import SentencePieceProcessor

from omnigap.media.audio import Samples
from omnigap_services.adapter import Request
from omnigap_services.anygpt.answer import Answer
from omnigap_services.anygpt.generation import Engine
from omnigap_services.anygpt.options import AnygptOptions, decoding_of
from omnigap_services.anygpt.prompt import PromptBuilder
from omnigap_services.anygpt.tiny import PIECES, added_tokens
from omnigap_services.anygpt.vocabulary import SPEECH_PREFIX, Vocabulary
from tests.services.anygpt.recorded import Recorded

GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("prompts_of_transformers_4_34.json").read_text())
MODEL = base64.b64decode(GOLDEN["tokenizer_model"])
ADDED = added_tokens(PIECES)
SENTENCEPIECE = SentencePieceProcessor(model_proto=MODEL)
WORDS = Vocabulary(SENTENCEPIECE, ADDED, "option 'checkpoint': it")

SPOKEN = [5, 6, 7]
"""Codes of every spoken question."""


class Codes(torch.nn.Module):
    """A codec, or image encoder, with the same codes for every input."""

    def __init__(self, codes: list[int]) -> None:
        super().__init__()
        self.codes = codes
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def preprocess(self, image: Image.Image) -> torch.Tensor:
        return torch.zeros(3, 224, 224)

    def encode(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.tensor(self.codes)[None, None] if inputs.shape[1] == 1 else torch.tensor(self.codes)[None]


def builder(speech: list[int] | None = None, image: list[int] | None = None, **options: Any) -> PromptBuilder:
    codec: Any = None if speech is None else Codes(speech)
    encoder: Any = None if image is None else Codes(image)
    return PromptBuilder(WORDS, AnygptOptions(checkpoint="x", **options), codec, encoder)


def ids_of(tokens: Sequence[str]) -> list[int]:
    """Ids of texts and of names of added tokens."""
    return [token for text in tokens for token in ([ADDED[text]] if text in ADDED else WORDS.ids([text])[1:])]


class Scripted:
    """A model of transformers, as far as the engine uses it: `generate` with processors and criteria.

    Args:
        scripts: by a text in the prompt, what a row writes: at each step the next token of its script that is allowed.
            A text that ends with the mark of speech is one of the second generation.
    """

    def __init__(self, scripts: Mapping[str, Sequence[str]], context: int = 4_096) -> None:
        self.scripts = {key: ids_of(tokens) for key, tokens in scripts.items()}
        self.config = SimpleNamespace(max_position_embeddings=context)
        self.calls: list[dict[str, Any]] = []
        self.before_call: Callable[[int], None] = lambda rows: None
        self._table = SimpleNamespace(weight=torch.zeros(WORDS.size + 3, 1))

    def get_output_embeddings(self) -> Any:
        return self._table

    get_input_embeddings = get_output_embeddings

    def generate(self, input_ids: torch.Tensor, **arguments: Any) -> None:
        self.calls.append({"rows": len(input_ids), **arguments})
        self.before_call(len(input_ids))
        (processor,), (criterion,) = arguments["logits_processor"], arguments["stopping_criteria"]
        scripts = [list(self._script(row)) for row in input_ids.tolist()]
        ended = torch.zeros(len(input_ids), dtype=torch.bool)
        for _ in range(arguments["max_new_tokens"]):
            allowed = processor(input_ids, torch.zeros(len(input_ids), WORDS.size + 3)).isfinite()
            assert not allowed[:, WORDS.size :].any(), "ids behind the vocabulary"
            tokens = torch.tensor([_next(script, row) for script, row in zip(scripts, allowed, strict=True)])
            tokens[ended] = arguments["pad_token_id"]
            input_ids = torch.cat([input_ids, tokens[:, None]], -1)
            ended |= criterion(input_ids, None)
            if ended.all():
                break

    def _script(self, prompt: list[int]) -> Sequence[int]:
        text = WORDS.text(prompt)
        found = [key for key in self.scripts if key in text]
        return self.scripts[max(found, key=len)]


def _next(script: list[int], allowed: torch.Tensor) -> int:
    """The next token of a script that is allowed, which is taken off it; a stop or a code after its end."""
    place = next((place for place, token in enumerate(script) if allowed[token]), None)
    if place is None:
        return next(token for token in ids_of([".", f"<{SPEECH_PREFIX}0>"]) if allowed[token])
    token = script[place]
    del script[: place + 1]
    return token


class Speaker:
    """Audio with one sample for each code."""

    sample_rate = 16_000

    def __init__(self) -> None:
        self.seeds: list[int] = []

    def wave(self, codes: Sequence[int], seed: int) -> Samples:
        self.seeds.append(seed)
        return np.array(codes, dtype=np.float32) / 1_024


def answered(
    model: Scripted, *requests: Request, speaker: Any = None, turns: list[Recorded] | None = None, **options: Any
) -> list[Recorded]:
    """Answers of one batch; `turns` is filled before they start."""
    made = AnygptOptions(checkpoint="x", **options)
    prompts = builder(SPOKEN, [1, 2], **options)
    engine: Any = Engine(model, WORDS, prompts, speaker or Speaker())
    turns = [] if turns is None else turns
    turns += [Recorded(request) for request in requests]
    engine.answer([Answer(turn, prompts.prompt(turn.request), decoding_of(turn.request, made)) for turn in turns])
    return turns
