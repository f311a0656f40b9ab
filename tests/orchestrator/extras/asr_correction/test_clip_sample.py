"""Spoken answers drawn for human ears, and their labels read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from omnigap_orchestrator.extras.asr_correction.labels import LabelsError, clip_ids, read_labels
from omnigap_orchestrator.extras.asr_correction.sheet import draw_clips, even_shares


def answers(n: int = 200, models: tuple[str, ...] = ("a", "b"), right: float = 0.8) -> pl.DataFrame:
    """Spoken and written answers; a share of each model's is right."""
    rng = np.random.default_rng(7)
    frames = [
        pl.DataFrame(
            {
                "model": model,
                "item_id": [f"q{i}" for i in range(n)],
                "task": "t",
                "cluster": [f"q{i}" for i in range(n)],
                "condition": condition,
                "output": "speech" if condition.endswith("s") else "text",
                "replicate": 0,
                "outcome": "answered",
                "score": (rng.random(n) < right).astype(float),
                "output_media": [f"{model}{condition}{i}" for i in range(n)],
            }
        )
        for model in models
        for condition in ("t2t", "t2s", "s2s")
    ]
    return pl.concat(frames)


def test_shares_are_even_as_far_as_the_sizes_allow() -> None:
    assert even_shares([100, 100, 100], 30) == [10, 10, 10]
    assert even_shares([100, 3, 100], 31) == [14, 3, 14]
    assert even_shares([5, 5], 100) == [5, 5]
    assert even_shares([1, 50, 50], 3) == [1, 2, 2]


def test_the_sample_is_even_over_model_condition_and_right_or_wrong() -> None:
    sample = draw_clips(answers(), 80, seed=1)
    assert sample.height == 80
    cells = sample.with_columns(right=pl.col("score") >= 0.5).group_by("model", "condition", "right").len()
    assert cells["len"].to_list() == [10] * 8
    assert set(sample["output"]) == {"speech"}
    assert sample["clip"].is_unique().all()
    assert sample["stratum"].n_unique() == 8


def test_inclusion_probabilities_are_those_of_the_draw() -> None:
    results = answers()
    sample = draw_clips(results, 80, seed=1)
    sizes = clip_ids(results).with_columns(right=pl.col("score") >= 0.5).group_by("model", "condition", "right").len()
    told = sample.group_by("stratum").agg(pl.col("stratum_size").first(), pl.col("inclusion_probability").first())
    assert sorted(told["stratum_size"]) == sorted(sizes["len"])
    assert (told["inclusion_probability"] * told["stratum_size"]).to_list() == pytest.approx([10.0] * 8)
    # Over many draws every answer is drawn as often as it is said to be.
    some = results.filter(pl.col("model") == "a").filter(pl.col("item_id").is_in([f"q{i}" for i in range(12)]))
    drawn = pl.concat([draw_clips(some, 8, seed=seed).select("clip", "inclusion_probability") for seed in range(400)])
    rates = drawn.group_by("clip").agg(pl.len() / 400, pl.col("inclusion_probability").first())
    assert (rates["len"] - rates["inclusion_probability"]).abs().max() < 4 * np.sqrt(0.25 / 400)  # type: ignore[operator]


def test_the_same_seed_draws_the_same_and_the_order_tells_nothing() -> None:
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


def written(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_labels_by_clip_find_their_answers(tmp_path: Path) -> None:
    sample = draw_clips(answers(models=("a",)), 8, seed=1)
    words = ["right", "wrong", "unsure", "", "1", "FALSE", "right", "wrong"]
    columns = ["clip", "stratum", "stratum_size", "inclusion_probability"]
    path = tmp_path / "labels.csv"
    sample.select(columns).with_columns(label=pl.Series(words)).write_csv(path)
    labels = read_labels(path, answers(models=("a",)))
    assert labels["label"].to_list() == [1, 0, None, 1, 0, 1, 0]
    kept = sample.filter(pl.Series(words) != "")
    assert labels["item_id"].to_list() == kept["item_id"].to_list()
    assert labels["inclusion_probability"].to_list() == kept["inclusion_probability"].to_list()


def test_labels_by_cell_and_by_several_people_are_taken(tmp_path: Path) -> None:
    path = written(tmp_path, "model,condition,item_id,label\na,t2s,q1,right\na,t2s,q1,wrong\na,t2s,q2,right\n")
    labels = read_labels(path, answers())
    assert labels["label"].to_list() == [0.5, 1.0]
    assert labels["inclusion_probability"].null_count() == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clip,label\nabc,right\n", "line 2: clip 'abc' is no answer of this run"),
        ("model,condition,item_id,label\na,t2s,q1,good\n", "line 2: label 'good' is unknown: write right, wrong"),
        ("model,condition,item_id,label\na,t2s,q1,\n", "holds no label"),
        ("model,condition,item_id,label\na,t2s,q999,right\n", "no scored answer of a q999 t2s"),
        ("condition,item_id,label\nt2s,q1,right\n", "no column 'model', and there are 2"),
        ("label\nright\n", "neither a column 'clip' nor a column 'item_id'"),
        ("item_id\nq1\n", "no column 'label'"),
        ("model,condition,item_id,label,inclusion_probability\na,t2s,q1,right,7\n", "inclusion_probability '7' is no"),
    ],
)
def test_labels_that_cannot_be_used_are_refused_with_their_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(LabelsError) as caught:
        read_labels(written(tmp_path, text), answers())
    assert said in str(caught.value)


def test_a_column_called_line_is_only_another_column(tmp_path: Path) -> None:
    path = written(tmp_path, "line,item_id,condition,model,label\n7,q1,t2s,a,right\n")
    assert read_labels(path, answers())["label"].to_list() == [1.0]


def test_replicates_that_are_words_are_refused_with_the_word(tmp_path: Path) -> None:
    path = written(tmp_path, "item_id,condition,model,label\nq1,t2s,a,right\n")
    with pytest.raises(LabelsError, match="replicate 'first' is no whole number"):
        read_labels(path, answers().with_columns(replicate=pl.lit("first")))


def test_a_clip_of_another_answer_is_another_clip() -> None:
    results = answers(5)
    changed = results.with_columns(output_media=pl.lit("again"))
    assert not set(clip_ids(results)["clip"]) & set(clip_ids(changed)["clip"])
