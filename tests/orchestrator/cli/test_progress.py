"""Progress of a run: lines without a terminal, bars in one, and neither with --quiet."""

from __future__ import annotations

import pytest

from omnigap.vocabulary import Condition, Outcome
from omnigap_orchestrator.cli.progress import observer_for
from omnigap_orchestrator.pipeline.scope import Stage


@pytest.mark.parametrize("quiet", [True, False])
def test_progress_without_a_terminal_is_reported_in_tenths_unless_quiet(
    quiet: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    condition = Condition.parse("t2t")
    with observer_for(quiet=quiet) as observer:
        observer.note("a note")
        observer.planned(Stage.GENERATE, "omni", condition, 100, 20)
        for _ in range(80):
            observer.finished(Stage.GENERATE, "omni", condition, Outcome.ANSWERED)
    written = capsys.readouterr()
    assert written.out == ""
    assert "a note" in written.err
    assert written.err.count("cells generated") == (0 if quiet else 9)
    assert ("100 of 100 cells" in written.err) is not quiet


def test_a_terminal_shows_a_bar_with_a_rate_for_each_model_and_condition(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with observer_for(quiet=False) as observer:
        observer.preparing("carriers", 1, 2)
        observer.preparing("carriers", 2, 2)
        for stage in (Stage.GENERATE, Stage.TRANSCRIBE):
            for name in ("t2s", "s2s"):
                observer.planned(stage, "omni [x]", Condition.parse(name), 4, 1)
                observer.finished(stage, "omni [x]", Condition.parse(name), Outcome.ANSWERED)
        observer.finished(Stage.SCORE, "omni [x]", Condition.parse("t2s"), Outcome.ANSWERED)
    written = capsys.readouterr()
    assert written.out == ""
    for word in ("omni [x]", "t2s", "s2s", "generate", "transcribe", "2/4", "/s"):
        assert word in written.err
