"""Tests of the stratified sample of spoken answers."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from omnigap_orchestrator.extras.asr_correction.labels import clip_ids
from omnigap_orchestrator.extras.asr_correction.sheet import draw_clips, even_shares
from tests.orchestrator.extras.asr_correction.spoken_answers import answers


def test_shares_are_as_even_as_the_sizes_allow() -> None:
    assert even_shares([100, 100, 100], 30) == [10, 10, 10]
    assert even_shares([100, 3, 100], 31) == [14, 3, 14]
    assert even_shares([5, 5], 100) == [5, 5]
    assert even_shares([1, 50, 50], 3) == [1, 2, 2]


def test_the_sample_is_even_over_strata() -> None:
    sample = draw_clips(answers(), 80, seed=1)
    assert sample.height == 80
    cells = sample.with_columns(right=pl.col("score") >= 0.5).group_by("model", "condition", "right").len()
    assert cells["len"].to_list() == [10] * 8
    assert set(sample["output"]) == {"speech"}
    assert sample["clip"].is_unique().all()
    assert sample["stratum"].n_unique() == 8


def test_inclusion_probabilities_match_the_draws() -> None:
    results = answers()
    sample = draw_clips(results, 80, seed=1)
    sizes = clip_ids(results).with_columns(right=pl.col("score") >= 0.5).group_by("model", "condition", "right").len()
    strata = sample.group_by("stratum").agg(pl.col("stratum_size").first(), pl.col("inclusion_probability").first())
    assert sorted(strata["stratum_size"]) == sorted(sizes["len"])
    assert (strata["inclusion_probability"] * strata["stratum_size"]).to_list() == pytest.approx([10.0] * 8)
    # Over many samples, every answer is drawn as often as its inclusion probability says.
    some = results.filter(pl.col("model") == "a").filter(pl.col("item_id").is_in([f"q{i}" for i in range(12)]))
    drawn = pl.concat([draw_clips(some, 8, seed=seed).select("clip", "inclusion_probability") for seed in range(400)])
    rates = drawn.group_by("clip").agg(pl.len() / 400, pl.col("inclusion_probability").first())
    assert (rates["len"] - rates["inclusion_probability"]).abs().max() < 4 * np.sqrt(0.25 / 400)  # type: ignore[operator]


def test_the_seed_fixes_the_sample_and_its_order_is_random() -> None:
    first, again, other = (draw_clips(answers(), 40, seed=seed) for seed in (1, 1, 2))
    assert first.equals(again)
    assert set(first["clip"]) != set(other["clip"])
    assert first["stratum"].to_list() != sorted(first["stratum"])


def test_answers_without_audio_or_score_are_not_drawn() -> None:
    results = answers(20).with_columns(
        output_media=pl.when(pl.col("item_id") != "q3").then("output_media"),
        score=pl.when(pl.col("item_id") != "q4").then("score"),
    )
    assert not set(draw_clips(results, 500, seed=1)["item_id"]) & {"q3", "q4"}
    assert draw_clips(results.filter(output="text"), 10, seed=1).is_empty()
