"""Resuming a run: journalled work is not repeated, and only what changed is done again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import omnigap_orchestrator.pipeline.score as scoring
from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_orchestrator.fleet import Role
from omnigap_orchestrator.pipeline.scope import Stage
from omnigap_services.adapter import Turn
from tests.helpers.running import Setting, item, outcomes, without_times
from tests.helpers.served_doubles import Double, Serve, say

STAGES = [stage.value for stage in (Stage.GENERATE, Stage.TRANSCRIBE, Stage.SCORE)]


def paris(turn: Turn) -> None:
    say(turn, "Paris")


async def test_a_finished_run_calls_no_service_again(tmp_path: Path, host: Serve) -> None:
    model, scorer, tts = Double(paris), Double(paris), Double()
    setting = Setting(tmp_path, {"omni": [await host(model)]}, [await host(scorer)], [await host(tts)])
    table = await setting.execute()
    asked = [len(double.asked) for double in (model, scorer, tts)]
    assert (await setting.execute()).equals(table)
    assert [len(double.asked) for double in (model, scorer, tts)] == asked


async def test_single_stages_give_the_same_table_as_one_run(tmp_path: Path, host: Serve) -> None:
    model, scorer, tts = Double(paris), Double(paris), Double()
    services = ({"omni": [await host(model)]}, [await host(scorer)], [await host(tts)])
    at_once, in_steps = Setting(tmp_path / "one", *services), Setting(tmp_path / "steps", *services)
    expected = await at_once.execute()
    transcribed, asked = len(scorer.asked), len(model.asked)
    table = await in_steps.execute(stages=["generate"])
    assert outcomes(table) == {"pending": 18}
    assert (len(scorer.asked), len(model.asked)) == (transcribed, 2 * asked)
    table = await in_steps.execute(stages=["transcribe"])
    assert outcomes(table) == {"pending": 18}
    assert (len(scorer.asked), len(model.asked)) == (2 * transcribed, 2 * asked)
    table = await in_steps.execute(stages=["score"])
    assert without_times(table).equals(without_times(expected))


async def test_two_runs_do_not_share_replayed_answers(tmp_path: Path, host: Serve) -> None:
    model, tts = Double(paris), Double()
    services = ({"omni": [await host(model)]}, (), [await host(tts)])
    tables = {"run": {"conditions": ["t2t"]}}
    await Setting(tmp_path / "one", *services, tables=tables).execute()
    await Setting(tmp_path / "two", *services, tables=tables).execute()
    assert len(model.asked) == 6


async def test_a_new_digest_of_a_model_repeats_only_its_cells(tmp_path: Path, host: Serve) -> None:
    old, new, other = Double(paris), Double(paris, weights_revision="2"), Double(paris, name="other")
    scorer, tts = await host(Double(paris)), await host(Double())
    other_at = await host(other)
    await Setting(tmp_path, {"omni": [await host(old)], "other": [other_at]}, [scorer], [tts]).execute()
    table = await Setting(tmp_path, {"omni": [await host(new)], "other": [other_at]}, [scorer], [tts]).execute()
    assert [len(model.asked) for model in (old, new, other)] == [18, 18, 18]
    assert outcomes(table) == {"answered": 36}


async def test_another_scorer_transcribes_again_without_calling_a_model(tmp_path: Path, host: Serve) -> None:
    model, first, second = Double(paris), Double(paris), Double(lambda turn: say(turn, "Lima"), name="second")
    omni, tts = {"omni": [await host(model)]}, [await host(Double())]
    before = await Setting(tmp_path, omni, [await host(first)], tts).execute()
    after = await Setting(tmp_path, omni, [await host(second)], tts, accepts=frozenset({Role.SCORER})).execute()
    assert (len(model.asked), len(first.asked), len(second.asked)) == (18, 9, 9)
    assert after.filter(output="speech")["score"].to_list() == [0.0] * 9
    text_only = {"output": "text"}
    assert after.filter(**text_only).equals(before.filter(**text_only))


async def test_another_decoding_of_the_scorer_transcribes_again(tmp_path: Path, host: Serve) -> None:
    model, scorer = Double(paris), Double(paris)
    services = ({"omni": [await host(model)]}, [await host(scorer)], [await host(Double())])
    await Setting(tmp_path, *services).execute()
    await Setting(tmp_path, *services, tables={"scorer": {"decoding": {"beam_size": 3}}}).execute()
    assert (len(model.asked), len(scorer.asked)) == (18, 18)
    assert [request.decoding.beam_size for request in scorer.asked] == [None] * 9 + [3] * 9


async def test_new_scoring_rules_rescore_without_a_call(
    tmp_path: Path, host: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, scorer = Double(paris), Double(paris)
    setting = Setting(tmp_path, {"omni": [await host(model)]}, [await host(scorer)], [await host(Double())])
    await setting.execute()
    monkeypatch.setattr(scoring, "scoring_version", lambda: "another")
    assert outcomes(setting.table()) == {"pending": 18}
    assert outcomes(await setting.execute(stages=["score"])) == {"answered": 18}
    assert (len(model.asked), len(scorer.asked)) == (18, 9)


def _system_prompt(tables: dict[str, Any], model: dict[str, Any], items: list[dict[str, Any]]) -> None:
    tables["run"]["system_prompt"] = "Be brief."


def _own_system_prompt(tables: dict[str, Any], model: dict[str, Any], items: list[dict[str, Any]]) -> None:
    model["system_prompt"] = "Be brief."


def _decoding(tables: dict[str, Any], model: dict[str, Any], items: list[dict[str, Any]]) -> None:
    model["decoding"] = {"temperature": 0.0}


def _seed(tables: dict[str, Any], model: dict[str, Any], items: list[dict[str, Any]]) -> None:
    tables["run"]["seed"] = 7


def _voice(tables: dict[str, Any], model: dict[str, Any], items: list[dict[str, Any]]) -> None:
    model["voice"] = "ann"


def _instruction(tables: dict[str, Any], model: dict[str, Any], items: list[dict[str, Any]]) -> None:
    items[0]["instruction"] = "Answer with a name."


def _question(tables: dict[str, Any], model: dict[str, Any], items: list[dict[str, Any]]) -> None:
    items[0]["question"] = "Which city is the capital?"


def _gold(tables: dict[str, Any], model: dict[str, Any], items: list[dict[str, Any]]) -> None:
    items[0]["answers"] = ["Lyon"]


@pytest.mark.parametrize(
    ("change", "asked_again"),
    [
        *((change, 6) for change in (_system_prompt, _own_system_prompt, _decoding, _seed, _voice)),
        *((change, 3) for change in (_instruction, _question)),
        (_gold, 0),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else str(value),
)
async def test_cells_are_generated_again_when_an_input_of_their_key_changes(
    tmp_path: Path, host: Serve, change: Callable[..., None], asked_again: int
) -> None:
    subject = Double(paris)
    tables: dict[str, Any] = {"run": {"conditions": ["t2t", "i2t", "t2s"]}}
    model: dict[str, Any] = {}
    items = [item("france"), item("peru")]
    setting = Setting(tmp_path, {"omni": [await host(subject)]}, [await host(Double(paris))], (), items, tables, model)
    await setting.execute()
    assert len(subject.asked) == 6
    change(tables, model, items)
    table = await setting.execute()
    assert len(subject.asked) == 6 + asked_again
    assert outcomes(table) == {"answered": 6}
    if change is _gold:
        assert table.filter(item_id="france")["score"].to_list() == [0.0] * 3


async def test_failures_are_never_cached(tmp_path: Path, host: Serve) -> None:
    failing = True

    def fails_at_first(turn: Turn) -> None:
        if failing:
            turn.fail(ContractError(Reason.MODEL_ERROR, "no answer"))
        else:
            paris(turn)

    model = Double(fails_at_first)
    tables = {"run": {"conditions": ["t2t"]}}
    setting = Setting(tmp_path, {"omni": [await host(model)]}, tables=tables)
    table = await setting.execute()
    assert outcomes(table) == {"failed": 3}
    assert table["error_reason"].to_list() == ["MODEL_ERROR"] * 3
    failing = False
    assert outcomes(await setting.execute()) == {"answered": 3}


async def test_a_failure_is_reported_until_its_cell_is_retried(tmp_path: Path, host: Serve) -> None:
    def fail(turn: Turn) -> None:
        turn.fail(ContractError(Reason.MODEL_ERROR, "no answer"))

    tables = {"run": {"conditions": ["t2t", "i2t"]}}
    setting = Setting(tmp_path, {"omni": [await host(Double(fail))]}, tables=tables)
    assert outcomes(await setting.execute()) == {"failed": 6}
    assert outcomes(await setting.execute(conditions=["t2t"])) == {"failed": 6}
    setting.models = {"omni": ["127.0.0.1:1"]}
    assert outcomes(await setting.execute()) == {"failed": 6}


async def test_the_scope_does_not_change_the_denominators(tmp_path: Path, host: Serve) -> None:
    one, two = Double(paris), Double(paris, name="two")
    setting = Setting(
        tmp_path,
        {"one": [await host(one)], "two": [await host(two)]},
        [await host(Double(paris))],
        [await host(Double())],
    )
    table = await setting.execute(models=["two"], conditions=["t2t", "s2s"])
    assert table.height == 36
    assert (len(one.asked), len(two.asked)) == (0, 6)
    assert outcomes(table, model="one") == {"pending": 18}
    assert outcomes(table, model="two") == {"pending": 12, "answered": 6}
    assert outcomes(await setting.execute()) == {"answered": 36}
    assert (len(one.asked), len(two.asked)) == (18, 18)


async def test_transcription_starts_while_the_model_still_generates(tmp_path: Path, host: Serve) -> None:
    """The scorer transcribes the first answer before the model gives its last."""
    loop = asyncio.get_running_loop()
    transcribed = asyncio.Event()

    def transcribe(turn: Turn) -> None:
        loop.call_soon_threadsafe(transcribed.set)
        paris(turn)

    def answer(turn: Turn) -> None:
        if turn.request.carrier == "What is the capital of peru?":
            asyncio.run_coroutine_threadsafe(transcribed.wait(), loop).result(60)
        paris(turn)

    setting = Setting(
        tmp_path,
        {"omni": [await host(Double(answer))]},
        [await host(Double(transcribe))],
        tables={"run": {"conditions": ["t2s"]}},
    )
    assert outcomes(await setting.execute()) == {"answered": 3}


async def test_an_answer_whose_audio_was_deleted_is_generated_again(tmp_path: Path, host: Serve) -> None:
    model = Double(paris)
    setting = Setting(
        tmp_path, {"omni": [await host(model)]}, [await host(Double(paris))], tables={"run": {"conditions": ["t2s"]}}
    )
    await setting.execute(stages=["generate"])
    for path in setting.folder.media.glob("??/*.wav"):
        path.unlink()
    assert outcomes(await setting.execute()) == {"answered": 3}
    assert len(list(setting.folder.media.glob("??/*.wav"))) == 3
