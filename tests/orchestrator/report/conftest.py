"""Fixtures: a small synthetic run, its analysis, and a Chromium page that records errors and requests."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from omnigap_orchestrator.analysis import Analysis, analyse
from tests.orchestrator.report.fake_run import FakeRun, make_run
from tests.orchestrator.report.watched_page import Watched


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    return make_run(tmp_path_factory.mktemp("runs") / "small", limit=42)


@pytest.fixture(scope="session")
def analysis(run: FakeRun) -> Analysis:
    return analyse(run.results)


def chromium() -> str:
    named = os.environ.get("OMNIGAP_CHROMIUM")
    found = [shutil.which(n) for n in (named, "chromium", "chromium-browser", "google-chrome") if n]
    return next((path for path in found if path), "")


@pytest_asyncio.fixture
async def watched() -> AsyncIterator[Watched]:
    executable = chromium()
    if not executable:
        pytest.skip("NO CHROMIUM: the report was not opened; install one (Debian: apt-get install chromium)")
    # Here and not at the top: the fast tests of this folder run without a browser.
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu", "--mute-audio"]
        )
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        # Generous, for slow machines: no test here measures time.
        page.set_default_timeout(120_000)
        seen = Watched(page)
        page.on("console", lambda m: seen.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("request", lambda request: seen.requests.append(request.url))
        yield seen
        await browser.close()


@pytest.fixture
def empty_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    return folder
