"""Measures CPU seconds of scoring, flags and word errors on one core.

Run it with `python benchmarks/scoring_speed.py [COUNT]`; COUNT is the number of answers, 60,000 by default.
"""

from __future__ import annotations

import random
import sys
import time

from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.items.load import read_builtin
from omnigap_orchestrator.scoring import AsrStats, AudioStats, answer_flags, score, word_errors

FRAMES = (
    "{}",
    "{}.",
    "The answer is {}.",
    "It is {} I believe, number %d.",
    "I think that it's {}, and there were {} of them in %d.",
    "Well, %d {}",
)


def main(count: int) -> None:
    """Scores `count` short answers, about half of them distinct texts, and prints CPU seconds."""
    rng = random.Random(0)
    pool = [*read_builtin(), *read_builtin("ko")]
    jobs: list[tuple[Item, str]] = []
    for number in range(count):
        text = rng.choice(FRAMES).replace("{}", rng.choice(pool).answers[0])
        jobs.append((pool[number % len(pool)], text.replace("%d", str(number))))
    audio, asr = AudioStats(2.0, 0.1, 0.5), AsrStats(-0.3, 0.1, 1.2)
    print(f"{count:,} answers, {len({text for _, text in jobs}):,} distinct texts")
    started = time.process_time()
    for item, text in jobs:
        score(item, text)
    print(f"score         {time.process_time() - started:6.1f} s CPU")
    started = time.process_time()
    for _, text in jobs:
        answer_flags(text, audio=audio, transcript=text, asr=asr)
    print(f"answer_flags  {time.process_time() - started:6.1f} s CPU")
    started = time.process_time()
    for _, text in jobs:
        word_errors(text, text)
    print(f"word_errors   {time.process_time() - started:6.1f} s CPU")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60_000)
