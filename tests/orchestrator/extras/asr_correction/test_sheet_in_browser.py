"""The listening sheet in a real browser: labelled by keyboard, kept over a reload, saved, and read back."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright

from tests.helpers.running import Setting, orchestrate
from tests.helpers.served_doubles import Serve
from tests.orchestrator.extras.asr_correction.fake_speech import CITIES, FakeSpeech, a_setting

pytestmark = pytest.mark.browser

CONDITIONS = {"run": {"conditions": ["t2t", "t2s", "s2s"]}}


def chromium() -> str:
    named = os.environ.get("OMNIGAP_CHROMIUM")
    found = [shutil.which(n) for n in (named, "chromium", "chromium-browser", "google-chrome") if n]
    return next((path for path in found if path), "")


@dataclass
class Sheet:
    """An opened sheet, and what its page complained of or asked for."""

    page: Page
    folder: Path
    setting: Setting
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    async def text(self, selector: str) -> str:
        return await self.page.locator(selector).inner_text()

    async def save(self) -> list[dict[str, str]]:
        async with self.page.expect_download() as download:
            await self.page.keyboard.press("s")
        path = self.folder / "saved.csv"
        await (await download.value).save_as(path)
        with path.open(encoding="utf-8") as file:
            return list(csv.DictReader(file))


@pytest_asyncio.fixture
async def sheet(tmp_path: Path, host: Serve) -> AsyncIterator[Sheet]:
    executable = chromium()
    if not executable:
        pytest.skip("NO CHROMIUM: the sheet was not opened; install one (Debian: apt-get install chromium)")
    setting = await a_setting(FakeSpeech(mistranscribed={"Paris": "Harris"}), host, tmp_path, tables=CONDITIONS)
    await setting.drive()
    out = tmp_path / "listen"
    ended = await orchestrate("sample-clips", setting.folder.root, "--n", "12", "--out", out, folder=tmp_path)
    assert ended.code == 0, ended.err
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu", "--mute-audio"]
        )
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(120_000)
        seen = Sheet(page, out, setting)
        page.on("console", lambda m: seen.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("request", lambda request: seen.requests.append(request.url))
        await page.goto((out / "sheet.html").as_uri())
        yield seen
        await browser.close()


async def test_labels_by_keyboard_survive_a_reload_and_are_saved(sheet: Sheet) -> None:
    page = sheet.page
    assert await sheet.text("#place") == "Clip 1 of 12"
    for key in "123":
        await page.keyboard.press(key)
    assert await sheet.text("#place") == "Clip 4 of 12"
    assert await sheet.text("#count") == "3 of 12 labelled"
    await page.reload()
    assert await sheet.text("#count") == "3 of 12 labelled"
    assert await sheet.text("#place") == "Clip 4 of 12"
    await page.keyboard.press("ArrowLeft")
    assert await sheet.text("#current") == "can't tell"
    assert await page.locator('.labels [data-label="unsure"]').get_attribute("aria-pressed") == "true"
    await page.keyboard.press("0")
    assert await sheet.text("#count") == "2 of 12 labelled"
    await page.keyboard.press("2")
    await page.click('.labels [data-label="right"]')
    rows = await sheet.save()
    assert [row["label"] for row in rows] == ["right", "wrong", "wrong", "right", *[""] * 8]
    drawn = pl.read_csv(sheet.folder / "labels.csv", infer_schema=False)
    assert [row["clip"] for row in rows] == drawn["clip"].to_list()
    assert [float(row["inclusion_probability"]) for row in rows] == [float(p) for p in drawn["inclusion_probability"]]
    assert sheet.complaints == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in sheet.requests)


async def test_every_clip_plays_with_its_question_and_gold_answers(sheet: Sheet) -> None:
    key = pl.read_csv(sheet.folder / "clips.csv", infer_schema=False)
    for place, item in enumerate(key["item_id"]):
        await sheet.page.locator("#grid button").nth(place).click()
        duration = await sheet.page.evaluate(
            """() => new Promise(resolve => {
                const audio = document.getElementById("audio");
                if (audio.readyState >= 1) resolve(audio.duration);
                audio.addEventListener("loadedmetadata", () => resolve(audio.duration));
                audio.addEventListener("error", () => resolve(0));
            })"""
        )
        assert duration == pytest.approx(0.2, abs=0.01)
        number = int(item[1:])
        assert await sheet.text("#question") == f"What is city {number}?"
        assert await sheet.text("#gold") == CITIES[number]
    await sheet.page.keyboard.press("g")
    assert not await sheet.page.locator("#gold").is_visible()
    await sheet.page.keyboard.press("ArrowLeft")
    assert not await sheet.page.locator("#gold").is_visible()


async def test_the_sheet_is_blind(sheet: Sheet) -> None:
    text = (sheet.folder / "sheet.html").read_text(encoding="utf-8")
    for hidden in ("speaker", "t2s", "s2s", "Harris", "transcript", "own_text"):
        assert hidden not in text
    labels = (sheet.folder / "labels.csv").read_text(encoding="utf-8")
    assert "speaker" not in labels and "t2s" not in labels


async def test_saved_labels_give_a_ppi_score_in_the_report(sheet: Sheet) -> None:
    key = pl.read_csv(sheet.folder / "clips.csv", infer_schema=False)
    for _ in range(key.height):
        await sheet.page.keyboard.press("1")
    rows = await sheet.save()
    assert {row["label"] for row in rows} == {"right"}
    run = sheet.setting.folder.root
    ended = await orchestrate(
        "report", "--run-dir", run, "--labels", sheet.folder / "saved.csv", folder=sheet.setting.root
    )
    assert ended.code == 0, ended.err
    page = sheet.setting.folder.report.read_text(encoding="utf-8")
    assert "Scores and gaps with human labels" in page
    await sheet.page.goto(sheet.setting.folder.report.as_uri())
    table = sheet.page.locator("#calibration")
    assert "PPI++" in await table.inner_text()
    assert (run / "labels.csv").read_text(encoding="utf-8").count("right") == key.height


async def test_an_existing_labels_file_is_not_overwritten(sheet: Sheet) -> None:
    run = sheet.setting.folder.root
    ended = await orchestrate("sample-clips", run, "--out", sheet.folder, folder=sheet.setting.root)
    assert ended.code == 1
    assert "choose another --out" in ended.err
