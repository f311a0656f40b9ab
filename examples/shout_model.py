"""A complete model for omnigap: it repeats the question in capitals, as text or in Morse code."""

from collections.abc import Iterator, Sequence

import numpy as np

from omnigap.vocabulary import Architecture, Condition, Modality
from omnigap_services.adapter import NATIVE, Adapter, Card, Turn

RATE = 16_000
DOT_S = 0.06
CODES = """.- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --..
           ----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----. -.-.--"""
MORSE = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!", CODES.split(), strict=True))


class ShoutAdapter(Adapter):
    def load(self) -> Card:
        conditions = {Condition.parse(name): NATIVE for name in ("t2t", "t2s")}
        return Card("shout", conditions, Architecture.CASCADE, max_batch_size=4, output_sample_rate_hz=RATE)

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            text = " ".join(turn.request.texts).upper() + "!"
            turn.write(text)
            if turn.request.output is Modality.SPEECH:
                for seconds, loudness in beeps(text):
                    tone = loudness * np.sin(2 * np.pi * 600 * np.arange(int(RATE * seconds)) / RATE)
                    turn.speak(tone.astype(np.float32), RATE)


def beeps(text: str) -> Iterator[tuple[float, float]]:
    """Seconds and amplitude: dots and dashes, a pause of one dot after each, and two more after a letter."""
    for letter in text:
        for sign in MORSE.get(letter, ""):
            yield from ((DOT_S if sign == "." else 3 * DOT_S, 0.3), (DOT_S, 0.0))
        yield 2 * DOT_S, 0.0
