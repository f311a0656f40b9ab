"""Word errors of Whisper checkpoints on synthetic voices, by type of answer, as a Markdown table.

    python benchmarks/asr_word_errors.py [CHECKPOINT ...] [--voice en-gb-x-rp] [--piper VOICE.onnx] [--padding-s 10]

A CHECKPOINT is what the service `asr` takes: a folder, or a name of the hub. Without one, the shipped micro Whisper is
measured. Each voice speaks the gold answers of the built-in items once, bare and as "The answer is X.", and every
checkpoint transcribes the same clips as the service does. Errors are summed before they are divided; the interval is
that of the ratio over texts. Piper voices need the extra `piper`, and speak as the service `piper` does by default.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
import numpy as np
from asr_batching import ESPEAK, processor, spoken

from omnigap.media.audio import Samples
from omnigap_orchestrator.analysis.intervals import ClusterTotals, cluster_t
from omnigap_orchestrator.items import load_items
from omnigap_orchestrator.scoring import WordErrors, pooled, whisper_word_errors, word_errors
from omnigap_services.asr.engine import AsrEngine
from omnigap_services.asr.options import AsrOptions

# Each voice speaks in its own process: libespeak-ng keeps global state, and piper-tts has a copy of its own.
_PIPER = """
import json, sys
import numpy
from omnigap.media import AudioClip, resample
from omnigap_services.piper.files import find_voices
from omnigap_services.piper.options import PiperOptions
from omnigap_services.piper.voice import LoadedVoice
options = PiperOptions(voices=(sys.argv[1],))
voice = LoadedVoice(find_voices(options)[0], options)
for text in json.load(sys.stdin):
    sentences = list(voice.speak(text, None, 1.0, options.seed))
    samples = resample(AudioClip(numpy.concatenate(sentences), voice.sample_rate), 16000).samples
    sys.stdout.buffer.write(len(samples).to_bytes(4, "little") + samples.tobytes())
"""

VOICES = ("en-us", "en-us+f3", "en-gb-x-rp", "en-gb-scotland", "en-us+m7")
SENTENCE = "The answer is {}."
_SHORT = ("entity", "word", "number", "date", "choice")
# Types of the items -> columns of the table.
_COLUMNS = {"phrase": "entity", "letter": "choice"}
_BATCH = 64


def texts_by_column(limit: int) -> dict[str, list[str]]:
    """Different spoken answers of the built-in items, at most `limit` of each column."""
    found: dict[str, dict[str, None]] = {name: {} for name in (*_SHORT, "sentence")}
    for item in load_items():
        answer, column = item.answers[0], _COLUMNS.get(item.answer_type.value, item.answer_type.value)
        bare = f"{'Option' if item.choices else 'The letter'} {answer}." if column == "choice" else answer
        found[column][bare] = None
        if column != "choice":
            found["sentence"][SENTENCE.format(answer)] = None
    return {name: list(texts)[:limit] for name, texts in found.items()}


def with_interval(errors: Sequence[WordErrors]) -> str:
    """The pooled rate in percent with its 95 % interval; each text is one cluster."""
    totals = ClusterTotals(
        np.array([count.errors for count in errors], dtype=np.float64),
        np.array([count.words for count in errors], dtype=np.float64),
    )
    interval = cluster_t(totals)
    return f"**{100 * totals.mean:.1f}** [{100 * max(0.0, interval.low):.1f}, {100 * interval.high:.1f}]"


def percent(errors: Iterable[WordErrors]) -> str:
    """The pooled rate in percent."""
    rate = pooled(errors).rate
    return "" if rate is None else f"{100 * rate:.1f}"


def row(engine: AsrEngine, voice: str, texts: dict[str, list[str]], clips: dict[str, list[Samples]]) -> list[str]:
    """The cells of one checkpoint and voice."""
    ours: dict[str, list[WordErrors]] = {}
    whisper: dict[str, list[WordErrors]] = {}
    for name, said in texts.items():
        heard = []
        for start in range(0, len(said), _BATCH):
            heard += [transcript.text for transcript in engine.transcribe(clips[name][start : start + _BATCH])]
        ours[name] = [word_errors(*pair) for pair in zip(said, heard, strict=True)]
        whisper[name] = [whisper_word_errors(*pair) for pair in zip(said, heard, strict=True)]
    short = [count for name in _SHORT for count in ours[name]]
    padded = "" if "force_padding" not in engine.settings else f", padding_s {engine.options.padding_s:g} forced"
    return [
        f"{engine.checkpoint.name}{padded}",
        voice,
        *(percent(ours[name]) for name in _SHORT),
        with_interval(short),
        with_interval(ours["sentence"]),
        percent(count for name in _SHORT for count in whisper[name]),
        percent(whisper["sentence"]),
    ]


@click.command()
@click.argument("checkpoints", nargs=-1)
@click.option("--voice", "voices", multiple=True, help=f"espeak voices; default: {', '.join(VOICES)}.")
@click.option("--piper", multiple=True, type=click.Path(exists=True, dir_okay=False), help="Piper voices (.onnx).")
@click.option("--limit", type=click.IntRange(2), default=120, show_default=True, help="Texts of each column at most.")
@click.option("--padding-s", type=float, help="Measures each checkpoint with this forced padding too.")
@click.option("--threads", type=click.IntRange(0), default=0, help="0: the cores of this process, four at most.")
@click.option("--shipped/--no-shipped", default=True, show_default=True, help="Measure the micro Whisper too.")
def main(
    checkpoints: tuple[str, ...],
    voices: tuple[str, ...],
    piper: tuple[str, ...],
    limit: int,
    padding_s: float | None,
    threads: int,
    shipped: bool,
) -> None:
    """Print a table of word errors by checkpoint, voice and type of answer."""
    texts = texts_by_column(limit)
    options = [{"checkpoint": name, "cpu_threads": threads} for name in (("",) if shipped else ()) + checkpoints]
    forced = [
        {**each, "padding_s": padding_s, "force_padding": True} for each in options if padding_s and each["checkpoint"]
    ]
    engines = [AsrEngine(AsrOptions.model_validate(each)) for each in (*options, *forced)]
    sources = [(ESPEAK, name, f"espeak {name}") for name in voices or VOICES]
    sources += [(_PIPER, path, f"Piper {Path(path).stem}") for path in piper]
    heads = [f"{name} ({len(texts[name])})" for name in _SHORT]
    all_short = sum(len(texts[name]) for name in _SHORT)
    sums = [f"short answers ({all_short})", f"sentence ({len(texts['sentence'])})"]
    columns = ["checkpoint", "voice", *heads, *sums, "short, Whisper's normaliser", "sentence, Whisper's normaliser"]
    click.echo(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for script, name, title in sources:
        clips = {column: spoken(script, name, said) for column, said in texts.items()}
        for engine in engines:
            click.echo(f"| {' | '.join(row(engine, title, texts, clips))} |")
    words = sum(word_errors(text, text).words for name in _SHORT for text in texts[name])
    sentence = sum(word_errors(text, text).words for text in texts["sentence"])
    click.echo(
        f"\nWord errors in percent, with 95 % intervals over texts; {words} words in short answers, {sentence} in"
    )
    click.echo(f"sentences for each voice. {engines[0].device}, {engines[0].compute_type}, beam 5.")
    click.echo(f"Machine: {processor()}, {os.cpu_count()} cores; Python {platform.python_version()}.")


if __name__ == "__main__":
    main()
