"""Control cells against served models: their requests, keys and results."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from PIL import Image

import omnigap_orchestrator.pipeline.score as scoring
from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.vocabulary import Condition, Reason
from omnigap_orchestrator.config.sections import ASR_PROMPT, OCR_PROMPT
from omnigap_orchestrator.plan import BLANK_TEXT
from omnigap_orchestrator.results import CONTROLS_SCHEMA
from omnigap_services.adapter import NATIVE, Request, Turn
from tests.helpers.running import Setting, outcomes, without_times
from tests.helpers.served_doubles import Double, Serve, identity, say

ALL = ["two-pass", "blank", "repeat"]
TEXT_ONLY = ["t2t", "s2t", "i2t"]


def paris(turn: Turn) -> None:
    """Answers a first pass with a text that identifies it, everything else with Paris."""
    say(turn, f"asked {identity(turn.request)}" if is_first_pass(turn.request) else "Paris")


def is_first_pass(request: Request) -> bool:
    return request.parts[-1] in (ASR_PROMPT, OCR_PROMPT)


async def trio(host: Serve, root: Path, controls: list[str], **run: object) -> tuple[Setting, Double, Double]:
    model, scorer = Double(paris), Double(paris)
    places = ({"omni": [await host(model)]}, [await host(scorer)], [await host(Double())])
    return Setting(root, *places, tables={"run": {"controls": controls, **run}}), model, scorer


async def test_every_planned_control_cell_is_one_row_of_the_schema(tmp_path: Path, host: Serve) -> None:
    setting, model, _ = await trio(host, tmp_path, ALL)
    results = await setting.execute()
    assert outcomes(results) == {"answered": 18}
    table = setting.control_table()
    assert table.schema == CONTROLS_SCHEMA
    assert table.select("model", "item_id", "condition", "replicate", "control").is_unique().all()
    assert {name: table.filter(control=name).height for name in ALL} == {"two-pass": 6, "blank": 18, "repeat": 18}
    assert outcomes(table) == {"answered": 42}
    assert (table["score"] == 1).all()
    # 18 cells, 18 blanks, 18 repeats, and six cells with two passes.
    assert len(model.asked) == 18 + 18 + 18 + 2 * 6


async def test_a_repeat_cell_sends_the_same_request_a_second_time(tmp_path: Path, host: Serve) -> None:
    setting, model, _ = await trio(host, tmp_path, ["repeat"])
    await setting.execute()
    asked = [identity(request) for request in model.asked]
    assert len(asked) == 36
    assert {asked.count(one) for one in asked} == {2}


async def test_a_repeat_is_not_answered_from_the_first_answer(tmp_path: Path, host: Serve) -> None:
    times: dict[str, int] = {}

    def changes_its_answer(turn: Turn) -> None:
        name = identity(turn.request)
        times[name] = times.get(name, 0) + 1
        say(turn, "Paris" if times[name] == 1 else "Rome")

    setting, _, _ = await trio(host, tmp_path, ["repeat"], conditions=TEXT_ONLY)
    setting.models = {"omni": [await host(Double(changes_its_answer))]}
    results = await setting.execute()
    assert set(results["answer_used"]) == {"Paris"}
    assert set(setting.control_table()["answer_used"]) == {"Rome"}


async def test_a_blank_carrier_is_empty_and_has_the_size_and_length_of_the_original(
    tmp_path: Path, host: Serve
) -> None:
    setting, model, _ = await trio(host, tmp_path, ["blank"], conditions=TEXT_ONLY)
    await setting.execute()
    texts = [request for request in model.asked if isinstance(request.carrier, str)]
    assert [request.carrier == BLANK_TEXT for request in texts].count(True) == 3
    images = [request.carrier for request in model.asked if isinstance(request.carrier, Image.Image)]
    white = [image for image in images if image.getextrema() == ((255, 255),) * 3]
    assert len(white) == 3
    assert sorted(image.size for image in white) == sorted(i.size for i in images if i not in white)
    clips = [request.carrier for request in model.asked if isinstance(request.carrier, AudioClip)]
    silent = [clip for clip in clips if not clip.samples.any()]
    assert len(silent) == 3
    assert {len(clip.samples) for clip in silent} == {len(clip.samples) for clip in clips if clip.samples.any()}
    typed = [request.parts[1:] for request in model.asked if request.carrier == BLANK_TEXT]
    assert typed.count(("Answer with one word.",)) == 1
    held = setting.control_table().filter(pl.col("input") != "text")["input_media"]
    assert held.null_count() == 0
    assert not set(held) & set(setting.table()["input_media"].drop_nulls())


async def test_the_second_pass_answers_the_models_own_transcript(tmp_path: Path, host: Serve) -> None:
    def own_words(turn: Turn) -> None:
        how = "spoken" if isinstance(turn.request.carrier, AudioClip) else "shown"
        say(turn, f"I was {how} {identity(turn.request)}" if is_first_pass(turn.request) else "Paris")

    setting, _, _ = await trio(host, tmp_path, ["two-pass"], asr_prompt=ASR_PROMPT)
    model = Double(own_words)
    setting.models = {"omni": [await host(model)]}
    setting.model = {"decoding": {"max_new_tokens": 4, "temperature": 0.0}}
    results = await setting.execute()
    table = setting.control_table()
    assert table["condition"].to_list() == ["s2t", "i2t"] * 3
    firsts = [request for request in model.asked if is_first_pass(request)]
    assert [request.decoding.max_new_tokens for request in firsts] == [None] * 6
    assert [request.decoding.temperature for request in firsts] == [0.0] * 6
    for row in table.iter_rows(named=True):
        (second,) = [request for request in model.asked if request.carrier == row["first_pass"]]
        assert second.output == "text"
        assert second.parts[1:] == (("Answer with one word.",) if row["item_id"] == "spain" else ())
        assert second.decoding.max_new_tokens == 4
    assert all(text.startswith("I was spoken") for text in table.filter(condition="s2t")["first_pass"])
    assert all(text.startswith("I was shown") for text in table.filter(condition="i2t")["first_pass"])
    direct = results.filter(pl.col("condition").is_in(["s2t", "i2t"]))
    assert set(table["input_media"]) == set(direct["input_media"])
    assert (table["own_text"] == "Paris").all()


async def test_an_empty_first_pass_is_replaced_by_the_blank_text(tmp_path: Path, host: Serve) -> None:
    def writes_nothing(turn: Turn) -> None:
        say(turn, " " if is_first_pass(turn.request) else "Paris")

    setting, _, _ = await trio(host, tmp_path, ["two-pass"], conditions=["s2t"])
    model = Double(writes_nothing)
    setting.models = {"omni": [await host(model)]}
    await setting.execute()
    table = setting.control_table()
    assert outcomes(table) == {"answered": 3}
    assert [text.strip() for text in table["first_pass"]] == [""] * 3
    assert sum(request.carrier == BLANK_TEXT for request in model.asked) == 3


async def test_word_errors_of_a_first_pass_are_counted_against_the_carrier(tmp_path: Path, host: Serve) -> None:
    def hears_peru_everywhere(turn: Turn) -> None:
        say(turn, "What is the capital of peru?" if is_first_pass(turn.request) else "Paris")

    setting, _, _ = await trio(host, tmp_path, ["two-pass"], conditions=["s2t", "i2t"])
    setting.models = {"omni": [await host(Double(hears_peru_everywhere))]}
    await setting.execute()
    counts = setting.control_table().select("item_id", "wer_errors", "wer_words").unique().sort("item_id")
    assert counts.rows() == [("france", 1, 5), ("peru", 0, 5), ("spain", 1, 5)]
    # Whisper's normaliser keeps articles.
    whisper = setting.control_table().select("item_id", "wer_errors_whisper", "wer_words_whisper").unique()
    assert whisper.sort("item_id").rows() == [("france", 1, 6), ("peru", 0, 6), ("spain", 1, 6)]


async def test_a_two_pass_control_needs_the_support_of_both_passes(tmp_path: Path, host: Serve) -> None:
    cannot_type = {Condition.parse(name): NATIVE for name in ("s2t", "i2t")}
    setting, _, _ = await trio(host, tmp_path, ["two-pass"], conditions=TEXT_ONLY)
    model = Double(paris, conditions=cannot_type)
    setting.models = {"omni": [await host(model)]}
    results = await setting.execute()
    assert outcomes(results) == {"answered": 6, "unsupported": 3}
    table = setting.control_table()
    assert outcomes(table) == {"unsupported": 6}
    assert "t2t" in table["error_message"][0]
    assert len(model.asked) == 6


async def test_adding_controls_to_a_run_generates_only_the_control_cells(tmp_path: Path, host: Serve) -> None:
    setting, model, _ = await trio(host, tmp_path, [])
    before = await setting.execute()
    setting.tables = {"run": {"controls": ALL}}
    assert (await setting.execute()).equals(before)
    assert any("18 + 42 control" in note for note in setting.notes)
    asked = len(model.asked)
    assert asked == 18 + 18 + 18 + 2 * 6
    await setting.execute()
    assert len(model.asked) == asked


@pytest.mark.parametrize(("pass_", "asked_again"), [("first", 2), ("second", 1)], ids=lambda value: str(value))
async def test_a_failed_pass_fails_its_cell_and_is_retried(
    tmp_path: Path, host: Serve, pass_: str, asked_again: int
) -> None:
    failing = True

    def fails_in_one_pass(turn: Turn) -> None:
        first = is_first_pass(turn.request)
        fails = first if pass_ == "first" else str(turn.request.carrier).startswith("asked ")
        if failing and fails:
            turn.fail(ContractError(Reason.MODEL_ERROR, "no answer"))
        else:
            paris(turn)

    setting, _, _ = await trio(host, tmp_path, ["two-pass"], conditions=["s2t"])
    model = Double(fails_in_one_pass)
    setting.models = {"omni": [await host(model)]}
    results = await setting.execute()
    assert outcomes(results) == {"answered": 3}
    table = setting.control_table()
    assert outcomes(table) == {"failed": 3}
    assert set(table["error_message"]) == {"no answer"}
    assert table["first_pass"].null_count() == (3 if pass_ == "first" else 0)
    failing, before = False, len(model.asked)
    await setting.execute()
    assert outcomes(setting.control_table()) == {"answered": 3}
    assert len(model.asked) - before == 3 * asked_again


async def test_changing_a_prompt_repeats_only_its_first_passes(tmp_path: Path, host: Serve) -> None:
    setting, model, _ = await trio(host, tmp_path, ["two-pass"], conditions=["s2t", "i2t"])
    await setting.execute()
    before = len(model.asked)
    setting.tables = {"run": {"controls": ["two-pass"], "conditions": ["s2t", "i2t"], "asr_prompt": "Write it down."}}
    await setting.execute()
    prompts = [request.parts[-1] for request in model.asked[before:]]
    assert prompts.count("Write it down.") == 3
    assert OCR_PROMPT not in prompts


async def test_the_scope_applies_to_control_cells(tmp_path: Path, host: Serve) -> None:
    setting, model, _ = await trio(host, tmp_path, ALL)
    await setting.execute(conditions=["i2t"])
    table = setting.control_table()
    assert table.height == 42
    assert outcomes(table, condition="i2t") == {"answered": 9}
    assert outcomes(table) == {"answered": 9, "pending": 33}
    assert len(model.asked) == 3 * (1 + 1 + 1 + 2)


async def test_single_stages_give_the_same_control_table_as_one_run(tmp_path: Path, host: Serve) -> None:
    at_once, _, _ = await trio(host, tmp_path / "one", ALL)
    in_steps, _, scorer = await trio(host, tmp_path / "steps", ALL)
    in_steps.models, in_steps.tts = at_once.models, at_once.tts
    at_once.scorer = in_steps.scorer
    await at_once.execute()
    transcribed = len(scorer.asked)
    await in_steps.execute(stages=["generate"])
    assert outcomes(in_steps.control_table()) == {"pending": 42}
    assert len(scorer.asked) == transcribed
    for stage in ("transcribe", "score"):
        await in_steps.execute(stages=[stage])
    assert without_times(in_steps.control_table()).equals(without_times(at_once.control_table()))


async def test_failures_of_a_cell_and_of_its_control_are_separate(tmp_path: Path, host: Serve) -> None:
    times: dict[str, int] = {}

    def fails_at_first(turn: Turn) -> None:
        name = identity(turn.request)
        times[name] = times.get(name, 0) + 1
        if times[name] == 1:
            turn.fail(ContractError(Reason.MODEL_ERROR, "the model is not ready"))
        else:
            paris(turn)

    setting, _, _ = await trio(host, tmp_path, ["repeat"], conditions=["t2t"], max_retries=0)
    model = Double(fails_at_first, max_concurrent=1)
    setting.models = {"omni": [await host(model)]}
    results = await setting.execute()
    assert outcomes(results) == {"failed": 3}
    assert outcomes(setting.control_table()) == {"answered": 3}
    asked = len(model.asked)
    assert outcomes(await setting.execute()) == {"answered": 3}
    assert len(model.asked) == asked + 3


async def test_blanks_are_made_once_per_size(tmp_path: Path, host: Serve) -> None:
    setting, _, _ = await trio(host, tmp_path, ["blank"], conditions=["i2t", "s2t"])
    await setting.execute()
    stored = {path: path.stat().st_mtime_ns for path in setting.folder.media.glob("??/*")}
    # Three images and three audio files. The doubles speak equally long and two images have equal heights.
    assert len(stored) <= 3 + 3 + 3 + 1
    await setting.execute()
    assert {path: path.stat().st_mtime_ns for path in setting.folder.media.glob("??/*")} == stored


async def test_new_scoring_rules_rescore_the_control_cells_without_a_call(
    tmp_path: Path, host: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting, model, scorer = await trio(host, tmp_path, ALL)
    await setting.execute()
    asked = (len(model.asked), len(scorer.asked))
    monkeypatch.setattr(scoring, "scoring_version", lambda: "another")
    assert outcomes(setting.control_table()) == {"pending": 42}
    await setting.execute(stages=["score"])
    assert outcomes(setting.control_table()) == {"answered": 42}
    assert (len(model.asked), len(scorer.asked)) == asked


async def test_control_cells_of_an_unavailable_model_stay_pending(tmp_path: Path, host: Serve) -> None:
    setting, _, _ = await trio(host, tmp_path, ["repeat"])
    await setting.execute()
    setting.tables = {"run": {"controls": ["repeat", "blank"]}}
    setting.models = {"omni": ["127.0.0.1:1"]}
    summary = await setting.drive()
    assert not summary["complete"]
    assert summary["incomplete"].startswith("18 pending of 36 control cells")
    assert outcomes(pl.read_parquet(setting.folder.controls)) == {"answered": 18, "pending": 18}
