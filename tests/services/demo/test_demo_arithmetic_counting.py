"""Marks, beeps and dots are counted."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from omnigap.media import AudioClip
from omnigap_services.demo.arithmetic import asks_to_count, count_beeps, count_dots, count_marks

INSTRUCTION = "Count the marks, dots or beeps and answer with the number."


def test_the_instruction_asks_to_count() -> None:
    assert asks_to_count(INSTRUCTION)
    assert not asks_to_count("Answer with one word.")
    assert not asks_to_count("")


@pytest.mark.parametrize(("text", "count"), [("* * *", 3), ("dot dot", 2), ("", 0), ("mark\nmark  mark", 3)])
def test_marks_are_separated_by_spaces(text: str, count: int) -> None:
    assert count_marks(text) == count


@pytest.mark.parametrize("count", range(7))
def test_beeps_are_counted_in_noise(count: int) -> None:
    rng = np.random.default_rng(count)
    beep = 0.4 * np.sin(2 * np.pi * 660 * np.arange(2_400) / 16_000)
    pieces = [np.zeros(3_000)]
    for _ in range(count):
        pieces += [beep, np.zeros(int(rng.integers(1_800, 4_000)))]
    samples = np.concatenate(pieces)
    if count:
        samples = samples + rng.normal(0, 0.005, len(samples))
    assert count_beeps(AudioClip(samples.astype(np.float32), 16_000)) == count


@pytest.mark.parametrize("count", range(7))
@pytest.mark.parametrize("colours", [("white", "black"), ("black", "yellow"), ("#e1ebfa", "#be1e2d")])
def test_dots_are_counted_on_any_plain_background(count: int, colours: tuple[str, str]) -> None:
    background, dot = colours
    image = Image.new("RGB", (320, 240), background)
    for number in range(count):
        x, y = 30 + 80 * (number % 4), 40 + 90 * (number // 4)
        ImageDraw.Draw(image).ellipse((x, y, x + 12 + number, y + 12 + number), fill=dot)
    assert count_dots(image) == count
