"""`verify` over served readers: every carrier is read once, judged, and the run's tables can keep to what is whole."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import polars as pl
import pytest
from PIL import Image
from running import Silent, item, orchestrate
from served_doubles import Double, Serve
from verifiable import Make, Verifiable, maker

from omnigap.media import encode_png
from omnigap.vocabulary import Condition, Modality
from omnigap_orchestrator.extras.readback.run import Choices, verify
from omnigap_orchestrator.extras.readback.select import only, verified_items
from omnigap_orchestrator.extras.readback.table import VERIFICATION_SCHEMA
from omnigap_orchestrator.pipeline.folder import FolderError
from omnigap_orchestrator.run import report
from omnigap_services.adapter import NATIVE

FRANCE, SPAIN, PERU = (f"What is the capital of {place}?" for place in ("France", "Spain", "Peru"))


@pytest.fixture
def made(tmp_path: Path, host: Serve) -> Make:
    return maker(tmp_path, host)


async def verified(run: Verifiable, **choices: object) -> pl.DataFrame:
    return (await verify(run.setting.folder, Choices(**choices), Silent())).table  # type: ignore[arg-type]


def verdicts(table: pl.DataFrame, **where: object) -> dict[str, str]:
    return dict(table.filter(**where).select("item_id", "verdict").iter_rows())


async def test_every_carrier_is_read_once_and_kept_where_it_says_its_question(made: Make) -> None:
    run = await made()
    heard = len(run.ear.asked)
    table = await verified(run)
    assert table.schema == VERIFICATION_SCHEMA
    assert table.height == 16
    assert set(table["verdict"]) == {"kept"}
    assert set(table.filter(modality="image")["reader"]) == {"eye"}
    assert table.filter(modality="speech")["said"].to_list() == table.filter(modality="speech")["read"].to_list()
    assert (len(run.ear.asked) - heard, len(run.eye.asked)) == (8, 8)
    assert pl.read_parquet(run.setting.folder.verification).equals(table)
    # Image alone: words beside it could lead a reader to what it should read.
    assert all(len(request.parts) == 1 for request in run.eye.asked)
    assert (await verified(run)).equals(table)
    assert len(run.eye.asked) == 8


async def test_a_lost_and_a_misread_carrier_are_told_apart(made: Make) -> None:
    run = await made()
    run.readers.spoiled[Modality.SPEECH][FRANCE] = "what is"
    run.readers.spoiled[Modality.IMAGE][SPAIN] = "What is the capital of Spein?"
    table = await verified(run)
    assert verdicts(table, modality="speech")["france"] == "lost"
    assert verdicts(table, modality="image")["spain"] == "doubtful"
    assert table.filter(pl.col("verdict") == "kept").height == 14
    row = table.filter(modality="image", item_id="spain").row(0, named=True)
    assert (row["missing"], row["font"], row["font_size"]) == (["name spain"], "DejaVu Sans", 28)


async def test_another_reader_settles_what_the_first_misread(made: Make, host: Serve) -> None:
    run = await made()
    run.readers.spoiled[Modality.IMAGE] |= {
        SPAIN: "What is the capital of Spein?",
        PERU: "What is the capital of Pern?",
    }
    assert list(verdicts(await verified(run), verdict="doubtful")) == ["spain", "peru"]
    del run.readers.spoiled[Modality.IMAGE][SPAIN]
    viewer = {Condition(Modality.IMAGE, Modality.TEXT): NATIVE}
    second = await host(Double(run.readers.read, name="second", conditions=viewer))
    table = await verified(run, ocr=(second,), modalities=(Modality.IMAGE,))
    assert set(table.filter(modality="image", item_id="spain")["reader"]) == {"eye", "second"}
    assert verdicts(table)["spain"] == "kept"
    # Two able readers miss the same word: now it is the carrier's.
    assert verdicts(table, modality="image")["peru"] == "lost"
    assert len(run.eye.asked) == 8


async def test_the_same_weights_with_other_settings_are_no_second_opinion(made: Make, host: Serve) -> None:
    run = await made()
    run.readers.spoiled[Modality.IMAGE][SPAIN] = "What is the capital of Spein?"
    viewer = {Condition(Modality.IMAGE, Modality.TEXT): NATIVE}
    for setting in ("a", "b"):
        card = {"conditions": viewer, "weights_revision": "w1", "settings": {"side": setting}}
        reader = await host(Double(run.readers.read, name="twin", **card))
        table = await verified(run, ocr=(reader,), modalities=(Modality.IMAGE,))
    image = table.filter(modality="image", item_id="spain")
    assert image["reader"].to_list() == ["twin"]
    assert image["verdict"].to_list() == ["doubtful"]


async def test_own_carriers_are_no_matter_of_reading_back(made: Make) -> None:
    picture = base64.b64encode(encode_png(Image.new("RGB", (60, 40), "red"))).decode()
    run = await made(item("photo", carriers={"image": {"bytes": picture}}))
    table = await verified(run)
    assert verdicts(table, item_id="photo", modality="image") == {"photo": "own"}
    assert verdicts(table, item_id="photo", modality="speech") == {"photo": "kept"}
    assert len(run.eye.asked) == 8
    assert "photo" in verified_items(pl.read_parquet(run.setting.folder.results), table).verified


async def test_a_language_that_no_reader_knows_is_unread_and_said(made: Make) -> None:
    swiss = item("schweiz", language="de", question="Was ist die Hauptstadt der Schweiz?")
    run = await made(swiss, tables={"run": {"conditions": ["t2t", "s2t", "i2t"]}})
    table = await verified(run)
    unknown = "does not know the language de: name a reader that does at"
    unread = table.filter(verdict="unread").select("item_id", "modality", "why").rows()
    assert sorted(unread) == [
        ("schweiz", "image", f"eye {unknown} [ocr] endpoints or --ocr"),
        ("schweiz", "speech", f"ear {unknown} [scorer] endpoints or --asr"),
    ]


async def test_each_font_and_voice_of_an_item_is_a_carrier_of_its_own(made: Make) -> None:
    from omnigap_orchestrator.carriers import ImageStyle

    styles = (ImageStyle(), ImageStyle(font="DejaVu Serif"))
    carriers = {"image": {"font": [s.font for s in styles]}, "speech": {"voices": ["ann", "bob"]}}
    run = await made(styles=styles, tables={"run": {"replicates": 2}, "carriers": carriers})
    table = await verified(run)
    assert table.height == 32
    assert set(table.filter(modality="image")["font"]) == {"DejaVu Sans", "DejaVu Serif"}
    assert set(table.filter(modality="speech")["voice"]) == {"ann", "bob"}


async def test_an_item_is_dropped_from_all_conditions_or_from_none(made: Make) -> None:
    run = await made()
    run.readers.spoiled[Modality.SPEECH][FRANCE] = "what is"
    run.readers.spoiled[Modality.IMAGE][SPAIN] = "What is the capital of Spein?"
    table = await verified(run)
    results = pl.read_parquet(run.setting.folder.results)
    found = verified_items(results, table)
    assert set(found.not_lost) == set(results["item_id"]) - {"france"}
    assert set(found.verified) == set(results["item_id"]) - {"france", "spain"}
    kept = only(results, found.verified)
    assert kept.group_by("item_id").len()["len"].to_list() == [6] * 6
    # A carrier that was made anew since has no reading yet.
    changed = results.with_columns(
        input_media=pl.when((pl.col("item_id") == "peru") & (pl.col("input") == "image"))
        .then(pl.lit("0" * 64))
        .otherwise(pl.col("input_media"))
    )
    assert "peru" not in set(verified_items(changed, table).verified)


async def test_a_verification_that_is_no_table_is_refused_with_what_mends_it(made: Make) -> None:
    folder = (await made()).setting.folder
    folder.verification.write_bytes(b"cut off")
    with pytest.raises(FolderError, match="is not what this omnigap writes: run `omnigap-orchestrate verify"):
        report(folder, Silent()).to_json()


async def test_the_report_can_keep_to_verified_items_and_says_so(made: Make) -> None:
    run = await made()
    folder = run.setting.folder
    with pytest.raises(FolderError, match="never read back: call `omnigap-orchestrate verify --run-dir"):
        report(folder, Silent(), given={"verified_only": True}).to_json()
    run.readers.spoiled[Modality.SPEECH][FRANCE] = "what is"
    await verified(run)
    whole = report(folder, Silent()).to_json()
    page = folder.report.read_text(encoding="utf-8")
    assert "lost content" in page
    assert "what is" in page
    assert "images by eye and recordings by ear" in page
    assert {(row["items_kept"], row["items"]) for row in whole["carriers"]["gaps"]} == {("all", 8), ("not_lost", 7)}
    assert whole["conditions"][0]["items"] == 8
    narrow = report(folder, Silent(), given={"verified_only": True}).to_json()
    assert {row["items"] for row in narrow["conditions"]} == {7}
    assert "7 of 8 items whose every made carrier was read back" in narrow["notes"][0]
    assert "7 of 8 items whose every made carrier" in folder.report.read_text(encoding="utf-8")
    assert pl.read_parquet(folder.results)["item_id"].n_unique() == 8


async def test_the_command_ends_with_0_where_everything_was_kept(made: Make) -> None:
    run = await made()
    folder = run.setting.folder.root
    ended = await orchestrate("verify", "--run-dir", folder, folder=run.setting.root)
    assert ended.code == 0, ended.err
    assert "speech en" in ended.out
    run.readers.spoiled[Modality.SPEECH][FRANCE] = "what is"
    # Another reader, since what the first one read is not asked again.
    run.ear.card = run.ear.card
    ended = await orchestrate(
        "verify", "--run-dir", folder, "--max-word-error", "0.0", "--json", folder=run.setting.root
    )
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["carriers"] == {"kept": 16, "doubtful": 0, "lost": 0, "own": 0, "unread": 0}


async def test_lost_content_and_absent_readers_have_exit_codes_of_their_own(made: Make) -> None:
    run = await made()
    folder = run.setting.folder.root
    run.readers.spoiled[Modality.IMAGE][FRANCE] = ""
    away = ("--asr", "127.0.0.1:1")
    ended = await orchestrate("verify", "--run-dir", folder, "--modalities", "speech", *away, folder=run.setting.root)
    assert ended.code == 3, ended.err
    assert "speech carriers stay unread" in ended.err
    ended = await orchestrate("verify", "--run-dir", folder, folder=run.setting.root)
    assert ended.code == 1, ended.err
    assert "france (image, DejaVu Sans): nothing was read in it" in ended.out
    assert "should say: What is the capital of France?" in ended.out


async def test_the_exit_code_speaks_of_what_was_asked_for_alone(made: Make) -> None:
    run = await made()
    folder, root = run.setting.folder.root, run.setting.root
    ended = await orchestrate("verify", "--run-dir", folder, "--modalities", "image", "--json", folder=root)
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert told["carriers"] == {"kept": 8, "doubtful": 0, "lost": 0, "own": 0, "unread": 0}
    assert ({row["modality"] for row in told["counts"]}, told["not_kept"]) == ({"image"}, [])
    # The table keeps all carriers, and what was lost among the others is no matter of this call.
    assert pl.read_parquet(run.setting.folder.verification).filter(verdict="unread").height == 8
    run.readers.spoiled[Modality.SPEECH][FRANCE] = "what is"
    ended = await orchestrate("verify", "--run-dir", folder, "--modalities", "speech", folder=root)
    assert ended.code == 1, ended.err
    ended = await orchestrate("verify", "--run-dir", folder, "--modalities", "image", folder=root)
    assert ended.code == 0, ended.err
    assert "speech" not in ended.out


async def test_a_reader_that_the_call_names_and_that_is_away_is_no_success(made: Make) -> None:
    run = await made()
    folder, root = run.setting.folder.root, run.setting.root
    await verified(run)
    call = ("verify", "--run-dir", folder, "--modalities", "image")
    ended = await orchestrate(*call, "--ocr", "127.0.0.1:1", folder=root)
    assert ended.code == 3, ended.err
    assert "name another with --ocr" in ended.err
    ended = await orchestrate(*call, "--ocr", "http://eyes", folder=root)
    assert ended.code == 2, ended.err
    assert "--ocr" in ended.err and "host:port" in ended.err


async def test_analyse_keeps_to_verified_items_of_a_runs_own_table(made: Make) -> None:
    run = await made()
    run.readers.spoiled[Modality.IMAGE][FRANCE] = ""
    await verified(run)
    table = run.setting.folder.results
    ended = await orchestrate("analyse", table, "--verified-only", "--json", folder=run.setting.root)
    assert ended.code == 0, ended.err
    assert {row["items"] for row in json.loads(ended.out)["conditions"]} == {7}
    elsewhere = run.setting.root / "theirs.csv"
    elsewhere.write_text("item_id,condition,score\na,t2t,1\na,s2t,0\n")
    ended = await orchestrate("analyse", elsewhere, "--verified-only", folder=run.setting.root)
    assert ended.code == 1
    assert "give a run's own results.parquet" in ended.err


async def test_verify_without_a_run_says_how_to_start_one(made: Make, tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = tmp_path_factory.mktemp("empty")
    ended = await orchestrate("verify", "--run-dir", empty, folder=empty)
    assert ended.code == 1
    assert "holds no run: start one with" in ended.err
