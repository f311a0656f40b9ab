"""An extra of another package adds what it registers, and the core measures without any extra."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from omnigap_orchestrator import extension
from omnigap_orchestrator.analysis.summary import all_tables
from omnigap_orchestrator.config import ConfigError, load_config
from omnigap_orchestrator.config.config import _with_extras
from omnigap_orchestrator.scoring import known_metrics, scoring_presets
from tests.helpers.running import Setting, item
from tests.helpers.served_doubles import Double, Serve

# A package that omnigap does not know: one extra that uses every kind of contribution.
PACKAGE = '''
from dataclasses import dataclass
from pathlib import Path

import click
import polars as pl
from omnigap_orchestrator.extension import Command, Extra, Metrics
from omnigap_orchestrator.validation import StrictModel


class LengthConfig(StrictModel):
    """[length]"""

    words: int = 3


@click.command()
def lengths() -> None:
    """Prints its name."""
    click.echo("lengths of an outside package")


@dataclass(frozen=True)
class LengthRow:
    model: str
    answers: int


class Length(Extra):
    name = "length"
    commands = {"lengths": Command("outside_extra:lengths", "Show lengths.", after="compare")}
    sections = {"length": "outside_extra:LengthConfig"}

    def metrics(self):
        from omnigap_orchestrator.scoring.metrics import Metric, Scored

        def brief(item, text, answer):
            return Scored(float(len(text.split()) <= 3), "brief", answer)

        return Metrics((Metric("brief", brief),))

    def findings(self, inputs):
        from omnigap_orchestrator.preflight import Finding

        limit = inputs.config.section("length", LengthConfig).words
        return [Finding.warning("length", f"answers of more than {limit} words are long")]

    async def after_pipeline(self, context, cells, scope):
        (context.folder.root / "lengths.txt").write_text(str(len(list(cells))))

    def evidence(self, folder, cells, results, options):
        return "measured"

    def tables(self):
        from omnigap_orchestrator.analysis.table import Table, schema_of

        def compute(given):
            rows = given.results.group_by("model").agg(answers=pl.len().cast(pl.Int64))
            return rows.select(schema_of(LengthRow).names())

        return (Table(name="lengths", row=LengthRow, compute=compute),)

    def summary(self, evidence):
        return {"length_note": evidence}

    def report_sections(self, analysis, results, collect):
        from omnigap_orchestrator.report.sections.section import Section

        return (Section("lengths", "How long answers are", "Length", "Counted in words.", after="gaps"),)

    def methods(self, analysis, info):
        return "Lengths were counted in words."
'''


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder for sys.path with the package above, installed as a distribution with an entry point."""
    folder = tmp_path / "site"
    metadata = folder / "outside_extra-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "outside_extra.py").write_text(PACKAGE)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: outside-extra\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[omnigap.extras]\nlength = outside_extra:Length\n")
    return folder


def forget() -> None:
    """Empties every cache that extras fill."""
    for cached in (extension.extras, all_tables, known_metrics, scoring_presets, _with_extras):
        cached.cache_clear()


@pytest.fixture
def outside(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process with the outside extra installed."""
    monkeypatch.syspath_prepend(site)
    forget()
    yield
    sys.modules.pop("outside_extra", None)
    forget()


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process without any extra."""
    monkeypatch.setattr(extension, "entry_points", lambda group: ())
    forget()
    yield
    forget()


def orchestrate(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Without the test folders that pytest puts on sys.path: some of their files are named like modules of Python.
    path = os.pathsep.join([str(site), *(place for place in sys.path if "tests" not in Path(place).parts)])
    command = [sys.executable, "-m", "omnigap_orchestrator.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, timeout=60)


async def setting_of(host: Serve, folder: Path, **tables: object) -> Setting:
    return Setting(
        folder,
        models={"omni": [await host(Double())]},
        scorer=[await host(Double())],
        tts=[await host(Double())],
        items=[item("france"), item("peru")],
        tables=tables,
    )


def test_its_command_is_listed_behind_its_place_and_runs(site: Path) -> None:
    listed = orchestrate(site, "--help").stdout
    assert listed.index("  compare") < listed.index("  lengths")
    assert orchestrate(site, "lengths").stdout == "lengths of an outside package\n"


def test_an_extra_that_cannot_be_imported_is_named(site: Path) -> None:
    (site / "outside_extra.py").write_text("import a_module_that_is_not_there\n")
    ended = orchestrate(site, "plan")
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert "'length'" in ended.stderr and "a_module_that_is_not_there" in ended.stderr


def test_an_extra_cannot_take_the_name_of_a_core_command(site: Path) -> None:
    path = site / "outside_extra.py"
    path.write_text(path.read_text().replace('"lengths": Command', '"run": Command'))
    ended = orchestrate(site, "--help")
    assert ended.returncode == 1 and "'run'" in ended.stderr


@pytest.mark.usefixtures("outside")
def test_its_section_is_validated_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[length]\nwords = 'many'\n")
    with pytest.raises(ConfigError, match=r"length\.words"):
        load_config(path)
    path.write_text("[length]\nwords = 7\n")
    from outside_extra import LengthConfig

    assert load_config(path).section("length", LengthConfig).words == 7


def test_without_the_extra_its_section_is_an_unknown_key(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[length]\nwords = 7\n")
    with pytest.raises(ConfigError, match="unknown key 'length'"):
        load_config(path)


@pytest.mark.usefixtures("outside")
async def test_a_run_has_its_stage_metric_finding_table_section_and_methods(host: Serve, tmp_path: Path) -> None:
    setting = await setting_of(host, tmp_path, scoring={"tasks": {"capitals": "brief"}})
    summary = await setting.drive()
    assert (setting.folder.root / "lengths.txt").read_text() == "12"
    assert summary["lengths"] == [{"model": "omni", "answers": 12}]
    assert summary["length_note"] == "measured"
    assert {row["metric"] for row in summary["metrics"]} == {"brief"}
    page = setting.folder.report.read_text(encoding="utf-8")
    assert page.index("How long answers are") > page.index('id="gaps"')
    assert "Lengths were counted in words." in page
    from omnigap_orchestrator.preflight import FULL_SCOPE, check_plan

    found = check_plan(setting.config(), setting.load_items(), FULL_SCOPE, setting.folder.root)
    assert "answers of more than 3 words are long" in [finding.message for finding in found]


@pytest.mark.usefixtures("bare")
async def test_the_core_runs_and_reports_without_any_extra(host: Serve, tmp_path: Path) -> None:
    setting = await setting_of(host, tmp_path)
    summary = await setting.drive()
    assert not summary["incomplete"]
    assert {"accuracy", "gaps", "power"} <= summary.keys()
    assert not {"calibrated", "routes", "carriers"} & summary.keys()
    assert setting.folder.report.is_file()
    json.loads(setting.folder.summary.read_text(encoding="utf-8"))
