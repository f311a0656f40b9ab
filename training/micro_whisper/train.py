"""Train the micro Whisper until a wall-clock deadline.

A batch is cut into small ones that two threads take from a queue, each thread with one core: on a shared machine this
loses far less than two cores inside every operation, where the slower always holds up the other.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import click
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from .batches import Batch, Shards
from .model import MicroWhisper
from .optimizer import build_optimizers
from .settings import MODEL
from .synth import fill
from .tokenizer import train_tokenizer
from .validate import Validation

__all__: list[str] = []

_WARM_UP = 0.02
_SMOOTHING = 0.03
_CLIP = 2.0
_CTC_WEIGHT = (0.5, 0.2)
"""Weight of the CTC loss, at the beginning and at the end."""
_LENGTHS = ((0.3, 130), (0.75, 200))
"""Share of the time -> maximum frames of a clip until then: short clips fit more per batch, and align sooner."""


def loss_of(network: MicroWhisper, batch: Batch, drawn: int, ctc_weight: float) -> tuple[Tensor, float, float]:
    """The weighted loss, and its decoder and CTC parts, each a mean per token."""
    states, bias = network.encode(batch.features, drawn)
    logits = network.decode(batch.inputs, states, bias)
    decoder = functional.cross_entropy(
        logits.flatten(0, 1), batch.labels.flatten(), ignore_index=-100, label_smoothing=_SMOOTHING
    )
    positions = (batch.frames + 1) // 2
    probabilities = network.ctc(states[:, : int(positions.max())]).log_softmax(-1).transpose(0, 1)
    ctc = functional.ctc_loss(
        probabilities,
        batch.texts,
        positions,
        batch.text_lengths,
        blank=MODEL.vocabulary,
        zero_infinity=True,
        reduction="sum",
    )
    ctc = ctc / batch.text_lengths.sum()
    return (1 - ctc_weight) * decoder + ctc_weight * ctc, decoder.item(), ctc.item()


@dataclass(frozen=True, slots=True)
class Gradients:
    """Result of one small batch: gradients of the summed loss, and sums of both losses over its tokens."""

    values: tuple[Tensor, ...]
    tokens: int
    decoder: float
    ctc: float


def gradients_of(network: MicroWhisper, batch: Batch, drawn: int, ctc_weight: float) -> Gradients:
    """Forward and backward of one small batch."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    loss, decoder, ctc = loss_of(network, batch, drawn, ctc_weight)
    tokens = int(batch.text_lengths.sum())
    return Gradients(torch.autograd.grad(loss * tokens, parameters), tokens, decoder * tokens, ctc * tokens)


def _rate(progress: float) -> float:
    """Share of the peak learning rate: a linear warm-up, then a cosine to 1 %."""
    if progress < _WARM_UP:
        return progress / _WARM_UP + 0.01
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - _WARM_UP) / (1 - _WARM_UP))))


@click.command()
@click.option(
    "--work",
    default="training-work",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder of data and state.",
)
@click.option("--name", default="run", show_default=True, help="The state is WORK/NAME.pt.")
@click.option("--hours", default=2.0, show_default=True, help="From the first start to the end of the rate's schedule.")
@click.option("--deadline", type=click.DateTime(["%Y-%m-%d %H:%M"]), help="Local time of the same, instead of --hours.")
@click.option(
    "--shards",
    default=71,
    show_default=True,
    help="Shards of data to make first, if they are missing; 0 is for validation.",
)
@click.option("--lr", default=2e-3, show_default=True)
@click.option("--frames", default=1500, show_default=True, help="Padded feature frames of a small batch.")
@click.option("--parts", default=4, show_default=True, help="Small batches of one step.")
@click.option("--drawn", default=8, show_default=True, help="Padded positions drawn for the rest of the window.")
@click.option("--seed", default=1, show_default=True)
@click.option("--every", default=250, show_default=True, help="Steps between validations and checkpoints.")
@click.option("--threads", default=2, show_default=True, help="Small batches in work at a time.")
def main(work: Path, name: str, hours: float, deadline: datetime | None, shards: int, lr: float, frames: int,
         parts: int, drawn: int, seed: int, every: int, threads: int) -> None:  # fmt: skip
    """Make missing data, and train on it; the same command resumes."""
    fill(work / "shards", shards)
    if not (work / "tokenizer.json").exists():
        train_tokenizer().save(str(work / "tokenizer.json"))
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    network = MicroWhisper(MODEL, tokenizer.get_vocab_size())
    optimizers = build_optimizers(network, lr)
    step, begun, path = 0, time.time(), work / f"{name}.pt"
    if path.exists():
        state = torch.load(path, weights_only=True)
        network.load_state_dict(state["network"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        step, begun = state["step"], state["begun"]
    ends = deadline.timestamp() if deadline else begun + hours * 3600
    data = Shards(work / "shards", tokenizer, seed + step)
    validation = Validation(work / "shards" / "0000.npz", tokenizer)
    size = sum(p.numel() for p in network.parameters() if p.requires_grad)
    click.echo(f"{size / 1e6:.2f} M parameters, resuming at step {step}")

    def save() -> None:
        state = {
            "network": network.state_dict(),
            "optimizers": [o.state_dict() for o in optimizers],
            "step": step,
            "begun": begun,
        }
        torch.save(state, path.with_suffix(".partial"))
        path.with_suffix(".partial").rename(path)

    parameters = [p for p in network.parameters() if p.requires_grad]
    pool = ThreadPoolExecutor(threads)
    batches = data.batches(frames)
    sums, ended = [0.0, 0.0, 0, 0], time.time()
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.set())
    while not stopping.is_set() and (progress := (time.time() - begun) / (ends - begun)) < 1:
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * _rate(progress)
        data.limit(next((longest for until, longest in _LENGTHS if progress < until), None))
        weight = _CTC_WEIGHT[0] + (_CTC_WEIGHT[1] - _CTC_WEIGHT[0]) * progress
        picked = [next(batches) for _ in range(parts)]
        results = list(pool.map(partial(gradients_of, network, drawn=drawn, ctc_weight=weight), picked))
        tokens = sum(result.tokens for result in results)
        for parameter, *gradients in zip(parameters, *(result.values for result in results), strict=True):
            parameter.grad = torch.stack(gradients).sum(0) / tokens
        torch.nn.utils.clip_grad_norm_(parameters, _CLIP)
        for optimizer in optimizers:
            optimizer.step()
        step += 1
        sums = [
            sums[0] + sum(r.decoder for r in results),
            sums[1] + sum(r.ctc for r in results),
            sums[2] + tokens,
            sums[3] + sum(len(batch.words) for batch in picked),
        ]
        if step % 50 == 0:
            spent = time.time() - ended
            click.echo(
                f"{datetime.now():%H:%M:%S} step {step} {progress:.1%} lr {lr * _rate(progress):.2e} decoder "
                f"{sums[0] / sums[2]:.3f} ctc {sums[1] / sums[2]:.3f} {sums[3] / spent:.0f} utt/s, "
                f"{data.drawn} drawn of {len(data.loaded)} shards"
            )
            sums, ended = [0.0, 0.0, 0, 0], time.time()
        if step % every == 0:
            save()
            click.echo(f"validation: {validation.measure(network)}")
            ended = time.time()
    save()
    if stopping.is_set():
        click.echo(f"stopped at step {step}; the same command resumes")
        return
    click.echo(f"done at step {step}; validation: {validation.measure(network)}")


if __name__ == "__main__":
    main()
