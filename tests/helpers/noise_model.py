"""A model whose tiny checkpoint is a seed: it answers with random letters and noise, as random weights do."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from omnigap.vocabulary import CONDITIONS, Architecture, FinishReason, Modality
from omnigap_services.adapter import NATIVE, Adapter, Capability, Card, Completion, Support, Turn
from omnigap_services.options import OptionsError

RATE = 16_000
KINDS = ("letters", "empty", "repeated", "signs", "digits")
LETTERS = "abcdefghijklmnop   .?\u00e9\u4e2d\uac00\U0001f5e3"


class Noise(Adapter):
    """Options: `checkpoint`, `seed`, `name`, `architecture`, `conditions`, `kind` (one of `KINDS`), `limit`."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._folder = Path(str(options.get("checkpoint", "")))
        self._text = str(options.get("kind", "letters"))
        if not (self._folder / "seed").is_file():
            raise OptionsError("checkpoint: no file seed")

    @classmethod
    def build_tiny(cls, options: Mapping[str, object], folder: Path) -> dict[str, object]:
        (folder / "seed").write_text(str(options.get("seed", 0)))
        return {**options, "checkpoint": str(folder)}

    def load(self) -> Card:
        self._seed = int((self._folder / "seed").read_text())
        named = str(self.options.get("conditions", " ".join(c.name for c in CONDITIONS))).split()
        missing = Capability(Support.UNSUPPORTED, "the noise model has no such head")
        return Card(
            name=str(self.options.get("name", self._folder.name)),
            conditions={c: NATIVE if c.name in named else missing for c in CONDITIONS},
            architecture=Architecture(str(self.options.get("architecture", "native_omni"))),
            weights_revision=f"seed {self._seed}",
            settings={"kind": self._text},
            max_batch_size=8,
            output_sample_rate_hz=RATE,
        )

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            words = "|".join(turn.request.texts) or str(turn.request.condition)
            rng = np.random.default_rng([self._seed, zlib.crc32(words.encode())])
            turn.write(_garbage(self._text, rng))
            if turn.request.output is Modality.SPEECH:
                turn.speak(rng.uniform(-0.5, 0.5, RATE // 2).astype(np.float32), RATE)
            turn.complete(Completion(finish_reason=FinishReason.LENGTH))


def _garbage(kind: str, rng: np.random.Generator) -> str:
    if kind == "empty":
        return ""
    if kind == "repeated":
        return "the the " * 200
    if kind == "signs":
        return "".join(rng.choice(list("\u0000\u200b\n\t$\\`|<>&*#[]"), 60))
    if kind == "digits":
        return "".join(map(str, rng.integers(0, 9, 400)))
    return "".join(rng.choice(list(LETTERS), 40))
