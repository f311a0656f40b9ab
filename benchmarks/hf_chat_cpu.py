"""Speed of `hf-chat` on a CPU by dtype and batch, and how many greedy answers depend on the batch they were part of.

    python benchmarks/hf_chat_cpu.py MODEL [--gguf-file NAME] [--dtype float32 --dtype bfloat16] [--batch 1 --batch 8]
        [--items 40] [--max-new-tokens 48] [--threads 0]

MODEL is a folder, a GGUF file, or a hub name with --revision. The questions are built-in items, as the t2t condition
sends them. Prints tokens a second and, by dtype, the answers that differ from those of the first batch size and the
first dtype. Times depend on the machine and its load; the counts of tokens and of differing answers do not.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parent))

from asr_batching import processor

from omnigap.vocabulary import Modality
from omnigap_orchestrator.items import load_items, select_items
from omnigap_services.adapter import Completion, DecodingOptions, Request
from omnigap_services.hf.chat.adapter import ChatAdapter


@dataclass
class Recorder:
    """A turn that keeps the text and the number of tokens."""

    request: Request
    cancelled: bool = False
    text: str = ""
    tokens: int = 0
    errors: list[Exception] = field(default_factory=list)

    def write(self, text: str) -> None:
        self.text += text

    def reason(self, text: str) -> None:
        self.text += text

    def complete(self, completion: Completion) -> None:
        self.tokens = completion.output_tokens

    def fail(self, error: Exception) -> None:
        self.errors.append(error)


def questions(count: int) -> list[str]:
    """Texts of built-in English items of all tasks."""
    items = [item for item in load_items() if item.language == "en"]
    return [item.typed for item in select_items(items, limit=count)]


def answers(adapter: ChatAdapter, texts: Sequence[str], batch: int, tokens: int) -> tuple[list[str], int, float]:
    """The answers, their tokens together, and the seconds that they took."""
    decoding = DecodingOptions(max_new_tokens=tokens)
    turns: list[Any] = [Recorder(Request((text,), Modality.TEXT, decoding=decoding)) for text in texts]
    started = time.perf_counter()
    for start in range(0, len(turns), batch):
        adapter.generate(turns[start : start + batch])
    seconds = time.perf_counter() - started
    if failed := [error for turn in turns for error in turn.errors]:
        raise click.ClickException(f"{len(failed)} questions failed: {failed[0]}")
    return [turn.text for turn in turns], sum(turn.tokens for turn in turns), seconds


@click.command()
@click.argument("model")
@click.option("--revision", default="", help="Full commit of a hub name.")
@click.option("--gguf-file", default="")
@click.option("--dtype", "dtypes", multiple=True, default=("float32", "bfloat16"), show_default=True)
@click.option("--batch", "batches", type=click.IntRange(1), multiple=True, default=(1, 8, 16), show_default=True)
@click.option("--items", "count", type=click.IntRange(1), default=40, show_default=True)
@click.option("--max-new-tokens", type=click.IntRange(1), default=48, show_default=True)
@click.option("--threads", type=click.IntRange(0), default=0, help="Threads of torch; 0 keeps its default.")
def main(
    model: str,
    revision: str,
    gguf_file: str,
    dtypes: tuple[str, ...],
    batches: tuple[int, ...],
    count: int,
    max_new_tokens: int,
    threads: int,
) -> None:
    """Compare dtypes and batches on the same questions."""
    import torch

    texts = questions(count)
    click.echo(f"machine: {processor()}, {os.cpu_count()} cores, bfloat16 instructions: {has_bfloat16()}")
    first: list[str] = []
    for dtype in dtypes:
        options = {"model": model, "revision": revision, "gguf_file": gguf_file, "dtype": dtype, "cpu_threads": threads}
        adapter = ChatAdapter({**options, "device": "cpu", "max_batch_size": max(batches)})
        adapter.load()
        answers(adapter, texts[:2], 2, 2)
        alone: list[str] = []
        for batch in batches:
            found, tokens, seconds = answers(adapter, texts, batch, max_new_tokens)
            alone, first = alone or found, first or found
            click.echo(
                f"{dtype}, batch {batch}, {torch.get_num_threads()} threads: {tokens / seconds:.1f} tokens/s"
                f" ({tokens} tokens); {differing(found, alone)} of {len(texts)} answers differ from batch {batches[0]},"
                f" {differing(found, first)} from {dtypes[0]} in batch {batches[0]}"
            )


def differing(found: Sequence[str], others: Sequence[str]) -> int:
    """Number of answers that are not the same text."""
    return sum(one != other for one, other in zip(found, others, strict=True))


def has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware (AVX512-BF16 or AMX), as the kernel reports it."""
    info = Path("/proc/cpuinfo")
    flags = info.read_text() if info.is_file() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags


if __name__ == "__main__":
    main()
