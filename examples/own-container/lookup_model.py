"""An example of your own model: it returns the stored answer of the most similar known question."""

from collections.abc import Mapping, Sequence

import numpy as np
from rapidfuzz import fuzz, process

from omnigap.vocabulary import Architecture, Condition, Modality
from omnigap_services.adapter import NATIVE, Adapter, Card, Turn
from omnigap_services.options import Options, read_options

RATE = 16_000
KNOWN = {
    "What is the capital of France?": "Paris",
    "How many legs does a spider have?": "eight",
    "What gas do plants take in?": "carbon dioxide",
}


class LookupOptions(Options):
    """What `--options` and `--config` set; another key is refused when the service starts."""

    min_similarity: float = 80.0
    answers: dict[str, str] = KNOWN


class LookupAdapter(Adapter):
    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self.options = read_options(LookupOptions, "lookup", options)

    def load(self) -> Card:
        # A real model loads its weights here, and names their revision in the card.
        return Card(
            name="lookup",
            conditions={Condition.parse(name): NATIVE for name in ("t2t", "t2s")},
            architecture=Architecture.CASCADE,
            # Options that change answers belong here: another digest means that the cells are asked again.
            settings=self.options.shown_without(()),
            libraries=("rapidfuzz",),
            max_batch_size=8,
            output_sample_rate_hz=RATE,
        )

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            known, least = self.options.answers, self.options.min_similarity
            best = process.extractOne(turn.request.texts[0], list(known), scorer=fuzz.ratio, score_cutoff=least)
            text = known[best[0]] if best else "I do not know."
            turn.write(text)
            if turn.request.output is Modality.SPEECH:
                turn.speak(beeps(text), RATE)


def beeps(text: str) -> np.ndarray:
    """One short tone per character, mono float32: where a real model speaks."""
    time_s = np.arange(RATE // 20) / RATE
    tones = [0.2 * np.sin(2 * np.pi * (300 + 5 * ord(each)) * time_s) for each in text]
    return np.concatenate(tones).astype(np.float32)
