"""The page of results of another tool in a browser: other conditions, no media, no files next to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from omnigap_orchestrator.cli.main import main
from tests.orchestrator.extras.importers.xmodbench_folder import write_model
from tests.orchestrator.report.watched_page import Watched


@pytest.mark.asyncio
async def test_imported_page_shows_matrix_tasks_and_answers_without_complaints(
    watched: Watched, tmp_path: Path
) -> None:
    folder, page = write_model(tmp_path / "tiny-omni", items=40), tmp_path / "page.html"
    done = CliRunner().invoke(main, ["analyse", str(folder), "--preset", "xmodbench", "--report", str(page)])
    assert done.exit_code == 0, done.output
    await watched.page.goto(page.as_uri())
    cells = watched.page.locator(".matrix td[data-condition]:not(.absent)")
    assert sorted([await cell.get_attribute("data-condition") or "" for cell in await cells.all()]) == [
        "a2t",
        "a2v",
        "t2a",
        "t2v",
        "v2a",
        "v2t",
    ]
    heads = await watched.page.locator("#table-tasks-1 thead th").all_inner_texts()
    assert {"a2t", "v2t"} <= {text.strip() for text in heads} and "s2t" not in heads
    assert await watched.page.locator("#effects, #waterfall, #latency, #asr").count() == 0
    await watched.page.locator("#entry-rows button.open").first.click()
    boxes = watched.page.locator("#viewer-six .cell")
    assert await boxes.count() == 6
    assert (await boxes.first.get_attribute("data-condition")) == "v2t"
    assert "Gold answer" in await watched.page.locator("#viewer-head").inner_text()
    assert watched.complaints == []
    assert watched.requests == [page.as_uri()]
