"""A synthetic run with small media files: results, catalogue, info and files, as after a complete run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import soundfile
from PIL import Image, ImageDraw, ImageFont

from omnigap.vocabulary import CONDITIONS, Modality
from omnigap_orchestrator.items.load import builtin_folder
from omnigap_orchestrator.report import Catalogue, CatalogueItem, RunInfo, ServiceInfo
from omnigap_orchestrator.results import RESULTS_SCHEMA
from omnigap_orchestrator.scoring import word_errors

RATE = 16_000
SKILL = {"cascade": (2.2, 1.1, 0.35, 0.9), "omni-7b": (2.6, 0.5, 0.9, 0.4), "tiny-moe": (0.9, 0.2, 0.3, 1.4)}
"""Per model, in logits: ability, and the costs of speech input, image input and speech output."""
ARCHITECTURES = {"cascade": "cascade", "omni-7b": "native_omni", "tiny-moe": "moe"}
SUFFIX = {Modality.TEXT: "txt", Modality.SPEECH: "wav", Modality.IMAGE: "png"}


@dataclass
class FakeRun:
    folder: Path
    results: pl.DataFrame
    catalogue: Catalogue
    info: RunInfo

    def media_path(self, digest: str) -> str | None:
        found = sorted((self.folder / "media" / digest[:2]).glob(f"{digest}.*"))
        return found[0].relative_to(self.folder).as_posix() if found else None


def store(folder: Path, data: bytes, suffix: str) -> str:
    digest = hashlib.sha256(data).hexdigest()
    path = folder / "media" / digest[:2] / f"{digest}.{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return digest


def tone(seconds: float, pitch: float) -> bytes:
    """Syllable-like bursts as a 16-bit WAV file, so that players have something to play."""
    t = np.arange(int(seconds * RATE)) / RATE
    wave = 0.3 * np.sin(2 * np.pi * pitch * t) * (0.55 + 0.45 * np.sin(2 * np.pi * 3.1 * t))
    file = BytesIO()
    soundfile.write(file, wave, RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def picture(text: str) -> bytes:
    image = Image.new("RGB", (480, 150), "white")
    ImageDraw.Draw(image).multiline_text((14, 14), _wrapped(text), fill="black", font=ImageFont.load_default(22))
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _wrapped(text: str, width: int = 40) -> str:
    lines, line = [], ""
    for word in text.split():
        if len(line) + len(word) > width:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return "\n".join([*lines, line])


def builtin_rows() -> list[dict[str, object]]:
    folder = builtin_folder()
    return [json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.open(encoding="utf-8")]


def make_run(
    folder: Path,
    *,
    models: tuple[str, ...] = ("cascade",),
    limit: int | None = None,
    replicates: int = 1,
    failures: float = 0.0,
    media: bool = True,
    seed: int = 3,
) -> FakeRun:
    """A run of `limit` built-in items with simulated models of the abilities in `SKILL`."""
    rng = np.random.default_rng(seed)
    items = builtin_rows()
    if limit is not None:
        items = items[:: max(1, len(items) // limit)][:limit]
    tasks = sorted({str(item["task"]) for item in items})
    ease = {task: 0.9 - 0.35 * place for place, task in enumerate(tasks)}
    columns: dict[str, list[object]] = {name: [] for name in RESULTS_SCHEMA}
    for item in items:
        gold = str(item["answers"][0])  # type: ignore[index]
        question = str(item["question"])
        hardness = rng.normal(0, 1.4)
        carriers = dict.fromkeys(SUFFIX, "")
        if media:
            carriers = {
                Modality.TEXT: store(folder, question.encode(), "txt"),
                Modality.SPEECH: store(folder, tone(0.5 + len(question) / 60, rng.uniform(150, 260)), "wav"),
                Modality.IMAGE: store(folder, picture(question), "png"),
            }
        for model in models:
            ability, speech_in, image_in, speech_out = SKILL[model]
            for replicate in range(replicates):
                for condition in CONDITIONS:
                    logit = ability + ease[str(item["task"])] - hardness
                    logit -= {Modality.TEXT: 0.0, Modality.SPEECH: speech_in, Modality.IMAGE: image_in}[condition.input]
                    spoken = condition.output is Modality.SPEECH
                    knows = rng.random() < 1 / (1 + np.exp(-logit))
                    correct = knows and not (spoken and rng.random() < 1 - np.exp(-speech_out / 5))
                    own = gold if knows else str(items[int(rng.integers(len(items)))]["answers"][0])  # type: ignore[index]
                    transcript = own.lower() if correct or not knows else own.lower()[::-1]
                    failed = rng.random() < failures
                    seconds = 0.4 + len(own) / 14
                    output = store(folder, tone(seconds, rng.uniform(90, 190)), "wav") if media and spoken else None
                    latency = float(rng.lognormal(-1.2 + 0.7 * spoken, 0.45))
                    row: dict[str, object] = {
                        "run": folder.name,
                        "model": model,
                        "architecture": ARCHITECTURES[model],
                        "item_id": item["id"],
                        "task": item["task"],
                        "language": item["language"],
                        "cluster": item["id"],
                        "answer_type": item["answer_type"],
                        "input": condition.input.value,
                        "output": condition.output.value,
                        "condition": condition.name,
                        "replicate": replicate,
                        "voice": "en-us" if condition.input is Modality.SPEECH else None,
                        "font": "DejaVu Sans" if condition.input is Modality.IMAGE else None,
                        "outcome": "failed" if failed else "answered",
                        "support": "native",
                        "metric": "exact_match",
                        "input_media": carriers[condition.input] or None,
                        "model_digest": hashlib.sha256(model.encode()).hexdigest(),
                    }
                    if failed:
                        row |= {"error_reason": "MODEL_ERROR", "error_message": "shape mismatch in layer <4> & more"}
                    else:
                        row |= {
                            "flags": ["suspect_transcript"] if spoken and knows and not correct else [],
                            "own_text": own,
                            "transcript": transcript if spoken else None,
                            "answer_used": transcript if spoken else own,
                            "score": float(correct),
                            "own_text_score": float(knows) if spoken else None,
                            "finish_reason": "stop",
                            "audio_seconds": seconds if spoken else None,
                            "tokens": len(own.split()),
                            "output_media": output,
                            "latency_s": latency,
                            "queue_s": latency * 0.1,
                            "compute_s": latency * 0.8,
                            "ttft_s": latency * 0.3,
                            "audio_ttfp_s": latency * 0.5 if spoken else None,
                        }
                        if spoken:
                            row |= {
                                "asr_digest": "b" * 64,
                                "asr_avg_logprob": float(rng.normal(-0.25 if correct else -0.7, 0.15)),
                                "asr_no_speech_prob": float(rng.beta(1, 30)),
                                "asr_compression_ratio": float(rng.normal(1.1, 0.15)),
                                "asr_language": "en",
                                "wer_errors": word_errors(own, transcript).errors,
                                "wer_words": word_errors(own, transcript).words,
                            }
                    for name in columns:
                        columns[name].append(row.get(name))
    catalogue = Catalogue(
        {
            str(i["id"]): CatalogueItem(
                str(i["question"]),
                tuple(i.get("choices", ())),  # type: ignore[arg-type]
                str(i.get("instruction", "")),
                tuple(i["answers"]),  # type: ignore[arg-type]
            )
            for i in items
        }
    )
    return FakeRun(folder, pl.DataFrame(columns, schema=RESULTS_SCHEMA), catalogue, _run_info(folder.name, models))


def _run_info(name: str, models: tuple[str, ...]) -> RunInfo:
    return RunInfo(
        name=name,
        started=datetime(2026, 3, 4, 9, 30, tzinfo=UTC),
        finished=datetime(2026, 3, 4, 9, 34, tzinfo=UTC),
        command="omnigap-orchestrate run",
        machine="2 cores, 8 GB, Linux x86_64",
        versions={"omnigap": "0.1.0", "faster-whisper": "1.2.1", "polars": "2.1.0"},
        models=tuple(
            ServiceInfo(m, hashlib.sha256(m.encode()).hexdigest(), "r1", ARCHITECTURES[m], checkpoint="c" * 64)
            for m in models
        ),
        asr=ServiceInfo("asr", "b" * 64, "micro-en-1", detail="beam 5, temperature 0, int8", checkpoint="c" * 64),
        tts=ServiceInfo("espeak", "d" * 64, detail="16 kHz mono"),
        voices=("en-us",),
        fonts=("DejaVu Sans 28",),
        items_source="the built-in set",
        normaliser="1",
        embedded=True,
        shared_asr_checkpoint=("cascade",) if "cascade" in models else (),
    )
