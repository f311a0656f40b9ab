"""Every damage to a file of a run is named or harmless, and the run comes back to the same results."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from omnigap.errors import OmnigapError, first_error
from omnigap_orchestrator.cli.inputs import results_of
from omnigap_orchestrator.export.check_run import check_run, repair_run
from omnigap_orchestrator.export.summary import Summary
from omnigap_orchestrator.preflight import Finding, Status
from omnigap_orchestrator.run import report
from omnigap_services.adapter import Turn
from omnigap_services.loop_thread import LoopThread
from omnigap_services.server import Server, ServerOptions
from tests.helpers.damage import DAMAGES
from tests.helpers.running import Setting, Silent, item, without_times
from tests.helpers.served_doubles import Double, say

ITEMS = [item("france"), item("spain", instruction="Answer with one word.")]
TABLES = {"run": {"conditions": ["t2t", "s2s", "i2t"], "controls": ["blank"]}}


def paris(turn: Turn) -> None:
    say(turn, "Paris")


@dataclass
class Finished:
    """A finished run, and a copy of its folder as it was."""

    setting: Setting
    pristine: Path
    results: pl.DataFrame

    @property
    def root(self) -> Path:
        return self.setting.folder.root

    def restore(self) -> None:
        shutil.rmtree(self.root)
        shutil.copytree(self.pristine, self.root, symlinks=True)

    def equals(self, results: pl.DataFrame) -> bool:
        return without_times(results).drop("run").equals(without_times(self.results).drop("run"))


async def _serve(double: type[Double], *how: object) -> Server:
    server = Server(double(*how), ServerOptions(drain_seconds=0))  # type: ignore[arg-type]
    await server.start()
    return server


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    loop = LoopThread("servers of a damaged run")
    servers = [loop.run(_serve(Double, paris)), loop.run(_serve(Double, paris)), loop.run(_serve(Double))]
    model, scorer, tts = ([server.address] for server in servers)
    root = tmp_path_factory.mktemp("damaged")
    setting = Setting(root, {"omni": model}, scorer, tts, items=ITEMS, tables=TABLES)
    assert loop.run(setting.drive())["complete"]
    pristine = root / "pristine"
    shutil.copytree(setting.folder.root, pristine)
    yield Finished(setting, pristine, setting.table())
    for server in servers:
        loop.run(server.stop())


def names_it(summary: Summary, findings: list[Finding]) -> bool:
    """Whether the damage is named in what a user sees."""
    return bool(summary.notes or summary.incomplete) or any(each.status is not Status.OK for each in findings)


@pytest.mark.parametrize("name", DAMAGES)
async def test_damage_is_named_or_harmless_and_the_run_comes_back(name: str, finished: Finished) -> None:
    finished.restore()
    said = DAMAGES[name](finished.root, random.Random(name))
    folder, setting = finished.setting.folder, finished.setting
    findings: list[Finding] = []
    # `doctor` of a folder without a journal and a plan refuses it.
    if folder.journal.exists() or folder.config.exists():
        findings = check_run(folder)
    try:
        if not finished.equals(results_of(finished.root)):
            pytest.fail(f"{said}: other results are read")
    except OmnigapError as error:
        assert str(finished.root) in str(error), said
    try:
        summary = report(folder, Silent())
        assert finished.equals(setting.table()) or names_it(summary, findings), said
    except OmnigapError as error:
        assert str(finished.root) in str(error), said
    try:
        await setting.drive()
    except Exception as error:
        assert isinstance(first_error(error), OmnigapError), said
        repair_run(folder)
        await setting.drive()
    assert finished.equals(setting.table()), said
    assert finished.equals(results_of(finished.root)), said
