"""The first sentences: each must follow from the numbers."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
from fake_run import FakeRun

from omnigap_orchestrator.analysis import Analysis, analyse
from omnigap_orchestrator.report.summary_text import Verdict, verdict

CONDITIONS = ("t2t", "s2t", "i2t", "t2s", "s2s", "i2s")


def judged(rates: dict[str, float], items: int = 300, missing: int = 0, outcome: str = "failed") -> Verdict:
    """A model whose first items, so many of them, are right; the rest is wrong. Nested, so that gaps are exact."""
    rows = []
    for condition, rate in rates.items():
        for n in range(items):
            lost = condition != "t2t" and n < missing
            rows.append(
                (
                    "m",
                    "native_omni",
                    f"i{n:04}",
                    f"task {n % 3}",
                    f"i{n:04}",
                    condition,
                    {"t": "text", "s": "speech"}[condition[-1]],
                    outcome if lost else "answered",
                    None if lost else float(n < rate * items),
                )
            )
    names = ["model", "architecture", "item_id", "task", "cluster", "condition", "output", "outcome", "score"]
    table = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
    return verdict(analyse(table), "m")


def plain(markup: str) -> str:
    return re.sub(r"<[^>]+>", "", str(markup))


def test_the_worst_shown_loss_is_named() -> None:
    found = judged(dict(zip(CONDITIONS, (0.9, 0.8, 0.88, 0.85, 0.6, 0.8), strict=True)))
    assert plain(found.headline) == (
        "Asked and answered in text, m scores 90.0 %. It loses most with a spoken question and a spoken answer (s2s): "
        "30.0 points."
    )
    assert "Speaking the question \u221217.5" in plain(found.how_big)
    assert "keep a typed way in" in plain(found.what_to_do).lower()


def test_what_arises_after_the_words_were_chosen_is_told(run: FakeRun, analysis: Analysis) -> None:
    spoken = run.results.filter(pl.col("condition") == "t2s")
    loss = 100 * (spoken["score"] - spoken["own_text_score"]).mean()  # type: ignore[operator]
    assert loss < 0
    told = plain(verdict(analysis, "cascade").how_big)
    assert f"In t2s, \u2212{abs(loss):.1f} arise in voicing and in our hearing of it." in told


def test_no_difference_is_not_called_no_gap() -> None:
    rates = np.full(6, 0.7)
    rates[4] = 0.69
    found = judged(dict(zip(CONDITIONS, rates, strict=True)))
    assert "no other condition is shown to differ" in plain(found.headline)
    assert "may be chance" in plain(found.headline)
    told = plain(found.what_to_do)
    assert "not the same as no cost" in told
    assert told.endswith("This run has the items for a gap of 3.0 points.")


def test_too_few_items_are_told_with_how_many_it_takes() -> None:
    """One of 48 items is lost: variance 1/48, and 2.8016^2 / 48 / .03^2 = 181.7."""
    told = plain(judged({"t2t": 0.75, "t2s": 35 / 48, "s2t": 0.75}, items=48).what_to_do)
    assert "a gap of 3.0 points takes up to 182 of them (80 % power), and this run has 48." in told


def test_a_gain_is_not_told_as_a_loss() -> None:
    found = judged({"t2t": 0.5, "s2t": 0.8})
    assert "scores higher in s2t, by 30.0 points, and no loss is shown" in plain(found.headline)
    assert "avoid" not in plain(found.what_to_do)


def test_refused_gaps_give_their_reason_and_no_number() -> None:
    found = judged(dict.fromkeys(CONDITIONS, 0.7), missing=30)
    assert "no gap can be given: 30 of 300 planned pairs lack a score" in plain(found.headline)
    assert "5 gaps refused" in plain(found.how_sure)
    assert "asks the 150 failed cells once more" in plain(found.what_to_do)


def test_pending_cells_come_before_any_advice() -> None:
    found = judged(dict(zip(CONDITIONS, (0.9, 0.5, 0.5, 0.5, 0.5, 0.5), strict=True)), missing=2, outcome="pending")
    assert plain(found.what_to_do) == "Finish the run first: 10 cells are pending. The same command goes on."


def test_a_model_without_the_reference_condition_has_no_gap() -> None:
    found = judged({"s2t": 0.5})
    assert plain(found.headline) == "m has no scored answers in t2t, so no gap can be given."
