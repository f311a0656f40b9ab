"""The first screen rests on the model's own text where it has one; what synthesis and ASR change stands beside it."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from omnigap_orchestrator.analysis import analyse
from tests.orchestrator.analysis.made_up_results import drawn, table

WHERE = {"pooling": "item_weighted", "missing": "answered_pairs"}


def spoken(
    lost_in_asr: int, lost_by_model: int, items: int = 100, *, own_texts: int | None = None, empty: int = 0
) -> pl.DataFrame:
    """t2t all right; t2s loses some items in the own text, and others only in the transcript.

    Args:
        own_texts: number of answers that come with an own text; None: all. The others have an empty one.
        empty: further answers with an empty own text and an empty transcript.
    """
    rows: list[dict[str, object]] = [{"item_id": f"q{i:03}", "condition": "t2t", "score": 1.0} for i in range(items)]
    for i in range(items):
        own = float(i >= lost_by_model)
        heard = own if i >= lost_by_model + lost_in_asr else 0.0
        written = own_texts is None or i < own_texts
        silent = i >= items - empty
        rows.append(
            {
                "item_id": f"q{i:03}",
                "condition": "t2s",
                "score": 0.0 if silent else heard,
                "own_text": "Paris" if written and not silent else "",
                "own_text_score": own if written and not silent else None,
                "transcript": "" if silent else "paris",
            }
        )
    return table(rows)


def row(frame: pl.DataFrame, **where: str) -> dict[str, object]:
    return frame.filter(condition="t2s", **where).row(0, named=True)


@settings(deadline=None, max_examples=25)
@given(lost_in_asr=st.integers(0, 60), lost_by_model=st.integers(0, 40))
def test_the_headline_does_not_change_with_what_the_asr_loses(lost_in_asr: int, lost_by_model: int) -> None:
    tables = analyse(spoken(lost_in_asr, lost_by_model)).frames
    found = row(tables["headline_gaps"], **WHERE)
    assert found["source"] == "own_text"
    assert found["estimate"] == pytest.approx(-lost_by_model / 100)
    beside = row(tables["synthesis_and_asr"])
    assert beside["estimate"] == pytest.approx(-lost_in_asr / 100)
    transcribed = row(tables["gaps"], **WHERE)["estimate"]
    assert transcribed == pytest.approx(found["estimate"] + beside["estimate"])  # type: ignore[operator]


def test_without_own_texts_the_transcript_is_used_and_named() -> None:
    for results in (spoken(10, 5, own_texts=0), spoken(10, 5).drop("own_text", "own_text_score")):
        tables = analyse(results).frames
        found = row(tables["headline_gaps"], **WHERE)
        assert (found["source"], found["estimate"]) == ("transcript", pytest.approx(-0.15))
        assert tables["synthesis_and_asr"].is_empty()


def test_a_few_own_texts_do_not_make_the_other_answers_wrong() -> None:
    found = row(analyse(spoken(0, 0, own_texts=60)).frames["headline_gaps"], **WHERE)
    assert (found["source"], found["estimate"]) == ("transcript", 0.0)


def test_silence_with_an_empty_own_text_is_a_wrong_answer_of_the_model() -> None:
    found = row(analyse(spoken(0, 0, empty=12)).frames["headline_gaps"], **WHERE)
    assert (found["source"], found["estimate"], found["n"]) == ("own_text", pytest.approx(-0.12), 100)


def test_scores_of_another_tool_have_no_source() -> None:
    bare = spoken(10, 5).select("model", "item_id", "task", "cluster", "condition", "outcome", "score")
    assert row(analyse(bare).frames["headline_gaps"], **WHERE)["source"] is None


def test_contrasts_without_own_text_are_the_same_rows_in_both_tables() -> None:
    results = drawn(80).with_columns(own_text=pl.lit("Paris"), own_text_score=pl.col("score").shuffle(seed=3))
    tables = analyse(results).frames
    for name in ("gaps", "accuracy", "gaps_by_task", "accuracy_by_task"):
        typed = pl.col("condition").str.ends_with("2t")
        # The first screen shows item-weighted accuracies.
        base = tables[name] if name.startswith("gaps") else tables[name].filter(pooling="item_weighted")
        one, other = base.filter(typed), tables[f"headline_{name}"].filter(typed)
        assert one.height > 0
        assert_frame_equal(one, other.drop("source"))
        assert base.height == tables[f"headline_{name}"].height


def test_a_contrast_has_one_adjusted_p_in_all_tables() -> None:
    results = drawn(80).with_columns(own_text=pl.lit("Paris"), own_text_score=pl.col("score").shuffle(seed=3))
    tables = analyse(results).frames
    gaps = {r["condition"]: r for r in tables["headline_gaps"].filter(**WHERE).iter_rows(named=True)}
    transcribed = {r["condition"]: r for r in tables["gaps"].filter(**WHERE).iter_rows(named=True)}
    for found, simple in ((gaps, "headline_effects"), (transcribed, "effects")):
        for effect in tables[simple].filter(kind="simple", **WHERE).iter_rows(named=True):
            condition, _, reference = effect["formula"].partition(" - ")
            if reference == "t2t":
                same = found[condition]
                assert (effect["p_adjusted"], effect["family"]) == (same["p_adjusted"], same["family"])
    assert gaps["s2t"]["p_adjusted"] == transcribed["s2t"]["p_adjusted"]
    assert gaps["s2s"]["family"] == "gaps and main effects of demo (8)".replace("demo", gaps["s2s"]["model"])
    assert transcribed["s2s"]["family"].endswith("by transcript (6)")


def test_a_single_task_has_the_adjusted_p_of_the_whole() -> None:
    tables = analyse(drawn(80, tasks=("all",))).frames
    by_task = tables["headline_gaps_by_task"].filter(missing="answered_pairs")
    whole = tables["headline_gaps"].filter(**WHERE)
    assert by_task["p_adjusted"].to_list() == whole["p_adjusted"].to_list()
