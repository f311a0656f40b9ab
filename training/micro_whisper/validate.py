"""A quick look at a network in training: greedy CTC and decoder word errors on the first clips of shard 0000."""

from __future__ import annotations

from pathlib import Path

import jiwer
import torch
from tokenizers import Tokenizer

from .batches import make_batch
from .model import MicroWhisper
from .settings import MODEL
from .synth import load_shard

__all__ = ["Validation"]

_CLIPS = 192
_BATCH = 32
_LONGEST = 60


class Validation:
    """Holds the clips; `measure` decodes them."""

    def __init__(self, path: Path, tokenizer: Tokenizer) -> None:
        shard = load_shard(path)
        self.tokenizer = tokenizer
        lengths = shard.offsets[1:] - shard.offsets[:-1]
        order = sorted(range(min(_CLIPS, len(shard.words))), key=lambda i: int(lengths[i]))
        self.batches = [
            make_batch([(shard, i) for i in order[at : at + _BATCH]], tokenizer) for at in range(0, len(order), _BATCH)
        ]

    @torch.no_grad()
    def measure(self, network: MicroWhisper) -> str:
        """Word error rates of both heads, and examples with their texts."""
        truth, by_ctc, by_decoder = [], [], []
        end = self.tokenizer.token_to_id("<|endoftext|>")
        for batch in self.batches:
            states, bias = network.encode(batch.features, drawn=16)
            best = network.ctc(states).argmax(-1)
            for row, frames in zip(best, batch.frames, strict=True):
                ids = torch.unique_consecutive(row[: (int(frames) + 1) // 2])
                by_ctc.append(self.tokenizer.decode(ids[ids < MODEL.vocabulary].tolist()).strip())
            tokens = batch.inputs[:, :2]
            for _ in range(_LONGEST):
                following = network.decode(tokens, states, bias)[:, -1].argmax(-1, keepdim=True)
                tokens = torch.cat([tokens, following.where(tokens[:, -1:] != end, torch.tensor(end))], dim=1)
                if bool((tokens[:, -1] == end).all()):
                    break
            by_decoder += [
                self.tokenizer.decode([t for t in row if t < MODEL.vocabulary]).strip()
                for row in tokens[:, 2:].tolist()
            ]
            truth += batch.words
        examples = "; ".join(f"{truth[i]!r} -> {by_decoder[i]!r}" for i in (10, 60, 110, 160) if i < len(truth))
        return f"WER decoder {jiwer.wer(truth, by_decoder):.3f} CTC {jiwer.wer(truth, by_ctc):.3f}; {examples}"
