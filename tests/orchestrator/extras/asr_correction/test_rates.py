"""The scorer as an key: rates with honest sizes, bands by clip_kind, errors on words and answers, human labels."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from omnigap_orchestrator.analysis import IntervalOptions, MissingRule, analyse
from omnigap_orchestrator.extras.asr_correction.human import LABELS_SCHEMA, human
from omnigap_orchestrator.extras.asr_correction.rates import AsrEvidence, calibrations_of, effective_size, rates
from omnigap_orchestrator.extras.asr_correction.rogan_gladen import corrected
from omnigap_orchestrator.extras.asr_correction.transcript_errors import GOLDS_SCHEMA, transcript_errors
from tests.orchestrator.analysis.made_up_results import drawn, table

OPTIONS = IntervalOptions()


def clips(rows: list[tuple[str, str, str, bool]], answer_type: str = "entity") -> pl.DataFrame:
    """Clips of (item, clip_kind, what was said, scored right)."""
    frame = pl.DataFrame(rows, schema=["item_id", "clip_kind", "spoken", "scored_right"], orient="row")
    return frame.with_columns(
        answer_type=pl.lit(answer_type),
        language=pl.lit("en"),
        outcome=pl.lit("answered"),
        truly_right=pl.col("clip_kind") == "gold",
        truth=pl.col("spoken"),
        transcript=pl.col("spoken"),
        voice=pl.lit(None, pl.String),
    )


def usual(errors: int = 4, n: int = 40) -> pl.DataFrame:
    """As many gold answers, distractors and confusables; some golds lost, every fourth confusable taken for right."""
    golds = [(f"q{i}", "gold", f"gold {i}", i >= errors) for i in range(n)]
    plain = [(f"q{i}", "distractor", f"plain {i}", False) for i in range(n)]
    alike = [(f"q{i}", "confusable", f"alike {i}", i % 4 == 0) for i in range(n)]
    return clips([*golds, *plain, *alike])


def test_q1_and_q0_are_told_by_kind_of_foil() -> None:
    found = {row["clip_kind"]: row for row in rates(usual(), OPTIONS).iter_rows(named=True)}
    assert found["gold"]["quantity"] == "q1"
    assert found["gold"]["estimate"] == pytest.approx(0.9)
    assert {name: found[name]["estimate"] for name in ("distractor", "confusable", "all_wrong")} == pytest.approx(
        {"distractor": 1.0, "confusable": 0.75, "all_wrong": 0.875}
    )
    assert found["gold"]["low"] < 0.9 < found["gold"]["high"]
    assert found["distractor"]["low"] < 1.0 == found["distractor"]["high"]


def test_one_letter_said_for_thirty_items_is_one_text() -> None:
    same = clips([(f"q{i}", "gold", "Option B.", True) for i in range(30)], "letter")
    many = clips([(f"q{i}", "gold", f"text {i}", True) for i in range(30)], "letter")
    narrow, wide = rates(many, OPTIONS).row(0, named=True), rates(same, OPTIONS).row(0, named=True)
    assert (wide["n"], wide["texts"], narrow["texts"]) == (30, 1, 30)
    assert wide["low"] < 0.3 < 0.85 < narrow["low"]


def test_the_effective_size_lies_between_texts_and_clips() -> None:
    rng = np.random.default_rng(1)
    cluster = np.repeat(np.arange(50), 4)
    alone = (rng.random(200) < 0.8).astype(float)
    together = np.repeat((rng.random(50) < 0.8).astype(float), 4)
    assert effective_size(together, cluster) == pytest.approx(50, rel=0.05)
    assert 120 < effective_size(alone, cluster) <= 200
    assert effective_size(np.ones(200), cluster) == pytest.approx(50)
    assert effective_size(alone, np.arange(200)) == 200


def test_clips_without_a_transcript_count_for_nothing() -> None:
    lost = usual().with_columns(
        outcome=pl.when(pl.col("item_id") == "q0").then(pl.lit("failed")).otherwise("outcome"),
        scored_right=pl.when(pl.col("item_id") != "q0").then("scored_right"),
    )
    (calibration,) = calibrations_of(lost)
    assert calibration.positives == 39
    assert calibration.q1 == pytest.approx(36 / 39)


def test_the_band_takes_q0_from_one_kind_of_foil_and_falls_back_where_a_type_has_none() -> None:
    assert calibrations_of(usual(), "distractor")[0].q0 == 1.0
    assert calibrations_of(usual(), "confusable")[0].q0 == pytest.approx(0.75)
    without = usual().filter(pl.col("clip_kind") != "confusable")
    assert calibrations_of(without, "confusable")[0].q0 == 1.0
    assert calibrations_of(usual().filter(clip_kind="gold")) == ()


def test_the_analysis_gives_corrected_scores_with_their_band() -> None:
    results = drawn(300).with_columns(answer_type=pl.lit("entity"))
    found = analyse(results, evidence={"asr_correction": AsrEvidence(clips=usual())})
    row = found.frames["calibrated"].filter(condition="t2s").row(0, named=True)
    assert row["corrected"] == pytest.approx(corrected(row["raw"], 0.875, 0.9))
    assert row["corrected_distractor"] == pytest.approx(corrected(row["raw"], 1.0, 0.9))
    assert row["corrected_confusable"] == pytest.approx(corrected(row["raw"], 0.75, 0.9))
    t2t = results.filter(condition="t2t")["score"].mean()
    assert row["gap_distractor"] == pytest.approx(row["corrected_distractor"] - t2t)
    assert found.frames["accuracy"].equals(analyse(results).frames["accuracy"])
    assert found.to_json()["calibrated"]


def test_without_a_calibration_nothing_is_corrected_and_nothing_said_of_it() -> None:
    found = analyse(drawn(50))
    assert (
        found.frames["calibration"].is_empty()
        and found.frames["calibrated"].is_empty()
        and found.frames["human"].is_empty()
    )
    refused = analyse(
        drawn(50).with_columns(answer_type=pl.lit("entity")),
        evidence={"asr_correction": AsrEvidence(refused="of another scorer")},
    )
    assert set(refused.frames["calibrated"]["reason"]) == {"of another scorer"}
    assert refused.frames["calibrated"]["corrected"].null_count() == refused.frames["calibrated"].height


def test_word_and_entity_errors_are_pooled_against_known_and_own_texts() -> None:
    said = clips([("q1", "gold", "New York City", True), ("q1", "distractor", "Moby Dick", False)]).with_columns(
        transcript=pl.Series(["new york city", "moby tick"])
    )
    results = pl.DataFrame(
        {
            "model": "m",
            "condition": "t2s",
            "item_id": ["q1", "q2"],
            "outcome": "answered",
            "own_text": ["It is New York City.", "It is Rome."],
            "transcript": ["it is new york silly", "it is rome"],
        }
    )
    golds = pl.DataFrame(
        [("q1", "en", ["New York City", "NYC"]), ("q2", "en", ["Rome"])], schema=GOLDS_SCHEMA, orient="row"
    )
    rows = transcript_errors(results, golds, said).to_dicts()
    by_clip = next(row for row in rows if row["against"] == "calibration" and row["answer_type"] is None)
    assert (by_clip["wer_errors"], by_clip["wer_words"]) == (1, 5)
    assert by_clip["ne_fnr"] == pytest.approx(0.5)
    own = next(row for row in rows if row["against"] == "own_text")
    assert (own["wer_errors"], own["wer_words"]) == (1, 8)
    assert own["wer"] == pytest.approx(1 / 8)
    # Of the four words of the two answers one was heard wrong.
    assert own["ne_wer"] == pytest.approx(1 / 4)
    assert own["entities"] == 2


def test_a_voice_that_loses_the_tail_of_its_text_covers_less_of_it() -> None:
    results = pl.DataFrame(
        {
            "model": "m",
            "condition": "t2s",
            "item_id": ["q1", "q2"],
            "outcome": "answered",
            "own_text": ["It is Lima, the capital of Peru.", "It is Rome."],
            # A misheard word was voiced, a word too many covers nothing.
            "transcript": ["it is lemur", "well it is rome"],
        }
    )
    golds = pl.DataFrame([("q1", "en", ["Lima"]), ("q2", "en", ["Rome"])], schema=GOLDS_SCHEMA, orient="row")
    (row,) = transcript_errors(results, golds).to_dicts()
    # Articles are no words: it is lima capital of peru; it is rome.
    assert row["wer_words"] == 9
    assert row["coverage"] == pytest.approx(6 / 9)


def answers(n: int = 400) -> tuple[pl.DataFrame, dict[str, bool]]:
    """Spoken answers that the scorer takes for wrong too often, text answers, and the truth by item."""
    rng = np.random.default_rng(2)
    truth = rng.random(n) < 0.8
    heard = truth & (rng.random(n) < 0.85)
    text = truth | (rng.random(n) < 0.1)
    names = [f"q{i}" for i in range(n)]
    both = [
        pl.DataFrame({"item_id": names, "condition": name, "score": score.astype(float)})
        for name, score in (("t2s", heard), ("t2t", text))
    ]
    frame = pl.concat(both).with_columns(
        model=pl.lit("m"), task=pl.lit("t"), cluster=pl.col("item_id"), outcome=pl.lit("answered"), replicate=0
    )
    return frame, dict(zip(names, truth.tolist(), strict=True))


def labelled(results: pl.DataFrame, truth: dict[str, bool], per_stratum: int) -> pl.DataFrame:
    spoken = results.filter(condition="t2s")
    parts = [spoken.filter(score=score).sample(per_stratum, seed=3) for score in (0.0, 1.0)]
    sizes = [spoken.filter(score=score).height for score in (0.0, 1.0)]
    rows = [
        ("m", "t2s", item, 0, float(truth[item]), per_stratum / size)
        for part, size in zip(parts, sizes, strict=True)
        for item in part["item_id"]
    ]
    return pl.DataFrame(rows, schema=LABELS_SCHEMA, orient="row")


def test_human_labels_move_score_and_gap_to_the_truth() -> None:
    results, truth = answers()
    score, gap = human(results, labelled(results, truth, 60), OPTIONS).iter_rows(named=True)
    true = np.mean(list(truth.values()))
    assert score["raw"] < true - 0.05
    assert abs(score["estimate"] - true) < 2.5 * score["se"]
    text = results.filter(condition="t2t")["score"].mean()
    assert gap["estimate"] == pytest.approx(score["estimate"] - text)
    assert gap["se"] < score["se"]
    assert (score["labelled"], score["undecided"], score["n"]) == (120, 0, 400)
    assert 0.8 < score["agreement"] < 0.95


def test_undecided_labels_are_told_and_weigh_nothing() -> None:
    results, truth = answers()
    labels = labelled(results, truth, 60)
    unsure = labels.with_columns(label=pl.when(pl.int_range(pl.len()) % 10 != 0).then("label"))
    score = human(results, unsure, OPTIONS).row(0, named=True)
    assert (score["labelled"], score["undecided"]) == (108, 12)
    assert abs(score["estimate"] - np.mean(list(truth.values()))) < 3 * score["se"]


def test_labels_of_unknown_probability_are_taken_as_drawn_alike() -> None:
    results, truth = answers()
    spoken = results.filter(condition="t2s").sample(100, seed=4)["item_id"]
    rows = [("m", "t2s", item, 0, float(truth[item]), None) for item in spoken]
    score = human(results, pl.DataFrame(rows, schema=LABELS_SCHEMA, orient="row"), OPTIONS).row(0, named=True)
    assert score["lam"] > 0.3
    true = np.mean(list(truth.values()))
    assert abs(score["estimate"] - true) < 3 * score["se"]
    assert score["se"] < np.sqrt(true * (1 - true) / 100)


def test_a_probability_that_is_none_is_refused() -> None:
    results, truth = answers()
    labels = labelled(results, truth, 5).with_columns(inclusion_probability=pl.lit(0.0))
    with pytest.raises(ValueError, match=r"inclusion_probability 0.0 lies outside"):
        human(results, labels, OPTIONS)


def test_a_reference_that_people_labelled_too_is_not_taken_as_scored() -> None:
    rng = np.random.default_rng(11)
    n = 3000
    truth = {"text": rng.random(n) < 0.6, "spoken": rng.random(n) < 0.5}
    # The scorer is kind to the reference alone: it passes half of its wrong answers.
    scored = {"text": truth["text"] | (rng.random(n) < 0.5), "spoken": truth["spoken"]}
    rows = [
        {"item_id": f"q{i:04}", "condition": name, "score": float(scored[name][i])} for name in truth for i in range(n)
    ]
    asked = rng.choice(n, 600, replace=False)
    labels = pl.DataFrame(
        [("alpha", name, f"q{i:04}", 0, float(truth[name][i]), None) for name in truth for i in asked],
        schema=LABELS_SCHEMA,
        orient="row",
    )
    found = human(table(rows), labels, IntervalOptions(), reference="text")
    (gap,) = found.filter(quantity="gap").rows(named=True)
    real = float(truth["spoken"].mean() - truth["text"].mean())
    assert gap["raw"] < real - 0.15
    assert gap["low"] < real < gap["high"] < gap["low"] + 0.12
    # Nothing but the condition is labelled: then the reference's scores are all that there is.
    alone = human(table(rows), labels.filter(condition="spoken"), IntervalOptions(), reference="text")
    assert alone.filter(quantity="gap")["estimate"].item() == pytest.approx(gap["raw"], abs=0.01)


def test_several_answers_an_item_and_labels_of_the_reference_give_no_gap_and_say_so() -> None:
    rows = [
        {"item_id": f"q{i}", "condition": name, "score": 1.0, "replicate": replicate}
        for name in ("text", "spoken")
        for i in range(5)
        for replicate in (0, 1)
    ]
    labels = pl.DataFrame(
        [("alpha", name, f"q{i}", 0, 1.0, None) for name in ("text", "spoken") for i in range(5)],
        schema=LABELS_SCHEMA,
        orient="row",
    )
    (gap,) = human(table(rows), labels, IntervalOptions(), reference="text").filter(quantity="gap").rows(named=True)
    assert gap["estimate"] is None
    assert "label one replicate" in gap["reason"]


def test_a_gap_with_labels_is_refused_for_missing_answers_as_any_other() -> None:
    results, truth = answers()
    labels = labelled(results, truth, 60)
    lost = (pl.col("condition") == "t2t") & pl.col("item_id").is_in([f"q{i}" for i in range(20)])
    failed = results.with_columns(outcome=pl.when(lost).then(pl.lit("failed")).otherwise("outcome"))
    score, gap = human(failed, labels, OPTIONS).iter_rows(named=True)
    assert score["estimate"] is not None
    assert (gap["raw"], gap["estimate"], gap["low"]) == (None, None, None)
    assert "20 of 400" in gap["reason"]
    _, shown = human(failed, labels, OPTIONS, rule=MissingRule(allow=True)).iter_rows(named=True)
    assert shown["estimate"] is not None
