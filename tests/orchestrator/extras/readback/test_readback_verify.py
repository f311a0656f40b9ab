"""`verify` with served readers: readbacks, verdicts, exit codes, and reports over verified items."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from omnigap.media import encode_png
from omnigap.vocabulary import Condition, Modality
from omnigap_orchestrator.extras.readback.options import VerifyOptions
from omnigap_orchestrator.extras.readback.run import verify
from omnigap_orchestrator.extras.readback.select import only, verified_items
from omnigap_orchestrator.extras.readback.table import VERIFICATION_SCHEMA
from omnigap_orchestrator.pipeline.folder import FolderError
from omnigap_orchestrator.run import report
from omnigap_services.adapter import NATIVE
from tests.helpers.running import Silent, item, orchestrate
from tests.helpers.served_doubles import Double, Serve
from tests.orchestrator.extras.readback.verifiable import Make, Verifiable, maker

FRANCE, SPAIN, PERU = (f"What is the capital of {place}?" for place in ("France", "Spain", "Peru"))


@pytest.fixture
def made(tmp_path: Path, host: Serve) -> Make:
    return maker(tmp_path, host)


async def verified(run: Verifiable, **options: object) -> pl.DataFrame:
    return (await verify(run.setting.folder, VerifyOptions(**options), Silent())).table  # type: ignore[arg-type]


def verdicts(table: pl.DataFrame, **where: object) -> dict[str, str]:
    return dict(table.filter(**where).select("item_id", "verdict").iter_rows())


async def test_every_carrier_is_read_once_and_kept(made: Make) -> None:
    run = await made()
    before = len(run.asr.asked)
    table = await verified(run)
    assert table.schema == VERIFICATION_SCHEMA
    assert table.height == 16
    assert set(table["verdict"]) == {"kept"}
    assert set(table.filter(modality="image")["reader"]) == {"test-ocr"}
    assert table.filter(modality="speech")["said"].to_list() == table.filter(modality="speech")["read"].to_list()
    assert (len(run.asr.asked) - before, len(run.ocr.asked)) == (8, 8)
    assert pl.read_parquet(run.setting.folder.verification).equals(table)
    # The image only: text in the request could lead a reader to the expected text.
    assert all(len(request.parts) == 1 for request in run.ocr.asked)
    assert (await verified(run)).equals(table)
    assert len(run.ocr.asked) == 8


async def test_lost_and_misread_carriers_are_distinguished(made: Make) -> None:
    run = await made()
    run.readers.spoiled[Modality.SPEECH][FRANCE] = "what is"
    run.readers.spoiled[Modality.IMAGE][SPAIN] = "What is the capital of Spein?"
    table = await verified(run)
    assert verdicts(table, modality="speech")["france"] == "lost"
    assert verdicts(table, modality="image")["spain"] == "doubtful"
    assert table.filter(pl.col("verdict") == "kept").height == 14
    row = table.filter(modality="image", item_id="spain").row(0, named=True)
    assert (row["missing"], row["font"], row["font_size"]) == (["name spain"], "DejaVu Sans", 28)


async def test_second_reader_resolves_doubtful_carriers(made: Make, host: Serve) -> None:
    run = await made()
    run.readers.spoiled[Modality.IMAGE] |= {
        SPAIN: "What is the capital of Spein?",
        PERU: "What is the capital of Pern?",
    }
    assert list(verdicts(await verified(run), verdict="doubtful")) == ["spain", "peru"]
    del run.readers.spoiled[Modality.IMAGE][SPAIN]
    image_to_text = {Condition(Modality.IMAGE, Modality.TEXT): NATIVE}
    second = await host(Double(run.readers.read, name="second", conditions=image_to_text))
    table = await verified(run, ocr=(second,), modalities=(Modality.IMAGE,))
    assert set(table.filter(modality="image", item_id="spain")["reader"]) == {"test-ocr", "second"}
    assert verdicts(table)["spain"] == "kept"
    # Two reliable readers miss the same word, so the carrier lacks it.
    assert verdicts(table, modality="image")["peru"] == "lost"
    assert len(run.ocr.asked) == 8


async def test_reader_with_the_same_weights_is_not_a_second_reader(made: Make, host: Serve) -> None:
    run = await made()
    run.readers.spoiled[Modality.IMAGE][SPAIN] = "What is the capital of Spein?"
    image_to_text = {Condition(Modality.IMAGE, Modality.TEXT): NATIVE}
    for setting in ("a", "b"):
        card = {"conditions": image_to_text, "weights_revision": "w1", "settings": {"side": setting}}
        reader = await host(Double(run.readers.read, name="twin", **card))
        table = await verified(run, ocr=(reader,), modalities=(Modality.IMAGE,))
    image = table.filter(modality="image", item_id="spain")
    assert image["reader"].to_list() == ["twin"]
    assert image["verdict"].to_list() == ["doubtful"]


async def test_carriers_of_the_items_are_not_read_back(made: Make) -> None:
    picture = base64.b64encode(encode_png(Image.new("RGB", (60, 40), "red"))).decode()
    run = await made(item("photo", carriers={"image": {"bytes": picture}}))
    table = await verified(run)
    assert verdicts(table, item_id="photo", modality="image") == {"photo": "own"}
    assert verdicts(table, item_id="photo", modality="speech") == {"photo": "kept"}
    assert len(run.ocr.asked) == 8
    assert "photo" in verified_items(pl.read_parquet(run.setting.folder.results), table).verified


async def test_unsupported_language_is_unread_with_the_fix(made: Make) -> None:
    swiss = item("schweiz", language="de", question="Was ist die Hauptstadt der Schweiz?")
    run = await made(swiss, tables={"run": {"conditions": ["t2t", "s2t", "i2t"]}})
    table = await verified(run)
    unread = table.filter(verdict="unread").sort("modality")
    assert unread.select("item_id", "modality").rows() == [("schweiz", "image"), ("schweiz", "speech")]
    for reason, parts in zip(
        unread["why"], (("test-ocr", "[ocr]", "--ocr"), ("test-asr", "[scorer]", "--asr")), strict=True
    ):
        assert all(part in reason for part in (*parts, "language de"))


async def test_each_font_and_voice_of_an_item_is_a_separate_carrier(made: Make) -> None:
    from omnigap_orchestrator.carriers import ImageStyle

    styles = (ImageStyle(), ImageStyle(font="DejaVu Serif"))
    carriers = {"image": {"font": [s.font for s in styles]}, "speech": {"voices": ["ann", "bob"]}}
    run = await made(styles=styles, tables={"run": {"replicates": 2}, "carriers": carriers})
    table = await verified(run)
    assert table.height == 32
    assert set(table.filter(modality="image")["font"]) == {"DejaVu Sans", "DejaVu Serif"}
    assert set(table.filter(modality="speech")["voice"]) == {"ann", "bob"}


async def test_item_is_dropped_from_all_conditions_or_from_none(made: Make) -> None:
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
    # A carrier that was generated again since then has no readback.
    changed = results.with_columns(
        input_media=pl.when((pl.col("item_id") == "peru") & (pl.col("input") == "image"))
        .then(pl.lit("0" * 64))
        .otherwise(pl.col("input_media"))
    )
    assert "peru" not in set(verified_items(changed, table).verified)


async def test_damaged_verification_is_refused_with_the_command_that_fixes_it(made: Make) -> None:
    folder = (await made()).setting.folder
    folder.verification.write_bytes(b"cut off")
    with pytest.raises(FolderError, match="omnigap-orchestrate verify"):
        report(folder, Silent()).to_json()


async def test_verified_only_report_names_the_number_of_items(made: Make) -> None:
    run = await made()
    folder = run.setting.folder
    with pytest.raises(FolderError, match="omnigap-orchestrate verify --run-dir"):
        report(folder, Silent(), given={"verified_only": True}).to_json()
    run.readers.spoiled[Modality.SPEECH][FRANCE] = "what is"
    await verified(run)
    whole = report(folder, Silent()).to_json()
    page = folder.report.read_text(encoding="utf-8")
    assert "lost content" in page
    assert "what is" in page
    assert "images by test-ocr and recordings by test-asr" in page
    assert {(row["items_kept"], row["items"]) for row in whole["carriers"]["gaps"]} == {("all", 8), ("not_lost", 7)}
    assert whole["conditions"][0]["items"] == 8
    narrow = report(folder, Silent(), given={"verified_only": True}).to_json()
    assert {row["items"] for row in narrow["conditions"]} == {7}
    assert "7 of 8 items" in narrow["notes"][0]
    assert narrow["notes"][0] in folder.report.read_text(encoding="utf-8")
    assert pl.read_parquet(folder.results)["item_id"].n_unique() == 8


async def test_exit_code_is_0_if_every_carrier_is_kept(made: Make) -> None:
    run = await made()
    folder = run.setting.folder.root
    ended = await orchestrate("verify", "--run-dir", folder, folder=run.setting.root)
    assert ended.code == 0, ended.err
    assert "speech en" in ended.out
    run.readers.spoiled[Modality.SPEECH][FRANCE] = "what is"
    # Stored readbacks are judged again with the new threshold, not read again: the spoiled readback is not seen.
    ended = await orchestrate(
        "verify", "--run-dir", folder, "--max-word-error", "0.0", "--json", folder=run.setting.root
    )
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["carriers"] == {"kept": 16, "doubtful": 0, "lost": 0, "own": 0, "unread": 0}


async def test_exit_codes_of_lost_content_and_unavailable_readers(made: Make) -> None:
    run = await made()
    folder = run.setting.folder.root
    run.readers.spoiled[Modality.IMAGE][FRANCE] = ""
    unavailable = ("--asr", "127.0.0.1:1")
    ended = await orchestrate(
        "verify", "--run-dir", folder, "--modalities", "speech", *unavailable, folder=run.setting.root
    )
    assert ended.code == 3, ended.err
    assert "speech carriers" in ended.err and "--asr" in ended.err
    ended = await orchestrate("verify", "--run-dir", folder, folder=run.setting.root)
    assert ended.code == 1, ended.err
    assert "france (image, DejaVu Sans)" in ended.out
    assert "What is the capital of France?" in ended.out


async def test_exit_code_depends_only_on_the_given_modalities(made: Make) -> None:
    run = await made()
    folder, root = run.setting.folder.root, run.setting.root
    ended = await orchestrate("verify", "--run-dir", folder, "--modalities", "image", "--json", folder=root)
    assert ended.code == 0, ended.err
    result = json.loads(ended.out)
    assert result["carriers"] == {"kept": 8, "doubtful": 0, "lost": 0, "own": 0, "unread": 0}
    assert ({row["modality"] for row in result["counts"]}, result["not_kept"]) == ({"image"}, [])
    # The table has all carriers; other modalities do not change the exit code.
    assert pl.read_parquet(run.setting.folder.verification).filter(verdict="unread").height == 8
    run.readers.spoiled[Modality.SPEECH][FRANCE] = "what is"
    ended = await orchestrate("verify", "--run-dir", folder, "--modalities", "speech", folder=root)
    assert ended.code == 1, ended.err
    ended = await orchestrate("verify", "--run-dir", folder, "--modalities", "image", folder=root)
    assert ended.code == 0, ended.err
    assert "speech" not in ended.out


async def test_unavailable_reader_of_the_call_is_an_incomplete_verification(made: Make) -> None:
    run = await made()
    folder, root = run.setting.folder.root, run.setting.root
    await verified(run)
    call = ("verify", "--run-dir", folder, "--modalities", "image")
    ended = await orchestrate(*call, "--ocr", "127.0.0.1:1", folder=root)
    assert ended.code == 3, ended.err
    assert "--ocr" in ended.err
    ended = await orchestrate(*call, "--ocr", "http://ocr", folder=root)
    assert ended.code == 2, ended.err
    assert "--ocr" in ended.err and "host:port" in ended.err


async def test_analyse_verified_only_takes_the_table_of_a_run(made: Make) -> None:
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
    assert "results.parquet" in ended.err


async def test_verify_without_a_run_fails(made: Make, tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = tmp_path_factory.mktemp("empty")
    ended = await orchestrate("verify", "--run-dir", empty, folder=empty)
    assert ended.code == 1
    assert str(empty) in ended.err
