"""The output files of a run: when they are rewritten, and human labels with --verified-only."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from omnigap_orchestrator.export import write
from omnigap_orchestrator.export.write import current_summary
from omnigap_orchestrator.extras.readback.table import VERIFICATION_SCHEMA
from omnigap_orchestrator.journal import Journal, Records
from omnigap_orchestrator.pipeline.folder import load_plan
from omnigap_orchestrator.run import report
from omnigap_services.adapter import Turn
from tests.helpers.running import Setting, Silent
from tests.helpers.served_doubles import Double, Serve, say


def paris(turn: Turn) -> None:
    say(turn, "Paris")


async def ran(root: Path, host: Serve, *conditions: str) -> Setting:
    """A complete run of three items."""
    places = {"models": {"omni": [await host(Double(paris))]}, "scorer": [await host(Double(paris))]}
    setting = Setting(
        root,
        tables={"run": {"conditions": list(conditions)}},
        tts=[await host(Double())],
        **places,  # type: ignore[arg-type]
    )
    assert (await setting.drive())["complete"]
    return setting


def is_current(setting: Setting) -> bool:
    journal = Journal(setting.folder.journal)
    try:
        return current_summary(setting.folder, Records(journal), load_plan(setting.folder)[0]) is not None
    finally:
        journal.close()


async def test_partly_written_files_with_other_options_are_rewritten(
    tmp_path: Path, host: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = await ran(tmp_path, host, "t2t", "s2t")
    assert is_current(setting)

    def killed(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    # summary.json is written with the new options by now; the report is still the old one.
    monkeypatch.setattr(write, "write_report", killed)
    with pytest.raises(KeyboardInterrupt):
        report(setting.folder, Silent(), allow_missing=True).to_json()
    assert not is_current(setting)
    monkeypatch.undo()
    summary = await setting.drive()
    assert not summary["missing_rule"]["allow_missing"]
    assert is_current(setting)


async def test_labels_are_kept_with_verified_only(tmp_path: Path, host: Serve) -> None:
    setting = await ran(tmp_path, host, "t2t", "s2s")
    table = setting.table().filter(condition="s2s")
    labels = tmp_path / "labels.csv"
    table.select("item_id", "condition", label=pl.lit("right")).write_csv(labels)
    verdicts = ["kept", "kept", "lost"]
    facts = {"item_id": table["item_id"], "modality": ["speech"] * 3, "media": table["input_media"]}
    blank = {name: pl.Series(name, [None] * 3, dtype) for name, dtype in VERIFICATION_SCHEMA.items()}
    verification = pl.DataFrame({**blank, **facts, "verdict": verdicts}, schema=VERIFICATION_SCHEMA)
    verification.write_parquet(setting.folder.verification)
    summary = report(setting.folder, Silent(), given={"labels": labels, "verified_only": True}).to_json()
    assert not summary["asr_correction_note"]
    assert [(row["n"], row["labelled"]) for row in summary["human"]] == [(2, 2), (2, 2)]
