"""Word error of a checkpoint through the real faster-whisper, over both evaluation files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import click
import jiwer
from faster_whisper import WhisperModel

from omnigap_services.espeak.library import DEFAULT_RATE_WPM, synthesise

from .settings import VOICES
from .verbalise import verbalise

__all__ = ["read_lines", "transcribe", "word_error"]

_HERE = Path(__file__).parent


def read_lines(name: str) -> list[str]:
    """The lines of eval_short.txt or eval_open.txt."""
    return (_HERE / name).read_text().splitlines()


def transcribe(model: WhisperModel, text: str, voice: str, rate_wpm: int = DEFAULT_RATE_WPM) -> str:
    """Synthesise `text` and transcribe it with the deterministic settings of the scorer."""
    segments, _ = model.transcribe(
        synthesise(text, voice, rate_wpm),
        language="en",
        beam_size=5,
        temperature=0.0,
        condition_on_previous_text=False,
        without_timestamps=True,
    )
    return " ".join(segment.text.strip() for segment in segments)


def word_error(truth: Sequence[str], heard: Sequence[str]) -> float:
    """Pooled word error: numbers spelled as spoken, apostrophes and 'and' after 'hundred' dropped on both sides."""
    return float(jiwer.wer([_normal(text) for text in truth], [_normal(text) for text in heard]))


def _normal(text: str) -> str:
    return verbalise(text).replace("'", "").replace("hundred and ", "hundred ")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--limit", default=1000, show_default=True, help="Lines of each file.")
@click.option("--rate", default=DEFAULT_RATE_WPM, show_default=True, help="Words a minute.")
@click.option("--errors/--no-errors", default=False, help="Print every line with a wrong transcript.")
@click.option("--threads", default=2, show_default=True)
def main(folder: Path, limit: int, rate: int, errors: bool, threads: int) -> None:
    """Print word error rates per file and voice, and pooled."""
    model = WhisperModel(str(folder), device="cpu", compute_type="auto", cpu_threads=threads)
    for name in ("eval_short.txt", "eval_open.txt"):
        lines = read_lines(name)[:limit]
        everything: list[str] = []
        for voice in VOICES:
            begun = time.perf_counter()
            heard = [transcribe(model, line, voice, rate) for line in lines]
            spent = time.perf_counter() - begun
            everything += heard
            click.echo(
                f"{name} {voice}: WER {word_error(lines, heard):.3f} of {len(lines)} lines, {len(lines) / spent:.1f}/s"
            )
            if errors:
                for line, text in zip(lines, heard, strict=True):
                    if _normal(line) != _normal(text):
                        click.echo(f"  {_normal(line)!r} -> {_normal(text)!r}")
        click.echo(f"{name} pooled: WER {word_error(lines * len(VOICES), everything):.3f}")


if __name__ == "__main__":
    main()
