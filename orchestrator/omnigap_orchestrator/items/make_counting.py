"""Generates the `counting` family: its rows, its beeps (WAV) and its dots (PNG).

    python -m omnigap_orchestrator.items.make_counting [--out FOLDER]

writes `counting.jsonl` and `media/` to FOLDER (default: the folder of the built-in items). Each item has one number
from 1 to 9 in three forms: words or signs as text, beeps as speech, and dots as an image. The output is deterministic
and does not depend on fonts or on Pillow's drawing, so that a test can compare the committed files with a new run."""

from __future__ import annotations

import argparse
import json
import random
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

COUNTS = (3, 5, 2, 7, 4, 1, 8, 6, 9, 4, 2, 6, 3, 9, 5, 1, 7, 8, 5, 3, 8, 2, 6, 4, 9, 7, 1)
"""The answer of each item, in file order; every number occurs three times."""

SAMPLE_RATE = 16_000
SIZE = (320, 240)
SIGNS = ("mark", "*", "dot", "beep", "o")
PITCHES_HZ = (440, 523, 587, 659, 784, 880, 988)
BACKGROUNDS = ((255, 255, 255), (250, 240, 215), (225, 235, 250), (35, 40, 55), (230, 245, 230))
DOTS_ON_LIGHT = ((0, 0, 0), (190, 30, 45), (20, 70, 170), (20, 110, 60), (110, 40, 130))
DOTS_ON_DARK = ((255, 255, 255), (255, 205, 60), (120, 210, 255), (150, 230, 150), (255, 150, 150))
INSTRUCTION = "Count the marks, dots or beeps and answer with the number."

Pixels = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.int16]


def beeps(number: int, count: int) -> Samples:
    """`count` beeps as int16 samples at 16 kHz, shape (samples,), at most 3.2 s.

    Pitch, length and pauses differ between items and are seeded by `number`. A pause lasts at least 0.11 s, so that the
    beeps can be distinguished by a listener.
    """
    rng = random.Random(f"omnigap counting beeps {number}")
    pitch = rng.choice(PITCHES_HZ)
    length = int(SAMPLE_RATE * rng.uniform(0.10, 0.18))
    # Ramps of 8 ms avoid clicks at the start and end of a beep, which could be counted as sounds.
    ramp = np.minimum(1.0, np.arange(length) / (0.008 * SAMPLE_RATE))
    tone = 0.5 * np.sin(2 * np.pi * pitch * np.arange(length) / SAMPLE_RATE) * ramp * ramp[::-1]
    silence = [np.zeros(int(SAMPLE_RATE * rng.uniform(0.11, 0.16))) for _ in range(count + 1)]
    pieces = [silence[0]]
    for pause in silence[1:]:
        pieces += [tone, pause]
    return np.round(np.concatenate(pieces) * 32767).astype(np.int16)


def dots(number: int, count: int) -> Pixels:
    """`count` filled circles on a plain background as RGB pixels, shape (240, 320, 3).

    Sizes, colours and positions differ. Circles are at least 10 pixels apart from each other and from the border.
    """
    rng = random.Random(f"omnigap counting dots {number}")
    background = rng.choice(BACKGROUNDS)
    colours = DOTS_ON_DARK if sum(background) < 384 else DOTS_ON_LIGHT
    one_colour = rng.random() < 0.6
    colour = rng.choice(colours)
    image = np.full((SIZE[1], SIZE[0], 3), background, dtype=np.uint8)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    placed: list[tuple[int, int, int]] = []
    while len(placed) < count:
        radius = rng.randrange(9, 21)
        across, down = (
            rng.randrange(radius + 10, SIZE[0] - radius - 10),
            rng.randrange(radius + 10, SIZE[1] - radius - 10),
        )
        if any((across - a) ** 2 + (down - d) ** 2 < (radius + r + 10) ** 2 for a, d, r in placed):
            continue
        placed.append((across, down, radius))
        image[(x - across) ** 2 + (y - down) ** 2 <= radius**2] = colour if one_colour else rng.choice(colours)
    return image


def row(number: int, count: int) -> dict[str, object]:
    """The JSON row of one item; carrier paths are relative to the JSONL file."""
    name = f"counting-{number:03d}"
    return {
        "id": name,
        "task": "counting",
        "language": "en",
        "question": "How many are there?",
        "instruction": INSTRUCTION,
        "answers": [str(count)],
        "answer_type": "number",
        "carriers": {
            "text": " ".join([SIGNS[number % len(SIGNS)]] * count),
            "speech": f"media/{name}.wav",
            "image": f"media/{name}.png",
        },
        "source": "omnigap: made by make_counting.py",
    }


def make(out: Path) -> None:
    """Writes the rows and media of the family to the folder `out`."""
    media = out / "media"
    media.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, count in enumerate(COUNTS, start=1):
        lines.append(json.dumps(row(number, count)) + "\n")
        with wave.open(str(media / f"counting-{number:03d}.wav"), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(SAMPLE_RATE)
            sound.writeframes(beeps(number, count).astype("<i2").tobytes())
        Image.fromarray(dots(number, count)).save(media / f"counting-{number:03d}.png", optimize=True)
    (out / "counting.jsonl").write_text("".join(lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Generates the counting items and their media.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "builtin")
    make(parser.parse_args().out)
