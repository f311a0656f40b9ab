"""`plan`: cells, sample sizes and the time left, without calling a service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from omnigap_orchestrator.cli.main import main
from omnigap_services.adapter import Turn
from tests.helpers.running import Setting, item
from tests.helpers.served_doubles import Double, Serve, say

ITEMS = [item("france"), item("peru")]


def paris(turn: Turn) -> None:
    say(turn, "Paris")


def command(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return result.stdout


def json_of(*arguments: str | Path, code: int = 0) -> Any:
    return json.loads(command(*arguments, "--json", code=code))


def test_plan_counts_cells_without_any_service(tmp_path: Path) -> None:
    setting = Setting(tmp_path, {"omni": ["127.0.0.1:1"]}, items=ITEMS, tables={"run": {"replicates": 2}})
    config = setting.write()
    shown = json_of("plan", "--config", config)
    assert (shown["items"], shown["cells"]) == (2, 24)
    assert {
        row["condition"]: (row["cells"], row["done"], row["seconds_left"]) for row in shown["rows"]
    } == dict.fromkeys(("t2t", "s2t", "i2t", "t2s", "s2s", "i2s"), (4, 0, None))
    assert "not measured" in command("plan", "--config", config)
    assert not setting.folder.root.exists()


def test_plan_computes_sample_sizes_from_a_pilot(tmp_path: Path) -> None:
    config = Setting(tmp_path, {"omni": ["127.0.0.1:1"]}, items=ITEMS).write()
    pilot = tmp_path / "pilot.csv"
    pairs = [(number, condition) for number in range(40) for condition in ("t2t", "s2t")]
    lines = [f"q{n},{c},{int(n % 4 != 0 and (c == 't2t' or n % 5 != 0))}" for n, c in pairs]
    pilot.write_text("\n".join(["item_id,condition,score", *lines]))
    needs = json_of("plan", "--config", config, "--target-gap", "0.05", "--pilot", pilot)["needs"]
    (row,) = needs["rows"]
    assert (needs["target_gap"], needs["pilot"], row["condition"]) == (0.05, str(pilot), "s2t")
    assert 0 < row["phi"] < 1
    assert f"{row['needed']:,}" in command("plan", "--config", config, "--target-gap", "0.05", "--pilot", pilot)


def test_plan_without_a_pilot_assumes_an_accuracy(tmp_path: Path) -> None:
    config = Setting(tmp_path, {"omni": ["127.0.0.1:1"]}, items=ITEMS).write()
    assert json_of("plan", "--config", config)["needs"] is None
    assert json_of("plan", "--config", config, "--target-gap", "0.03")["needs"]["pilot"] is None
    assert "70 %" in command("plan", "--config", config, "--target-gap", "0.03")
    assert "70 %" not in command("plan", "--config", config)
    refused = CliRunner().invoke(main, ["plan", "--config", str(config), "--target-gap", "3"])
    assert refused.exit_code == 2
    assert "--target-gap" in refused.output


async def test_plan_shows_done_cells_and_the_time_left(tmp_path: Path, host: Serve) -> None:
    setting = Setting(tmp_path, {"omni": [await host(Double(paris))]}, items=ITEMS)
    await setting.execute(conditions=["t2t"])
    rows = {row["condition"]: row for row in json_of("plan", "--config", setting.write())["rows"]}
    assert (rows["t2t"]["done"], rows["t2t"]["seconds_left"]) == (2, 0)
    assert (rows["i2t"]["done"], rows["i2t"]["seconds_left"]) == (0, None)
