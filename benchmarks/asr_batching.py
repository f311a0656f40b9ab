"""ASR throughput: clips scored per second, batched against one at a time, on the same clips with the same texts.

    python benchmarks/asr_batching.py [--clips 48] [--batch 8] [--checkpoint PATH] [--compute-type int8] [--threads 0]

The clips are synthesised by espeak-ng in a separate process. Prints the machine and the ratio; fails if a batched
transcript differs from that of the single clip.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import numpy as np

from omnigap.media.audio import Samples
from omnigap_services.asr.engine import AsrEngine
from omnigap_services.asr.options import AsrOptions

ESPEAK = """
import json, sys
from omnigap_services.espeak.library import synthesise
for text in json.load(sys.stdin):
    samples = synthesise(text, sys.argv[1])
    sys.stdout.buffer.write(len(samples).to_bytes(4, "little") + samples.tobytes())
"""

_FORMS = ("The answer is {}.", "{}", "It is {}, I think.", "I would say {}.")
_ANSWERS = (
    "Paris", "forty two", "the river Nile", "Wednesday", "Albert Einstein", "a butterfly", "nineteen sixty nine",
    "option B", "carbon dioxide", "the Pacific Ocean", "seven", "the blue whale",
)  # fmt: skip


def answers(count: int) -> list[str]:
    """`count` different short answers, as a model speaks them."""
    texts = [form.format(answer) for form in _FORMS for answer in _ANSWERS]
    return [texts[number % len(texts)] for number in range(count)]


def spoken(script: str, voice: str, texts: Sequence[str]) -> list[Samples]:
    """The texts as 16 kHz clips of shape (n,), made in a process of their own (libespeak-ng keeps global state).

    Args:
        script: Python that reads a JSON list of texts and writes the number and the bytes of the samples of each.
    """
    command = [sys.executable, "-c", script, voice]
    done = subprocess.run(command, input=json.dumps(texts).encode(), stdout=subprocess.PIPE, check=True)
    clips, at = [], 0
    while at < len(done.stdout):
        size = int.from_bytes(done.stdout[at : at + 4], "little")
        clips.append(np.frombuffer(done.stdout, dtype=np.float32, count=size, offset=at + 4))
        at += 4 + 4 * size
    return clips


def processor() -> str:
    """The name of the CPU, as the kernel reports it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def timed(work: Callable[[], list[str]]) -> tuple[list[str], float]:
    """The result of the work, and its duration in seconds."""
    started = time.perf_counter()
    texts = work()
    return texts, time.perf_counter() - started


@click.command()
@click.option("--clips", "count", type=click.IntRange(1), default=48, show_default=True)
@click.option("--batch", type=click.IntRange(1), default=8, show_default=True)
@click.option("--checkpoint", default="", help="Folder or name of a Whisper checkpoint; default: the shipped one.")
@click.option("--compute-type", default="auto", show_default=True)
@click.option("--threads", type=click.IntRange(0), default=0, help="0: the cores of this process, four at most.")
def main(count: int, batch: int, checkpoint: str, compute_type: str, threads: int) -> None:
    """Time the ASR batched and one clip at a time."""
    options = AsrOptions.model_validate(
        {"checkpoint": checkpoint, "compute_type": compute_type, "cpu_threads": threads, "max_batch_size": batch}
    )
    engine = AsrEngine(options)
    clips = spoken(ESPEAK, "en-us", answers(count))
    engine.transcribe(clips[:batch])
    single, single_s = timed(lambda: [engine.transcribe([clip])[0].text for clip in clips])
    batched, batched_s = timed(lambda: [transcript.text for transcript in engine.transcribe(clips)])
    seconds = sum(len(clip) for clip in clips) / 16_000
    click.echo(
        f"machine: {processor()}, {os.cpu_count()} cores; {platform.system()}, Python {platform.python_version()}"
    )
    click.echo(f"engine: {engine.checkpoint.name}, {engine.device}, {engine.compute_type}, beam {options.beam_size}")
    click.echo(
        f"clips: {count}, {seconds:.1f} s of audio; batch {batch}; padded to {engine.settings['padding_frames']} frames"
    )
    click.echo(f"one at a time: {count / single_s:.2f} clips/s")
    click.echo(f"batched:       {count / batched_s:.2f} clips/s, {single_s / batched_s:.2f} x")
    differing = [pair for pair in zip(single, batched, strict=True) if pair[0] != pair[1]]
    for one, other in differing:
        click.echo(f"differs: single {one!r}, batched {other!r}", err=True)
    if differing:
        raise click.ClickException(f"{len(differing)} of {count} texts differ between batched and single clips")
    click.echo(f"texts: {count} of {count} the same")


if __name__ == "__main__":
    main()
