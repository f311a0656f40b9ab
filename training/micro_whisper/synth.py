"""Synthesise the training text into shards of log-mel features."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
from faster_whisper.feature_extractor import FeatureExtractor

from omnigap_services.espeak.library import synthesise

from .settings import AUDIO, RATES_WPM, SHARD_UTTERANCES, VOICES
from .text import Utterance, utterances

__all__ = ["Shard", "features_of", "fill", "load_shard", "make_shard", "speak"]

_EXTRACTOR = FeatureExtractor(**AUDIO.arguments())


@dataclass(frozen=True, slots=True)
class Shard:
    """`features` [80, frames] float16, utterance i in columns offsets[i] to offsets[i + 1]; `words` its targets."""

    features: npt.NDArray[np.float16]
    offsets: npt.NDArray[np.int64]
    words: list[str]


def features_of(audio: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Log-mel features [80, frames] as faster-whisper makes them: its extra padding frame dropped."""
    return np.asarray(_EXTRACTOR(audio)[..., :-1], np.float32)


def speak(utterance: Utterance, rng: random.Random) -> npt.NDArray[np.float32]:
    """Speech in a random shipped voice, rate and pitch, with short silences around it, and rarely some noise."""
    audio = synthesise(utterance.spoken, rng.choice(VOICES), rng.choice(RATES_WPM), rng.choice((45, 50, 50, 50, 55)))
    before = rng.uniform(0, 0.3 if rng.random() < 0.2 else 0.04)
    after = rng.uniform(0, 0.3) if rng.random() < 0.5 else 0.0
    audio = np.pad(audio, (int(before * AUDIO.sampling_rate), int(after * AUDIO.sampling_rate)))
    if rng.random() < 0.15:
        noise = np.random.default_rng(rng.getrandbits(32)).standard_normal(audio.size, np.float32)
        audio = audio + 10 ** rng.uniform(-4.5, -2.7) * noise
    return audio.astype(np.float32)


def make_shard(seed: int) -> Shard:
    """The shard of this seed. The seed fixes text, voice and rate; only the wave phase of espeak-ng varies."""
    rng = random.Random(seed)
    mels, words = [], []
    for utterance in itertools.islice(utterances(seed), SHARD_UTTERANCES):
        audio = speak(utterance, rng)
        if audio.size > AUDIO.n_fft:
            mels.append(features_of(audio).astype(np.float16))
            words.append(utterance.words)
    offsets = np.cumsum([0, *(mel.shape[1] for mel in mels)])
    return Shard(np.concatenate(mels, axis=1), offsets, words)


def load_shard(path: Path) -> Shard:
    """A shard that `main` wrote."""
    with np.load(path) as data:
        return Shard(data["features"], data["offsets"], str(data["words"]).split("\n"))


def fill(folder: Path, shards: int) -> None:
    """Write FOLDER/NNNN.npz for every seed below `shards`; existing ones are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(shards):
        path = folder / f"{seed:04d}.npz"
        if path.exists():
            continue
        shard = make_shard(seed)
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, features=shard.features, offsets=shard.offsets, words="\n".join(shard.words))
        partial.rename(path)
        click.echo(f"{path.name}: {len(shard.words)} utterances, {shard.features.shape[1] * 0.02 / 60:.0f} minutes")


@click.command()
@click.argument("work", type=click.Path(path_type=Path))
@click.option("--shards", default=60, show_default=True, help="Shards of the training set; shard 0 is for validation.")
def main(work: Path, shards: int) -> None:
    """Fill WORK/shards; may run during a training, which loads new shards as they appear."""
    fill(work / "shards", shards)


if __name__ == "__main__":
    main()
