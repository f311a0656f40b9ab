"""Qwen-Omni's throughput at full size: tokens/s and audio seconds/s at several batch sizes, against the memory bound.

    python benchmarks/qwen_omni_gpu.py [--model qwen2.5|qwen3] [--batches 1,8,32] [--tiny]

Needs no checkpoint and no network: the weights are drawn at random on the device, in bfloat16, and every answer has the
length that the flags say, so what is measured is the engine of the `qwen-omni` service, not a model. Batch 1 is the
same model driven one request at a time. Prompts are text; perception is not measured. Qwen2.5-Omni-7B takes 24 GB and
a few more for 32 answers, Qwen3-Omni 72 GB and more. `--tiny` runs the same code at a small size on the CPU.

The memory bound of a step is the bytes of weights that it must read, divided by the bandwidth of a copy on this device:
no engine that reads each weight once per step is faster. Caches and activations are not included. For a mixture of
experts, the bound counts the experts that a batch of that size is expected to use, if tokens choose experts evenly.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import click
import torch
import transformers
from qwen_omni_sizes import QWEN3, QWEN25, TINY3, TINY25, merged

from omnigap.media.audio import Samples
from omnigap.vocabulary import Modality
from omnigap_services.adapter import Completion, Request
from omnigap_services.qwen_omni.answer import Answer, OwnText
from omnigap_services.qwen_omni.engine import Engine
from omnigap_services.qwen_omni.family import QWEN3 as FAMILY_3
from omnigap_services.qwen_omni.family import QWEN25 as FAMILY_25
from omnigap_services.qwen_omni.family import SAMPLE_RATE, Family
from omnigap_services.qwen_omni.options import Decoding
from omnigap_services.qwen_omni.prompting import Prompt
from omnigap_services.qwen_omni.talker import Talker
from omnigap_services.qwen_omni.talker_qwen3 import Qwen3Talker
from omnigap_services.qwen_omni.talker_qwen25 import Qwen25Talker
from omnigap_services.torch_utils.versions import let_torchvision_import

# Of both families' vocabularies: <|im_start|>, <|im_end|>, <|endoftext|>, "user", "assistant", line end.
IM_START, IM_END, END, USER, ASSISTANT, LINE = 151_644, 151_645, 151_643, 872, 77_091, 198


@dataclass
class Asked:
    """A turn that counts the samples of its answer."""

    request: Request
    cancelled: bool = False
    samples: int = 0
    completion: Completion | None = None

    def write(self, text: str) -> None: ...

    def reason(self, text: str) -> None: ...

    def speak(self, samples: Samples, sample_rate: int) -> None:
        self.samples += len(samples)

    def complete(self, completion: Completion) -> None:
        self.completion = completion

    def fail(self, error: Exception) -> None:
        raise error


class NoTokenizer:
    """Random ids have no text."""

    def decode(self, ids: Sequence[int], **_: object) -> str:
        return "x" * len(ids)


@dataclass
class Clock:
    """Seconds of each stage; every measurement waits for the device."""

    device: torch.device
    seconds: dict[str, float] = field(default_factory=dict)

    def timed(self, stage: str, work: Any) -> Any:
        def run(*arguments: Any) -> Any:
            started = self.now()
            made = work(*arguments)
            self.seconds[stage] = self.seconds.get(stage, 0.0) + self.now() - started
            return made

        return run

    def now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def build(family: Family, tiny: bool, device: torch.device, dtype: torch.dtype) -> Any:
    """The whole model with random weights, created on the device."""
    full, small = (QWEN25, TINY25) if family is FAMILY_25 else (QWEN3, TINY3)
    model_class = getattr(transformers, family.model_class)
    config = model_class.config_class(**(merged(full, small) if tiny else full))
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            model = model_class(config)
    finally:
        torch.set_default_dtype(before)
    if family is FAMILY_25:
        dit = config.token2wav_config.dit_config
        model.speaker_map["Chelsie"] = {
            "bos_token": 151_872 if not tiny else 151_860,
            "cond": torch.randn(1, dit.enc_emb_dim),
            "ref_mel": torch.randn(1, 300, dit.mel_dim),
        }
    return model.eval()


def copy_bandwidth(device: torch.device, tiny: bool) -> float:
    """Bytes/s that a copy reads and writes: the best of five."""
    size = 2**26 if tiny or device.type == "cpu" else 2**32
    source = torch.ones(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    clock, best = Clock(device), 0.0
    for _ in range(5):
        started = clock.now()
        target.copy_(source)
        best = max(best, 2 * size / (clock.now() - started))
    return best


def step_bytes(module: torch.nn.Module, batch: int) -> float:
    """Bytes of weights that one step of a decoder reads for `batch` tokens; its embedding is looked up, not read."""
    total = 0.0
    for name, part in module.named_modules():
        experts = getattr(part, "num_experts", 0) if hasattr(part, "gate_up_proj") else 0
        for leaf, weight in part.named_parameters(recurse=False):
            size = weight.numel() * weight.element_size()
            if isinstance(part, torch.nn.Embedding):
                continue
            if experts and leaf in ("gate_up_proj", "down_proj"):
                chosen = _chosen(module, name)
                size *= 1 - (1 - chosen / experts) ** batch
            total += size
    return total


def _chosen(module: torch.nn.Module, experts: str) -> int:
    """Number of experts per token, from the router of a block of experts."""
    block = module.get_submodule(experts.rpartition(".")[0])
    return int(block.gate.top_k)


def talker_step_bytes(model: Any, family: Family, batch: int) -> float:
    """Bytes of one codec frame: the talker once, and Qwen3's code predictor once for each further codebook."""
    talker = model.talker
    total = step_bytes(talker.model, batch) + step_bytes(talker.codec_head, batch)
    if family is FAMILY_3:
        groups = model.config.talker_config.num_code_groups
        predictor = talker.code_predictor
        total += (groups - 1) * step_bytes(predictor.model, batch) + step_bytes(predictor.lm_head, batch)
    return total


def prompt(tokens: int, number: int) -> Prompt:
    """A chat turn of random words."""
    generator = torch.Generator().manual_seed(number)
    words = torch.randint(1_000, 60_000, (max(1, tokens - 8),), generator=generator).tolist()
    ids = [IM_START, USER, LINE, *words, IM_END, LINE, IM_START, ASSISTANT, LINE]
    return Prompt(torch.tensor(ids))


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement. Rates are of the whole batch; bounds are in seconds per step."""

    mode: str
    batch: int
    seconds: float
    tokens_per_s: float
    audio_per_s: float
    text_step_s: float
    text_bound_s: float
    frame_s: float
    frame_bound_s: float
    wave_s: float

    def line(self) -> str:
        text = f"{self.text_step_s * 1e3:9.2f} ms {self.text_bound_s * 1e3:8.2f} ms {_times(self)[0]:>6}"
        if self.mode == "text":
            return f"{self.mode:<6}{self.batch:>5}{self.seconds:>9.2f} s{self.tokens_per_s:>10.1f}{'-':>10} {text}"
        speech = f"{self.frame_s * 1e3:9.2f} ms {self.frame_bound_s * 1e3:8.2f} ms {_times(self)[1]:>6}"
        head = f"{self.mode:<6}{self.batch:>5}{self.seconds:>9.2f} s{self.tokens_per_s:>10.1f}{self.audio_per_s:>10.2f}"
        return f"{head} {text} {speech} {self.wave_s:8.2f} s"


def _times(row: Row) -> tuple[str, str]:
    """Duration of a step divided by its memory bound."""
    pairs = ((row.text_step_s, row.text_bound_s), (row.frame_s, row.frame_bound_s))
    text, speech = (f"{took / bound:.1f} x" if bound else "-" for took, bound in pairs)
    return text, speech


def measure(
    engine: Engine,
    model: Any,
    family: Family,
    speech: bool,
    batch: int,
    lengths: tuple[int, int, int],
    bandwidth: float,
) -> Row:
    """Runs one batch of `batch` answers, timed stage by stage."""
    prompt_tokens, text_tokens, frames = lengths
    decoding = Decoding(speech, text_tokens, frames, speaker=_speaker(engine), fixed_length=True)
    request = Request(("x",), Modality.SPEECH if speech else Modality.TEXT)
    asked = [Asked(request) for _ in range(batch)]
    answers = [
        Answer(turn, prompt(prompt_tokens, number), decoding, OwnText(NoTokenizer(), turn.write))
        for number, turn in enumerate(asked)
    ]
    talker = engine.talker
    assert talker is not None
    clock = Clock(model.device)
    think, speak, wave = engine._write_texts, engine._speak, talker.wave
    engine._write_texts = clock.timed("think", think)  # type: ignore[method-assign]
    engine._speak = clock.timed("speak", speak)  # type: ignore[method-assign]
    talker.wave = clock.timed("wave", wave)  # type: ignore[method-assign]
    started = clock.now()
    try:
        engine.answer(answers, max_batch_size=batch, max_batch_tokens=2**30)
    finally:
        engine._write_texts, engine._speak = think, speak  # type: ignore[method-assign]
        talker.wave = wave  # type: ignore[method-assign]
    took = clock.now() - started
    made = [turn.completion for turn in asked]
    assert all(done is not None and done.output_tokens == text_tokens for done in made), "an answer has another length"
    audio = sum(turn.samples for turn in asked) / SAMPLE_RATE
    waves = clock.seconds.get("wave", 0.0)
    thinker = model.thinker
    text_model = getattr(thinker.model, "language_model", thinker.model)
    text_bytes = step_bytes(text_model, batch) + step_bytes(thinker.lm_head, batch)
    return Row(
        "speech" if speech else "text",
        batch,
        took,
        batch * text_tokens / took,
        audio / took,
        clock.seconds["think"] / text_tokens,
        text_bytes / bandwidth,
        (clock.seconds.get("speak", 0.0) - waves) / frames if speech else 0.0,
        talker_step_bytes(model, family, batch) / bandwidth,
        waves,
    )


def _speaker(engine: Engine) -> str:
    assert engine.talker is not None
    return engine.talker.speakers[0]


@click.command()
@click.option("--model", "name", type=click.Choice(["qwen2.5", "qwen3"]), default="qwen2.5", show_default=True)
@click.option("--batches", default="1,8,32", show_default=True, help="Batch sizes.")
@click.option("--prompt-tokens", type=click.IntRange(16), default=192, show_default=True)
@click.option("--text-tokens", type=click.IntRange(2), default=128, show_default=True, help="Of each answer.")
@click.option("--speech-seconds", type=click.FloatRange(0.2), default=10.0, show_default=True, help="Of each answer.")
@click.option("--device", default="", help="Default: cuda where there is one.")
@click.option("--tiny", is_flag=True, help="A small model and short answers, on the CPU.")
def main(
    name: str, batches: str, prompt_tokens: int, text_tokens: int, speech_seconds: float, device: str, tiny: bool
) -> None:
    """Measures the engine of the qwen-omni service at full size with random weights."""
    family = FAMILY_25 if name == "qwen2.5" else FAMILY_3
    if tiny:
        prompt_tokens, text_tokens, speech_seconds = 24, 8, 0.8
        torch.set_num_threads(1)
    where = torch.device(device or ("cuda" if torch.cuda.is_available() and not tiny else "cpu"))
    if where.type == "cpu" and not tiny:
        raise click.ClickException("no CUDA device: a full-size model on a CPU takes hours, try --tiny")
    dtype = torch.float32 if where.type == "cpu" else torch.bfloat16
    sizes = [int(size) for size in batches.split(",")]
    transformers.logging.set_verbosity_error()
    let_torchvision_import()  # the models' modules name it
    click.echo(f"{_machine(where)}; torch {torch.__version__}, transformers {transformers.__version__}")
    started = time.perf_counter()
    model = build(family, tiny, where, dtype)
    weights = sum(weight.numel() * weight.element_size() for weight in model.parameters()) / 1e9
    click.echo(
        f"{family.model_type}{' (tiny)' if tiny else ''}: {weights:.2f} GB, {time.perf_counter() - started:.0f} s"
    )
    talker: Talker = Qwen25Talker(model) if family is FAMILY_25 else Qwen3Talker(model)
    engine = Engine(model.thinker, talker, frozenset({IM_END, END}), END, wave_chunk=300)
    bandwidth = copy_bandwidth(where, tiny)
    click.echo(f"a copy moves {bandwidth / 1e9:.0f} GB/s")
    # A frame of Qwen3's last step is never completed.
    frames = round(speech_seconds * family.frames_per_second) + talker.frame_lags_token
    lengths = (prompt_tokens, text_tokens, frames)
    click.echo(f"{prompt_tokens} prompt tokens, {text_tokens} text tokens, {frames} codec frames an answer\n")
    head = (
        f"{'mode':<6}{'batch':>5}{'time':>11}{'tokens/s':>10}{'audio s/s':>10} {'text step':>12} {'bound':>11} {'':>6}"
    )
    click.echo(f"{head} {'frame':>12} {'bound':>11} {'':>6} {'waves':>10}")
    for speech in (False, True):
        measure(engine, model, family, speech, 1, (prompt_tokens, 4, 8), bandwidth)  # first passes compile and allocate
        rows = []
        for batch in sizes:
            rows.append(measure(engine, model, family, speech, batch, lengths, bandwidth))
            click.echo(rows[-1].line())
        gains = [f"{row.batch} at a time: {row.tokens_per_s / rows[0].tokens_per_s:.1f} x" for row in rows[1:]]
        click.echo(f"  against {rows[0].batch} at a time: {', '.join(gains) or '-'}")
    if where.type == "cuda":
        click.echo(f"\npeak memory: {torch.cuda.max_memory_allocated(where) / 1e9:.1f} GB")


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"


if __name__ == "__main__":
    main()
