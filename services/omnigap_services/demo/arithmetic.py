"""Questions with a number as the answer: sums in words or digits, and counting marks, beeps or dots."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
from PIL import Image
from scipy import ndimage

from omnigap.media import AudioClip
from omnigap_services.demo.words import NUMBERS, SCALES, number_word

_OPERATORS = {
    "plus": "+",
    "+": "+",
    "add": "+",
    "added": "+",
    "minus": "-",
    "-": "-",
    "less": "-",
    "times": "*",
    "time": "*",
    "x": "*",
    "*": "*",
    "multiplied": "*",
    "divided": "/",
    "over": "/",
    "/": "/",
    ":": "/",
}
# Words that may occur in a sum without changing it.
_FILLING = {"what", "is", "are", "by", "to", "the", "sum", "of", "how", "much", "and", "makes", "equals", "number"}
_FACTORS = {"half": Fraction(1, 2), "twice": Fraction(2), "double": Fraction(2), "thrice": Fraction(3)}
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[a-z]+|[-+*/:]")


def solve(question: str) -> str | None:
    """The result of the sum that a question asks for, as digits; None if it is not a sum.

    The whole question must be the sum: a number among other words ("World War Two") does not make one.
    """
    tokens = _TOKEN.findall(question.lower().replace("×", "*").replace("÷", "/").replace("−", "-").replace("-", " - "))
    tokens = _without_hyphens(tokens)
    symbols: list[Fraction | str] = []
    run: list[str] = []
    for token in [*tokens, ""]:
        word = number_word(token) if token.isalpha() else None
        if token and (token[0].isdigit() or (word and token not in _OPERATORS and token not in _FACTORS)):
            run.append(word or token)
            continue
        # "One hundred and five" is one number; any other "and" ends the number before it.
        if token == "and" and run and run[-1] in SCALES:
            continue
        if run:
            value = _number(run)
            if value is None:
                return None
            symbols.append(value)
            run = []
        if token in _FACTORS:
            symbols += [_FACTORS[token], "*"]
        elif token in _OPERATORS:
            symbols.append(_OPERATORS[token])
        elif token and token not in _FILLING:
            return None
    result = _evaluate(symbols)
    return None if result is None else _shown(result)


def _without_hyphens(tokens: list[str]) -> list[str]:
    """The tokens without hyphens between two number words: "thirty-seven" is a number, not a subtraction."""
    kept = []
    for index, token in enumerate(tokens):
        between = 0 < index < len(tokens) - 1
        if token == "-" and between and tokens[index - 1] in NUMBERS and tokens[index + 1] in NUMBERS:
            continue
        kept.append(token)
    return kept


def _number(run: list[str]) -> Fraction | None:
    """The value of adjacent number words and digits ("one hundred thirty seven"); None if they are not one number."""
    total = current = Fraction(0)
    for word in run:
        if word in SCALES:
            scaled = (current or Fraction(1)) * SCALES[word]
            if SCALES[word] == 100:
                current = scaled
            else:
                total, current = total + scaled, Fraction(0)
            continue
        value = Fraction(word) if word[0].isdigit() else Fraction(NUMBERS[word])
        # A unit may follow tens or hundreds ("thirty seven"); other adjacent numbers are two numbers.
        if current and not (value < 100 and current % 100 == 0) and not (value < 10 and current % 10 == 0):
            return None
        current += value
    return total + current


def _evaluate(symbols: list[Fraction | str]) -> Fraction | None:
    """The value of an alternation of numbers and operators, multiplication before addition; None for anything else."""
    if len(symbols) < 3 or len(symbols) % 2 == 0:
        return None
    terms: list[Fraction] = []
    sign = "+"
    for index, symbol in enumerate(symbols):
        if isinstance(symbol, str) != bool(index % 2):
            return None
        if isinstance(symbol, str):
            sign = symbol
        elif sign in "+-":
            terms.append(symbol if sign == "+" else -symbol)
        elif sign == "*":
            terms[-1] *= symbol
        elif symbol == 0:
            return None
        else:
            terms[-1] /= symbol
    return sum(terms, Fraction(0))


def _shown(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{float(value):g}"


_ASKED = re.compile(r"\bcount\b.*\b(marks?|signs?|words?|dots?|spots?|circles?|beeps?|tones?)\b", re.I | re.S)

_FRAME_S = 0.01
_MIN_BEEP_S, _MIN_PAUSE_S = 0.03, 0.05
# A frame belongs to a beep if its RMS exceeds this share of the loudest frame's.
_LOUD = 0.25
# RMS below which a clip counts as silent, in float samples.
_SILENCE = 1e-4
# Difference in one of the channels, 0 to 255, from which a pixel is not background.
_COLOUR_DISTANCE = 40
# A dot covers at least this share of the image; smaller spots are not counted.
_MIN_DOT_SHARE = 2e-4


def asks_to_count(instruction: str) -> bool:
    """True if a typed instruction asks to count marks, dots or beeps."""
    return bool(_ASKED.search(instruction))


def count_marks(text: str) -> int:
    """Words or signs that spaces separate."""
    return len(text.split())


def count_beeps(clip: AudioClip) -> int:
    """Sounds between pauses, counted on the RMS envelope in frames of 10 ms."""
    frame = max(1, round(_FRAME_S * clip.sample_rate))
    frames = clip.samples[: len(clip.samples) // frame * frame].reshape(-1, frame)
    if not len(frames):
        return 0
    envelope = np.sqrt(np.square(frames.astype(np.float64)).mean(axis=1))
    peak = float(envelope.max())
    if peak < _SILENCE:
        return 0
    loud = envelope > _LOUD * peak
    # Closing bridges dips shorter than a pause; the padding keeps it from changing the ends. Clicks are too short to
    # count and are dropped by their length below.
    loud = ndimage.binary_closing(np.pad(loud, 8), np.ones(round(_MIN_PAUSE_S / _FRAME_S)))[8:-8]
    labels, found = ndimage.label(loud)
    lengths = np.bincount(labels, minlength=found + 1)[1:]
    return int((lengths * _FRAME_S >= _MIN_BEEP_S).sum())


def count_dots(image: Image.Image) -> int:
    """Connected spots whose colour differs from the background, the most frequent colour on the border."""
    pixels = np.asarray(image.convert("RGB"), dtype=np.int16)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    colours, counts = np.unique(border, axis=0, return_counts=True)
    background = colours[int(np.argmax(counts))]
    differs = np.abs(pixels - background).max(axis=2) > _COLOUR_DISTANCE
    labels, found = ndimage.label(differs, structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=found + 1)[1:]
    return int((sizes >= max(4, _MIN_DOT_SHARE * differs.size)).sum())
