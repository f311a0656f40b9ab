"""Made-up tables of results with known properties, for the tests of the analysis."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from omnigap_orchestrator.results import RESULTS_SCHEMA

SIX = ("t2t", "s2t", "i2t", "t2s", "s2s", "i2s")
MODALITY = {"t": "text", "s": "speech", "i": "image"}


def table(rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    """Rows completed to the full schema: answered, of one model, task and replicate unless a row says otherwise."""
    out = []
    for row in rows:
        condition = str(row.get("condition", "t2t"))
        default: dict[str, object] = {
            "run": "made-up",
            "model": "alpha",
            "architecture": "cascade",
            "task": "places",
            "language": "en",
            "cluster": row.get("item_id"),
            "answer_type": "entity",
            "condition": condition,
            "replicate": 0,
            "outcome": "answered",
            "support": "native",
            "flags": [],
            "metric": "containment",
        }
        if condition in SIX:
            default["input"], default["output"] = MODALITY[condition[0]], MODALITY[condition[2]]
        out.append({name: {**default, **row}.get(name) for name in RESULTS_SCHEMA.names()})
    return pl.DataFrame(out, schema=RESULTS_SCHEMA, infer_schema_length=None)


def paired(reference: Sequence[float], condition: Sequence[float], name: str = "s2t", **common: object) -> pl.DataFrame:
    """Two conditions over the same items, in order."""
    rows = []
    for label, scores in (("t2t", reference), (name, condition)):
        rows += [{"item_id": f"q{i}", "condition": label, "score": s, **common} for i, s in enumerate(scores)]
    return table(rows)


def drawn(
    items: int,
    *,
    models: Sequence[str] = ("alpha",),
    architectures: Sequence[str] = ("cascade",),
    tasks: Sequence[str] = ("places", "science", "language"),
    accuracies: Sequence[float] = (0.8, 0.7, 0.6, 0.75, 0.65, 0.55),
    cluster_size: int = 1,
    replicates: int = 1,
    graded: bool = False,
    seed: int = 1,
) -> pl.DataFrame:
    """Six conditions with about the given accuracies, correlated within the cluster through its difficulty."""
    rng = np.random.default_rng(seed)
    frames = []
    ids = np.array([f"q{i:07d}" for i in range(items)])
    task = np.array(tasks)[np.arange(items) // cluster_size % len(tasks)]
    cluster = np.array([f"c{i // cluster_size:07d}" for i in range(items)]) if cluster_size > 1 else ids
    for index, model in enumerate(models):
        ease = rng.normal(0, 0.8, items // cluster_size + 1)[np.arange(items) // cluster_size]
        for (condition, accuracy), replicate in itertools.product(zip(SIX, accuracies, strict=True), range(replicates)):
            logit = np.log(accuracy / (1 - accuracy)) + ease
            chance = 1 / (1 + np.exp(-logit))
            score = rng.beta(3 * chance, 3 * (1 - chance)) if graded else (rng.random(items) < chance).astype(float)
            frames.append(
                pl.DataFrame({"item_id": ids, "task": task, "cluster": cluster, "score": score}).with_columns(
                    model=pl.lit(model),
                    architecture=pl.lit(architectures[index % len(architectures)]),
                    condition=pl.lit(condition),
                    input=pl.lit(MODALITY[condition[0]]),
                    output=pl.lit(MODALITY[condition[2]]),
                    replicate=pl.lit(replicate, pl.Int32),
                    outcome=pl.lit("answered"),
                    support=pl.lit("native"),
                    latency_s=pl.Series(rng.gamma(2, 0.5, items)),
                )
            )
    frame = pl.concat(frames)
    lacking = [pl.lit(None, dtype).alias(name) for name, dtype in RESULTS_SCHEMA.items() if name not in frame.columns]
    return frame.with_columns(lacking).select(RESULTS_SCHEMA.names())


def all_outcomes() -> pl.DataFrame:
    """Ten cells of s2s: 5 scored (3 right), 1 answered without a score, 2 failed, 1 pending, 1 unsupported."""
    kinds = [{"score": s} for s in (1.0, 1.0, 1.0, 0.0, 0.0)]
    kinds += [{}, {"outcome": "failed", "error_reason": "MODEL_ERROR", "error_message": "boom"}]
    kinds += [{"outcome": "failed", "error_reason": "TRANSPORT"}, {"outcome": "pending"}, {"outcome": "unsupported"}]
    return table([{"item_id": f"q{i}", "condition": "s2s", **kind} for i, kind in enumerate(kinds)])


def with_own_texts(own: list[tuple[str | None, float | None]]) -> pl.DataFrame:
    """100 items right in t2t and transcribed right in t2s; the first own texts as given, the others right."""
    texts = [*own, *[("Paris", 1.0)] * (100 - len(own))]
    rows: list[dict[str, object]] = [{"item_id": f"q{i:02d}", "condition": "t2t", "score": 1.0} for i in range(100)]
    rows += [
        {"item_id": f"q{i:02d}", "condition": "t2s", "score": 1.0, "own_text": text, "own_text_score": score}
        for i, (text, score) in enumerate(texts)
    ]
    return table(rows)
