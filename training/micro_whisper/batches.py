"""Batches of utterances of about equal length from the shards that exist so far."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from .held_out import HeldOut
from .settings import AUDIO, MODEL
from .synth import Shard, load_shard

__all__ = ["Batch", "Shards", "make_batch"]

_POOL = 3000
_IGNORED = -100


@dataclass(frozen=True, slots=True)
class Batch:
    """`features` [batch, 80, frames] zero-padded; `inputs` and `labels` [batch, tokens] (-100: no label); `words`."""

    features: Tensor
    frames: Tensor
    inputs: Tensor
    labels: Tensor
    texts: Tensor
    text_lengths: Tensor
    words: list[str]


class Shards:
    """The training shards of a folder (all but the validation shard 0000); new ones are loaded as they appear."""

    def __init__(self, folder: Path, tokenizer: Tokenizer, seed: int) -> None:
        self.folder, self.tokenizer = folder, tokenizer
        self.rng = random.Random(seed)
        self.loaded: dict[Path, Shard] = {}
        self.waiting: list[tuple[Path, int]] = []
        self.held_out = HeldOut.load()
        self.drawn = 0
        self.longest: int | None = None

    def refresh(self) -> None:
        """Load new shards, and put their utterances at the head of the queue, in random order."""
        fresh = []
        for path in sorted(self.folder.glob("[0-9][0-9][0-9][0-9].npz")):
            if path not in self.loaded and path.stem != "0000":
                self.loaded[path] = shard = load_shard(path)
                # Lines may have been added to the held-out ones since the shard was synthesised: check again.
                fresh += [(path, i) for i, words in enumerate(shard.words) if not self.held_out.touches(words)]
        self.rng.shuffle(fresh)
        self.waiting += fresh

    def limit(self, longest: int | None) -> None:
        """Serve clips of at most `longest` frames from now on; a new limit starts again with all utterances."""
        if longest != self.longest:
            self.longest, self.waiting = longest, []

    def batches(self, frames: int) -> Iterator[Batch]:
        """Endless batches of at most `frames` padded frames each; see `limit`."""
        while True:
            self.refresh()
            if len(self.waiting) < _POOL:
                # Every utterance once more, after those that were not seen yet.
                again = [
                    (p, i)
                    for p, s in self.loaded.items()
                    for i, w in enumerate(s.words)
                    if not self.held_out.touches(w)
                ]
                self.rng.shuffle(again)
                self.waiting += again
            first, self.waiting = self.waiting[:_POOL], self.waiting[_POOL:]
            pool = [key for key in first if not self.longest or self._length(key) <= self.longest]
            self.waiting += [key for key in first if self.longest and self._length(key) > self.longest]
            pool.sort(key=lambda key: self._length(key) * self.rng.uniform(0.95, 1.05))
            groups: list[list[tuple[Path, int]]] = [[]]
            for key in pool:
                if (len(groups[-1]) + 1) * max(self._length(k) for k in (*groups[-1], key)) > frames:
                    groups.append([])
                groups[-1].append(key)
            self.rng.shuffle(groups)
            for group in groups:
                self.drawn += len(group)
                yield make_batch([(self.loaded[p], i) for p, i in group], self.tokenizer, self.rng)

    def _length(self, key: tuple[Path, int]) -> int:
        offsets = self.loaded[key[0]].offsets
        return int(offsets[key[1] + 1] - offsets[key[1]])


def make_batch(picked: list[tuple[Shard, int]], tokenizer: Tokenizer, rng: random.Random | None = None) -> Batch:
    """One batch; with `rng` each clip gets a random gain (a shift of its log-mel features)."""
    clips = [shard.features[:, shard.offsets[i] : shard.offsets[i + 1]] for shard, i in picked]
    words = [shard.words[i] for shard, i in picked]
    features = np.zeros((len(clips), AUDIO.feature_size, max(clip.shape[1] for clip in clips)), np.float32)
    for row, clip in enumerate(clips):
        features[row, :, : clip.shape[1]] = clip + (rng.uniform(-0.25, 0.15) if rng else 0.0)
    ids = [encoding.ids for encoding in tokenizer.encode_batch(words)]
    longest = max(map(len, ids))
    start, silent, end = (
        tokenizer.token_to_id(token) for token in ("<|startoftranscript|>", "<|notimestamps|>", "<|endoftext|>")
    )
    inputs = torch.full((len(ids), longest + 2), end)
    labels = torch.full((len(ids), longest + 2), _IGNORED)
    texts = torch.full((len(ids), longest), 0)
    for row, tokens in enumerate(ids):
        inputs[row, : len(tokens) + 2] = torch.tensor([start, silent, *tokens])
        labels[row, 1 : len(tokens) + 2] = torch.tensor([*tokens, end])
        texts[row, : len(tokens)] = torch.tensor(tokens)
    assert int(texts.max()) < MODEL.vocabulary
    return Batch(
        features=torch.from_numpy(features),
        frames=torch.tensor([clip.shape[1] for clip in clips]),
        inputs=inputs,
        labels=labels,
        texts=texts,
        text_lengths=torch.tensor([len(tokens) for tokens in ids]),
        words=words,
    )
