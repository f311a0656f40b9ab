"""The report, opened from disk in Chromium."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import polars as pl
import pytest
from playwright.async_api import Locator

from omnigap_orchestrator.analysis import Analysis, analyse
from omnigap_orchestrator.report import Catalogue, CatalogueItem, write_report
from tests.orchestrator.report.fake_run import FakeRun
from tests.orchestrator.report.watched_page import Watched

pytestmark = pytest.mark.browser

CONDITIONS = ["t2t", "s2t", "i2t", "t2s", "s2s", "i2s"]


def written(run: FakeRun, analysis: Analysis, target: Path, budget: int = 50_000_000) -> str:
    write_report(target, run.results, analysis, run.catalogue, run.info, media_path=run.media_path, media_budget=budget)
    return target.as_uri()


@pytest.fixture(scope="module")
def report(run: FakeRun, analysis: Analysis) -> str:
    return written(run, analysis, run.folder / "report.html")


def only_local(requests: list[str]) -> bool:
    return all(url.startswith(("file:", "data:")) for url in requests)


async def playable(audio: Locator) -> bool:
    return bool(
        await audio.evaluate(
            """element => new Promise(resolve => {
                const check = () => resolve(Number.isFinite(element.duration) && element.duration > 0);
                if (element.readyState >= 1) check();
                element.addEventListener("loadedmetadata", check);
                element.addEventListener("error", () => resolve(false));
            })"""
        )
    )


async def drawn(image: Locator) -> bool:
    await image.evaluate("element => element.decode().catch(() => null)")
    return bool(await image.evaluate("element => element.naturalWidth > 0"))


async def test_model_card_shows_six_conditions_with_n_and_interval(report: str, run: FakeRun, watched: Watched) -> None:
    await watched.page.goto(report)
    cells = watched.page.locator(".matrix td[data-condition]")
    names = [await cell.get_attribute("data-condition") for cell in await cells.all()]
    assert sorted(name or "" for name in names) == sorted(CONDITIONS)
    for condition in CONDITIONS:
        text = await watched.page.locator(f'.matrix td[data-condition="{condition}"]').inner_text()
        scored = run.results.filter(pl.col("condition") == condition)["score"]
        assert f"{100 * scored.mean():.1f}" in text  # type: ignore[operator]
        assert re.search(r"\[\d+\.\d, \d+\.\d\]", text)
        assert re.search(rf"n\s{scored.len()}", text)
    box = await watched.page.locator(".model .chart").first.bounding_box()
    assert box is not None and box["y"] + box["height"] < 900
    assert watched.complaints == []
    assert only_local(watched.requests)


async def test_item_viewer_shows_all_six_cells_with_playable_audio(report: str, run: FakeRun, watched: Watched) -> None:
    await watched.page.goto(report)
    await watched.page.locator("#entry-rows .open").first.click()
    viewer = watched.page.locator("#viewer")
    assert await viewer.locator(".cell").count() == 6
    assert await viewer.locator("audio").count() == 4
    for audio in await viewer.locator("audio").all():
        assert await playable(audio)
    assert await drawn(viewer.locator("img"))
    shown = await viewer.inner_text()
    question = await viewer.locator("#viewer-title").inner_text()
    item = next(name for name, words in run.catalogue.items.items() if words.question == question and name in shown)
    for row in run.results.filter(pl.col("item_id") == item).iter_rows(named=True):
        cell = await viewer.locator(f'.cell[data-condition="{row["condition"]}"]').inner_text()
        assert row["own_text"] in cell
        assert (row["transcript"] or "") in cell
        assert f"score {row['score']:.0f}" in cell
    assert watched.complaints == []
    assert only_local(watched.requests)


async def test_linked_media_play(run: FakeRun, analysis: Analysis, watched: Watched) -> None:
    await watched.page.goto(written(run, analysis, run.folder / "linked.html", budget=0))
    await watched.page.locator("#entry-rows .open").first.click()
    image = watched.page.locator("#viewer img")
    assert (await image.get_attribute("src") or "").startswith("media/")
    assert await drawn(image)
    assert await playable(watched.page.locator("#viewer audio").first)
    assert watched.complaints == []


async def test_embedded_media_play_without_the_run_folder(report: str, watched: Watched, tmp_path: Path) -> None:
    copied = tmp_path / "copied.html"
    shutil.copy(url2pathname(urlparse(report).path), copied)
    await watched.page.goto(copied.as_uri())
    await watched.page.locator("#entry-rows .open").first.click()
    assert await drawn(watched.page.locator("#viewer img"))
    assert await playable(watched.page.locator("#viewer audio").last)


async def test_filters_narrow_the_list(report: str, run: FakeRun, watched: Watched) -> None:
    await watched.page.goto(report)
    count = watched.page.locator("#entry-count")
    assert (await count.inner_text()).startswith("42 of 42")
    task = run.results["task"][0]
    await watched.page.select_option("#filter-task", task)
    of_task = run.results.filter(pl.col("task") == task)["item_id"].n_unique()
    assert (await count.inner_text()).startswith(f"{of_task} of 42")
    await watched.page.click("text=Clear filters")
    await watched.page.select_option("#filter-condition", "s2s")
    await watched.page.select_option("#filter-verdict", "flip")
    wide = run.results.pivot("condition", index="item_id", values="score")
    flips = wide.filter((pl.col("t2t") == 1) & (pl.col("s2s") == 0)).height
    await watched.page.wait_for_function(f'document.getElementById("entry-count").textContent.startsWith("{flips} ")')
    first = await watched.page.locator("#entry-rows tr .mark").nth(4).get_attribute("aria-label")
    assert first == "s2s: wrong, but right in t2t"


async def test_first_entry_of_the_list_is_a_flip(report: str, watched: Watched) -> None:
    await watched.page.goto(report)
    assert await watched.page.locator("#entry-rows tr").first.locator(".mark.flip").count() >= 1


async def test_items_have_keyboard_navigation_and_links(report: str, watched: Watched) -> None:
    await watched.page.goto(report)
    await watched.page.locator("#entry-rows .open").first.focus()
    await watched.page.keyboard.press("Enter")
    where = watched.page.locator("#viewer-where")
    assert (await where.inner_text()).startswith("1 of 42")
    await watched.page.keyboard.press("ArrowRight")
    assert (await where.inner_text()).startswith("2 of 42")
    link = watched.page.url
    title = await watched.page.locator("#viewer-title").inner_text()
    await watched.page.keyboard.press("Escape")
    assert not await watched.page.locator("#viewer").is_visible()
    await watched.page.goto("about:blank")
    await watched.page.goto(link)
    assert await watched.page.locator("#viewer-title").inner_text() == title


async def test_table_is_exported_as_csv_and_latex(report: str, analysis: Analysis, watched: Watched) -> None:
    await watched.page.goto(report)
    figure = watched.page.locator("#table-gaps")
    await figure.locator("summary").click()
    area = figure.locator("textarea")
    await watched.page.wait_for_function("document.querySelector('#table-gaps textarea').value !== ''")
    lines = (await area.input_value()).splitlines()
    heading, first = lines[0].split(","), lines[1].split(",")
    assert "95 % interval low" in heading and "95 % interval high" in heading
    gap = analysis.frames["gaps"].filter(
        (pl.col("pooling") == "item_weighted")
        & (pl.col("missing") == "answered_pairs")
        & (pl.col("condition") == "s2t")
    )
    assert float(first[lines[0].split(",").index("Difference")]) == pytest.approx(100 * gap["estimate"][0])
    await figure.locator("button[data-format=latex]").click()
    latex = await area.input_value()
    assert latex.count("\\\\") == 1 + 5
    assert "\\begin{tabular}" in latex and "\\toprule" in latex


async def test_definition_opens_on_click(report: str, watched: Watched) -> None:
    await watched.page.goto(report)
    await watched.page.locator(".legend .def").first.click()
    assert await watched.page.locator("#def-accuracy").is_visible()


async def test_hostile_texts_are_shown_and_not_executed(run: FakeRun, watched: Watched) -> None:
    hostile = '</script><script>window.pwned=1</script><img src=x onerror="window.pwned=2">&amp;\u2028$x_1$'
    results = run.results.with_columns(
        own_text=pl.lit(hostile),
        transcript=pl.when(pl.col("output") == "speech").then(pl.lit(hostile)),
        model=pl.lit(f"m{hostile}"),
        task=pl.lit(f"t{hostile}"),
        error_message=pl.lit(hostile),
        outcome=pl.when(pl.int_range(pl.len()) == 5).then(pl.lit("failed")).otherwise("outcome"),
        score=pl.when(pl.int_range(pl.len()) == 5).then(None).otherwise("score"),
        error_reason=pl.lit(hostile),
    )
    words = CatalogueItem(hostile, (hostile, "b"), hostile, (hostile,))
    bad = FakeRun(
        run.folder,
        results,
        Catalogue(dict.fromkeys(run.catalogue.items, words)),
        replace(run.info, name=hostile, command=hostile, incomplete=hostile, machine=hostile, notes=(hostile,)),
    )
    await watched.page.goto(written(bad, analyse(results), run.folder / "hostile.html"))
    await watched.page.locator("#entry-rows .open").first.click()
    assert await watched.page.locator("#viewer-title").inner_text() == hostile
    assert hostile in await watched.page.locator('#viewer .cell[data-condition="t2t"] dd').inner_text()
    assert await watched.page.evaluate("window.pwned") is None
    assert await watched.page.locator("#viewer .cell").count() == 6
    assert await watched.page.locator(".chart text", has_text="$x 1$").count() > 0
    assert watched.complaints == []
    assert only_local(watched.requests)


async def test_dark_page_fits_a_phone(report: str, watched: Watched) -> None:
    await watched.page.set_viewport_size({"width": 390, "height": 844})
    await watched.page.emulate_media(color_scheme="dark")
    await watched.page.goto(report)
    assert await watched.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert await watched.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 20, 23)"
    tick = watched.page.locator(".chart text").first
    assert await tick.evaluate("e => getComputedStyle(e).fill") in ("rgb(233, 230, 224)", "rgb(166, 171, 180)")


INJECTED = """<script>window.ran = "script"</script>
<img src="data:," onerror="window.ran = 'handler'"><svg onload="window.ran = 'svg'"></svg>
<iframe srcdoc="<script>parent.ran = 'frame'</script>"></iframe>
<base href="https://example.org/"><object data="data:text/html,x"></object>
<a id="bait" href="javascript:window.ran = 'link'">x</a>
<form id="form" action="https://example.org/"><input name="q" value="1"></form>"""


async def test_an_injected_script_does_not_run_and_the_page_still_works(report: str, watched: Watched) -> None:
    target = Path(url2pathname(urlparse(report).path))
    page = target.read_text(encoding="utf-8")
    assert "unsafe-inline" not in re.sub(r"style-src-attr 'unsafe-inline'", "", page.split("<title>")[0])
    assert not re.search(r"<[^>]+\son[a-z]+=", page.split('<script type="application/json"')[0])
    injected = target.with_name("injected.html")
    injected.write_text(page.replace('<main id="main">', f'<main id="main">{INJECTED}'), encoding="utf-8")
    await watched.page.goto(injected.as_uri())
    await watched.page.locator("#bait").click()
    await watched.page.evaluate(
        "fetch('https://example.org/').catch(() => 0); const s = document.createElement('script');"
        "s.textContent = 'window.ran = 1'; document.body.append(s)"
    )
    assert await watched.page.evaluate("window.ran") is None
    assert only_local(watched.requests)
    await watched.page.locator("#entry-rows .open").first.click()
    assert await watched.page.locator("#viewer .cell").count() == 6
    await watched.page.evaluate("document.getElementById('form').submit()")
    assert only_local(watched.requests)


async def test_an_override_in_one_text_does_not_reorder_its_neighbours(report: str, watched: Watched) -> None:
    await watched.page.goto(report)
    for selector in ("td", "th", ".run-info b", ".run-info li"):
        found = await watched.page.locator(selector).first.evaluate("e => getComputedStyle(e).unicodeBidi")
        assert found == "isolate", selector
