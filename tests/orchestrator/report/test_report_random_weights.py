"""What report and terminal say of random weights: a loud warning, a mark at every name, and no statement or advice."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from rich.console import Console

from omnigap_orchestrator.analysis import Analysis, analyse
from omnigap_orchestrator.analysis.summary import all_tables
from omnigap_orchestrator.cli import run as cli_run
from omnigap_orchestrator.cli.main import main
from omnigap_orchestrator.cli.plan import needs_of
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.export.summary import Summary
from omnigap_orchestrator.extras.routing.routing import POLICIES, ROUTES
from omnigap_orchestrator.pipeline.folder import RunFolder
from omnigap_orchestrator.report import ServiceInfo, write_report
from omnigap_orchestrator.report.overview import model_views
from omnigap_orchestrator.report.sections import Section, all_sections
from omnigap_orchestrator.report.statements import across_models_text, random_mark, random_text
from omnigap_orchestrator.report.warnings import run_warnings
from omnigap_orchestrator.results import RANDOM_ROLES, TableError
from tests.orchestrator.report.fake_run import FakeRun, make_run

NAMES = ("cascade", "omni-7b", "tiny-moe")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> FakeRun:
    run = make_run(tmp_path_factory.mktemp("three"), models=NAMES, limit=140, media=False)
    return replace(run, info=replace(run.info, embedded=False, shared_asr_checkpoint=()))


def marked(run: FakeRun, *models: str, roles: str = "model") -> FakeRun:
    """The run with random weights of these models."""
    is_random = pl.col("model").is_in(models)
    results = run.results.with_columns(random_weights=pl.when(is_random).then(pl.lit(roles)))
    named = tuple(replace(model, random_weights=model.name in models and roles == "model") for model in run.info.models)
    return replace(run, results=results, info=replace(run.info, models=named))


@pytest.fixture(scope="module")
def one_random(three: FakeRun) -> tuple[FakeRun, Analysis]:
    run = marked(three, "omni-7b")
    return run, analyse(run.results)


def sections(run: FakeRun, analysis: Analysis) -> tuple[Section, ...]:
    return all_sections(analysis, run.results, lambda digests, budget: None)  # type: ignore[arg-type, return-value]


def page_of(run: FakeRun, analysis: Analysis, target: Path) -> str:
    write_report(target, run.results, analysis, run.catalogue, run.info, media_path=run.media_path)
    return target.read_text(encoding="utf-8")


def test_the_warning_comes_first_and_names_all_and_their_parts(three: FakeRun) -> None:
    run = marked(three, *NAMES)
    parts = replace(run.info.models[0], random_parts=("llm small-tiny",))
    info = replace(run.info, models=(parts, *run.info.models[1:]), misfiled=("x",))
    (first, *_) = run_warnings(info, analyse(run.results))
    assert first.key == "random-weights" and first.title.startswith("All models of this run have random weights")
    assert "cascade (its llm small-tiny), omni-7b and tiny-moe" in first.text


def test_random_instruments_are_named_with_what_they_spoil(three: FakeRun) -> None:
    noise, analysis = ServiceInfo("hf-asr-tiny", random_weights=True), analyse(three.results)
    for field, part in (
        ("asr", "The ASR scorer hf-asr-tiny"),
        ("tts", "The voice hf-asr-tiny"),
        ("judge", "The judge"),
    ):
        info = replace(three.info, **{field: noise})
        (first, *_) = run_warnings(info, analysis)
        assert first.key == "random-weights" and part in first.text
        assert "models answered with random weights" not in first.title


def test_nothing_is_said_without_random_weights(three: FakeRun, tmp_path: Path) -> None:
    page = page_of(three, analyse(three.results), tmp_path / "report.html")
    body = page.partition("<main")[2]
    assert "random weights" not in body and "banner-random-weights" not in page


def test_the_page_says_it_in_title_banner_and_beside_every_name(
    one_random: tuple[FakeRun, Analysis], tmp_path: Path
) -> None:
    run, analysis = one_random
    page = page_of(run, analysis, tmp_path / "report.html")
    assert "(random weights)</title>" in page
    assert re.search(r'<p class="banner alarm"[^>]*id="banner-random-weights"', page)
    assert "The figures of omni-7b depend on random weights" in page.partition('id="methods"')[2]
    assert page.index("banner-random-weights") < page.index("All models")
    for section in sections(run, analysis):
        for table in (*section.tables, *section.folded):
            for row in table.rows:
                shown = [cell.shown for cell in row]
                assert "omni-7b" not in shown, f"{section.key}: {table.key} has the name without a mark"
        titles = [chart.title for chart in section.charts] + [table.caption for table in section.tables]
        named = [title for title in titles if "omni-7b" in title]
        assert all("omni-7b (random)" in title for title in named), f"{section.key}: {named}"
    browser = json.loads(page.partition('id="browser-data">')[2].partition("</script>")[0])
    # The filter and the links to it keep the name itself.
    assert browser["models"] == list(NAMES) and browser["names"] == ["cascade", "omni-7b (random)", "tiny-moe"]


def test_a_random_model_changes_no_figure_of_the_others(one_random: tuple[FakeRun, Analysis]) -> None:
    run, analysis = one_random
    others = analyse(run.results.filter(pl.col("model") != "omni-7b"))
    for name, frame in others.frames.items():
        mine = analysis.frame(next(table for table in all_tables() if table.name == name))
        if "model" in mine.columns:
            mine = mine.filter(pl.col("model").ne_missing("omni-7b"))
        assert_frame_equal(mine, frame)


def test_no_statement_and_no_advice_follows_from_random_weights(one_random: tuple[FakeRun, Analysis]) -> None:
    run, analysis = one_random
    plain = {view.name: view for view in model_views(analyse(run.results.drop("random_weights")), run.info.models)}
    views = {view.name: view for view in model_views(analysis, run.info.models)}
    # Without the mark, there is advice: the test could not fail otherwise.
    assert "points" in plain["omni-7b"].summary.headline
    random = views["omni-7b"]
    assert random.mark == "random weights" and not views["cascade"].mark
    assert "say nothing about this model" in random.summary.headline
    assert random.summary.recommendation == random.summary.significance == "None, because of the random weights."
    assert views["cascade"].summary == plain["cascade"].summary
    # The figures themselves stay.
    assert random.matrix == plain["omni-7b"].matrix


def test_random_weights_do_not_represent_their_type(one_random: tuple[FakeRun, Analysis], three: FakeRun) -> None:
    def types(analysis: Analysis, run: FakeRun) -> tuple[str, dict[str, list[str]]]:
        (section,) = [each for each in sections(run, analysis) if each.key == "types"]
        return section.lead, {row[0].shown: [cell.shown for cell in row[1:]] for row in section.tables[0].rows}

    run, analysis = one_random
    lead, rows = types(analysis, run)
    assert "Left out, because of random weights: omni-7b." in lead
    assert rows["native omni"] == [*["random weights"] * 5, "omni-7b (random)"]
    assert all("random" not in cell for cell in rows["MoE"])
    # Without real models, every type is shown.
    every = marked(three, *NAMES)
    lead, rows = types(analyse(every.results), every)
    assert "All of these models have random weights" in lead
    assert all("random weights" not in cells and cells[-1].endswith(" (random)") for cells in rows.values())


def test_no_route_is_chosen_from_random_weights(one_random: tuple[FakeRun, Analysis]) -> None:
    _, analysis = one_random
    chosen = set(analysis.frame(ROUTES)["model"])
    assert "omni-7b" not in chosen and {"cascade", "tiny-moe"} <= chosen
    reasons = analysis.frame(POLICIES).filter(model="omni-7b")
    assert set(reasons["reason"]) == {"no condition is chosen, because of random weights (--tiny)"}
    assert reasons["accuracy"].is_null().all()


def test_sample_sizes_are_not_estimated_from_random_weights(
    one_random: tuple[FakeRun, Analysis], three: FakeRun, tmp_path: Path
) -> None:
    path = tmp_path / "results.parquet"
    one_random[0].results.write_parquet(path)
    assert {row.model for row in needs_of(Config(), None, path).rows} == {"cascade", "tiny-moe"}
    marked(three, *NAMES).results.write_parquet(path)
    assumed = needs_of(Config(), None, path)
    assert assumed.pilot is None and {row.model for row in assumed.rows} == {None}
    with pytest.raises(TableError, match="random weights only"):
        needs_of(Config(), path, path)


def test_no_sample_size_and_no_equivalence_is_stated_about_random_weights(
    one_random: tuple[FakeRun, Analysis], three: FakeRun
) -> None:
    (power,) = [each for each in sections(*one_random) if each.key == "power"]
    assert power.lead.partition(" contrasts")[0].endswith("of 10")
    assert {row[0].shown for table in power.tables for row in table.rows} == {"cascade", "tiny-moe"}
    every = marked(three, *NAMES)
    assert "power" not in {each.key for each in sections(every, analyse(every.results))}


def test_random_models_are_no_part_of_the_family_of_all_models(one_random: tuple[FakeRun, Analysis]) -> None:
    _, analysis = one_random
    text = across_models_text(analysis, 0.95, ["omni-7b"])
    assert "Holm over 16 tests" in text and "cascade" in text and "omni-7b" not in text
    # One model is no family over models.
    assert across_models_text(analysis, 0.95, NAMES[:2]) == across_models_text(analysis, 0.95, NAMES) == ""


def test_compare_and_analyse_mark_them(one_random: tuple[FakeRun, Analysis], tmp_path: Path) -> None:
    path, page = tmp_path / "results.parquet", tmp_path / "report.html"
    one_random[0].results.write_parquet(path)

    def output(*arguments: object) -> list[str]:
        done = CliRunner().invoke(main, [*map(str, arguments)], env={"COLUMNS": "300"})
        assert done.exit_code == 0, done.output
        return [line.rstrip() for line in done.stdout.splitlines()]

    lines = output("compare", path, path)
    assert any(line.startswith("omni-7b (random weights):") for line in lines)
    assert any(line.startswith("cascade:") for line in lines)
    lines = output("analyse", path, "--report", page)
    (mention,) = [line for line in lines if line.startswith("omni-7b") and line != "omni-7b (random weights)"]
    assert "omni-7b (random weights)" in lines and "say nothing about this model" in mention
    assert any(line.startswith("cascade: consistency") for line in lines)
    assert 'id="banner-random-weights"' in page.read_text(encoding="utf-8")
    found = json.loads("".join(output("analyse", path, "--json")))
    assert found["random_weights"] == {"omni-7b": ["model"]}


def test_the_terminal_says_it_last_and_beside_the_name(
    one_random: tuple[FakeRun, Analysis], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run, analysis = one_random
    printed = StringIO()
    monkeypatch.setattr(cli_run, "Terminal", lambda: Console(file=printed, width=200))
    summary = Summary.of("three", run.info, analysis)
    cli_run.print_result(summary, RunFolder(tmp_path), as_json=False)
    lines = printed.getvalue().splitlines()
    last = " ".join(lines[-3:-1])
    assert last.startswith("1 of 3 models answered with random weights") and "Random: omni-7b." in last
    assert lines[-1].startswith("report: ")
    assert any(line.startswith("omni-7b (random weights)") for line in lines)
    assert any(line.strip() == "cascade" for line in lines)
    assert not any(line.startswith("omni-7b: routing on held-out") for line in lines)
    # As stored and read again.
    summary.write(tmp_path / "summary.json")
    assert Summary.read(tmp_path / "summary.json").random_weights == {"omni-7b": ("model",)}


@settings(max_examples=40)
@given(st.lists(st.sampled_from(RANDOM_ROLES), unique=True))
def test_every_combination_has_words(roles: list[str]) -> None:
    mark, text = random_mark(roles), random_text("omni", roles)
    assert bool(mark) == bool(text) == bool(roles)
    assert mark.startswith("random") or not roles
    assert "omni" in text or not roles
    assert "{" not in mark + text
