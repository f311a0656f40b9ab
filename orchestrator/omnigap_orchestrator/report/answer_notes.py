"""Notes on answers that could mislead: conditions without any audio, and empty texts."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from omnigap.errors import NO_AUDIO
from omnigap.vocabulary import Flag, Modality, Outcome
from omnigap_orchestrator.report import formatting
from omnigap_orchestrator.results import random_weights_of


def answer_notes(results: pl.DataFrame) -> tuple[str, ...]:
    """One line per model whose speech answers all lack audio, and one per model with empty text answers.

    Args:
        results: the results table, or any table with its columns.
    """
    return (*_without_audio(results), *_empty(results))


def _without_audio(results: pl.DataFrame) -> Iterator[str]:
    failed = (pl.col("outcome") == Outcome.FAILED.value) & pl.col("error_message").str.contains(NO_AUDIO, literal=True)
    speech = results.filter(pl.col("output") == Modality.SPEECH.value)
    counts = speech.group_by("model", "condition", maintain_order=True).agg(
        lacking=failed.fill_null(False).sum(), heard=pl.col("output_media").is_not_null().sum()
    )
    mute = counts.filter((pl.col("lacking") > 0) & (pl.col("heard") == 0))
    for (model,), rows in mute.group_by("model", maintain_order=True):
        conditions = ", ".join(rows["condition"])
        calls = formatting.plural(int(rows["lacking"].sum()), "failed call")
        yield (
            f"{model}: no answer in {conditions} has audio ({calls}): its server answers speech requests with text "
            "only. Start it with its speech output (such as vLLM-Omni instead of plain vLLM), let a preset of the "
            "service `openai` or its option `speech_modalities` request audio, or take "
            f"{conditions} out of `conditions`."
        )


def _empty(results: pl.DataFrame) -> Iterator[str]:
    empty = results.filter(pl.col("flags").list.contains(Flag.EMPTY.value))
    random = random_weights_of(results)
    for (model,), rows in empty.group_by("model", maintain_order=True):
        # Random weights give empty answers too, and neither prompt nor token limit is the reason.
        if "model" in random.get(str(model), ()):
            continue
        written = results.filter(
            (pl.col("model") == model) & pl.col("condition").is_in(rows["condition"].unique().to_list())
        )
        answered = int((written["outcome"] == Outcome.ANSWERED.value).sum())
        conditions = ", ".join(rows["condition"].unique(maintain_order=True))
        yield (
            f"{model}: {rows.height:,} of {formatting.plural(answered, 'answer')} in {conditions} "
            f"{'is' if rows.height == 1 else 'are'} empty (flag `{Flag.EMPTY}`) and scored as such: "
            "see its raw output, its chat template and its token limit."
        )
