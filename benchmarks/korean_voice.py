"""Whether a recogniser understands a voice: error rates of known texts that the voice speaks. Table in docs/korean.md.

    omnigap-serve espeak --port 50061 &
    omnigap-serve asr --config asr.toml --port 50062 &       # or any other recogniser service
    python benchmarks/korean_voice.py --recogniser 127.0.0.1:50062 [--tts 127.0.0.1:50061] [--voice ko] [--voice ko+f3]

Each question of the items (with its choices, as a run has it read aloud) and each first gold answer (a letter's: the
text of the choice) is spoken and transcribed. Texts and transcripts are normalised as in a run. CER is pooled (errors
over reference characters); languages with words count words. The interval is a percentile bootstrap over texts. A text
is right if its normalised transcript has no error.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from omnigap.client import GenerateClient
from omnigap.media.audio import WAV, encode_wav
from omnigap.v1 import model_service_pb2 as pb
from omnigap_orchestrator.carriers.carrier_set import spoken_text
from omnigap_orchestrator.items import Item, load_items
from omnigap_orchestrator.scoring.metrics import WordErrors, pooled, word_errors

_TIMEOUT_S = 900.0
_AT_ONCE = 2
_DRAWS = 10_000


@dataclass(frozen=True, slots=True)
class Text:
    """A text to speak, and the group of the table that it belongs to."""

    group: str
    spoken: str
    language: str


@dataclass(frozen=True, slots=True)
class Heard:
    """A text in one voice, and its transcript."""

    text: Text
    voice: str
    transcript: str

    @property
    def errors(self) -> WordErrors:
        return word_errors(self.text.spoken, self.transcript, self.text.language)


def texts_of(items: Sequence[Item]) -> list[Text]:
    """Questions and different first gold answers, in the order of the items."""
    questions = [Text("question", spoken_text(item), item.language) for item in items]
    answers = [Text("answer", _answer(item), item.language) for item in items if item.answers]
    return [*questions, *dict.fromkeys(answers)]


def _answer(item: Item) -> str:
    gold = item.answers[0]
    place = ord(gold) - ord("A") if len(gold) == 1 else -1
    return item.choices[place] if item.choices and 0 <= place < len(item.choices) else gold


def interval(errors: Sequence[WordErrors], level: float = 0.95) -> tuple[float, float]:
    """A percentile bootstrap interval of the pooled rate, over texts."""
    wrong = np.array([each.errors for each in errors], dtype=np.float64)
    units = np.array([each.words for each in errors], dtype=np.float64)
    chosen = np.random.default_rng(0).integers(0, len(errors), (_DRAWS, len(errors)))
    rates = wrong[chosen].sum(axis=1) / units[chosen].sum(axis=1)
    low, high = np.quantile(rates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


async def hear(
    texts: Sequence[Text], voices: Sequence[str], tts: GenerateClient, recogniser: GenerateClient
) -> list[Heard]:
    """Each text in each voice, spoken by one service and transcribed by the other."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(text: Text, voice: str) -> Heard:
        async with limit:
            spoken = await tts.generate(
                pb.GenerateRequest(
                    parts=[pb.InputPart(text=text.spoken)],
                    output=pb.MODALITY_SPEECH,
                    voice=pb.VoiceSettings(name=voice),
                    language=text.language,
                ),
                _TIMEOUT_S,
            )
            clip = encode_wav(spoken.pcm, spoken.sample_rate)
            found = await recogniser.generate(
                pb.GenerateRequest(
                    parts=[pb.InputPart(audio=pb.Audio(data=clip, mime_type=WAV))],
                    output=pb.MODALITY_TEXT,
                    language=text.language,
                ),
                _TIMEOUT_S,
            )
        return Heard(text, voice, found.own_text)

    return list(await asyncio.gather(*(one(text, voice) for voice in voices for text in texts)))


def table(heard: Sequence[Heard]) -> list[str]:
    """Rows of a Markdown table: by voice and group."""
    rows = [
        "| voice | texts | number | error rate | 95 % interval | texts without an error |",
        "|---|---|---|---|---|---|",
    ]
    for voice in dict.fromkeys(each.voice for each in heard):
        for group in dict.fromkeys(each.text.group for each in heard):
            errors = [each.errors for each in heard if (each.voice, each.text.group) == (voice, group)]
            low, high = interval(errors)
            right = sum(each.errors == 0 for each in errors)
            rows.append(
                f"| {voice or 'default'} | {group}s | {len(errors)} | {100 * (pooled(errors).rate or 0):.0f} % "
                f"| {100 * low:.0f} to {100 * high:.0f} % | {right} ({100 * right / len(errors):.0f} %) |"
            )
    return rows


async def measure(arguments: argparse.Namespace) -> list[Heard]:
    texts = texts_of(load_items(arguments.items))
    async with GenerateClient(arguments.tts) as tts, GenerateClient(arguments.recogniser) as recogniser:
        for client in (tts, recogniser):
            async with asyncio.timeout(_TIMEOUT_S):
                while not await client.serving():
                    await asyncio.sleep(0.5)
            card = await client.describe(_TIMEOUT_S)
            print(f"{client.address}: {card.name}, digest {card.digest[:12]}")
        return await hear(texts, arguments.voice or [""], tts, recogniser)


def main() -> None:
    read = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    read.add_argument("--recogniser", required=True, help="HOST:PORT of a service with speech in and text out")
    read.add_argument("--tts", default="127.0.0.1:50061", help="HOST:PORT of a TTS service")
    read.add_argument("--voice", action="append", help="voice of the TTS service; default: the one of the language")
    read.add_argument("--items", default="builtin-ko", help="as `omnigap-orchestrate run --items`")
    read.add_argument("--texts", type=Path, help="file to write each text and its transcript to")
    arguments = read.parse_args()
    heard = asyncio.run(measure(arguments))
    print("\n".join(table(heard)))
    if arguments.texts:
        lines = [f"{each.voice}\t{each.text.spoken}\t{each.transcript}\t{each.errors.errors}" for each in heard]
        arguments.texts.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
