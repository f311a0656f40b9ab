"""Another scorer, voice or judge is refused before anything is stored, unless a flag accepts it; a model never is."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnigap.v1 import model_service_pb2 as pb
from omnigap_orchestrator.fleet import Role
from omnigap_orchestrator.journal import Journal, TranscriptRow
from omnigap_orchestrator.pipeline.instruments import InstrumentError
from tests.helpers.running import Orchestrator, Setting, item, outcomes
from tests.helpers.served_doubles import Wire, audio, complete, text

ROLES = ("model", "scorer", "tts", "judge", "second_scorer")
FLAGS = {"scorer": "--accept-scorer", "tts": "--accept-voice", "judge": "--accept-judge"}
FLAGS["second_scorer"] = FLAGS["scorer"]
ACCEPTS = {"scorer": Role.SCORER, "tts": Role.TTS, "judge": Role.JUDGE, "second_scorer": Role.SCORER}
STAGES = ("generate", "transcribe", "judge", "score")
ITEMS = [item(str(n), answer_type="open", metric="judge", answers=[]) for n in range(2)]


def wire(role: str) -> Wire:
    """A service whose answers differ between digests."""

    def respond(request: pb.GenerateRequest) -> list[pb.GenerateResponse]:
        asked = hashlib.sha256(request.parts[0].SerializeToString(deterministic=True)).hexdigest()[:12]
        said = "4" if role == "judge" else f"{role} {made.digest} {asked}"
        spoken = [audio(f"{said} {request.output}")] if request.output == pb.MODALITY_SPEECH else []
        return [text(said), *spoken, complete(made.digest)]

    made = Wire(respond, name=role, digest=f"{role}-a")  # type: ignore[arg-type]
    return made


@dataclass
class Study:
    """A run over five services, each of which can be replaced by another one on its port."""

    setting: Setting
    wires: dict[str, Wire]
    counts: dict[str, int] = field(default_factory=dict)

    def swap(self, role: str, name: str = "b") -> None:
        self.wires[role].digest = f"{role}-{name}"

    async def run(self, *accepted: str, stages: tuple[str, ...] = STAGES) -> bool:
        """Runs it; whether it is complete. `counts` has the calls of each service by this command."""
        before = {name: len(each.asked) for name, each in self.wires.items()}
        self.setting.accepts = frozenset(ACCEPTS[role] for role in accepted)
        try:
            return bool((await self.setting.drive(stages=stages))["complete"])
        finally:
            self.counts = {name: len(each.asked) - before[name] for name, each in self.wires.items()}

    def files(self) -> dict[str, bytes]:
        """Every file of the folder but the lock, whose content is the ID of the last process."""
        root = self.setting.folder.root
        return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file() and p.name != ".lock"}


@asynccontextmanager
async def study(root: Path) -> AsyncIterator[Study]:
    wires = {role: wire(role) for role in ROLES}
    try:
        for each in wires.values():
            await each.start()
        at = {role: [each.address] for role, each in wires.items()}
        tables = {
            "run": {"conditions": ["t2t", "s2s"]},
            "judge": {"endpoints": at["judge"]},
            "second_scorer": {"endpoints": at["second_scorer"]},
        }
        yield Study(Setting(root, {"m": at["model"]}, at["scorer"], at["tts"], items=ITEMS, tables=tables), wires)
    finally:
        for each in wires.values():
            await each.stop()


@pytest.mark.parametrize("role", [*FLAGS])
async def test_a_changed_instrument_is_refused_and_nothing_is_written(tmp_path: Path, role: str) -> None:
    async with study(tmp_path) as made:
        assert await made.run()
        before = made.files()
        made.swap(role)
        with pytest.raises(InstrumentError) as refused:
            await made.run()
        assert made.files() == before
        assert not any(made.counts.values())
        message = str(refused.value)
        for part in (f"{role}-a"[:12], f"{role}-b"[:12], made.wires[role].address, FLAGS[role], "--run-dir"):
            assert part in message
        stored = {"judge": "6 stored verdicts", "tts": "2 stored recordings"}.get(role, "2 stored transcripts")
        again = {"judge": "4 answers", "tts": "2 cells"}.get(role, "2 recordings")
        assert stored in message and again in message
        # Its old one is back: nothing has happened.
        made.swap(role, "a")
        assert await made.run()
        assert not any(made.counts.values())


@pytest.mark.parametrize("role", [*FLAGS])
async def test_an_accepted_instrument_replaces_the_results_of_the_old_one(tmp_path: Path, role: str) -> None:
    async with study(tmp_path) as made:
        await made.run()
        made.swap(role)
        assert await made.run(role)
        assert made.counts[role] == (6 if role == "judge" else 2)
        assert made.counts["model"] == (2 if role == "tts" else 0)
        assert any(FLAGS[role] in note and f"{role}-b"[:12] in note for note in made.setting.notes)
        # It is the folder's from now on.
        assert await made.run()
        assert not any(made.counts.values())
        # Changing back is a change of all tables too, although nothing is asked.
        made.swap(role, "a")
        with pytest.raises(InstrumentError, match="stored already"):
            await made.run()
        assert await made.run(role)
        assert not any(made.counts.values())


async def test_a_changed_model_is_never_refused(tmp_path: Path) -> None:
    async with study(tmp_path) as made:
        await made.run()
        made.swap("model")
        assert await made.run()
        assert made.counts["model"] == 4


@pytest.mark.parametrize("role", [*FLAGS])
async def test_nothing_is_refused_if_nothing_stored_would_be_replaced(tmp_path: Path, role: str) -> None:
    async with study(tmp_path) as made:
        made.setting.tables = {**made.setting.tables, "run": {"conditions": ["t2t"]}}
        stages = tuple(stage for stage in STAGES if stage != "judge")
        await made.run(stages=stages)
        made.swap(role)
        made.setting.tables = {**made.setting.tables, "run": {"conditions": ["t2t", "s2s"]}}
        assert await made.run()


async def test_several_changes_are_refused_together(tmp_path: Path) -> None:
    async with study(tmp_path) as made:
        await made.run()
        for role in ("scorer", "tts", "judge"):
            made.swap(role)
        with pytest.raises(InstrumentError, match=r"--accept-voice --accept-scorer --accept-judge"):
            await made.run()
        with pytest.raises(InstrumentError) as refused:
            await made.run("tts", "judge")
        assert "the voice" not in str(refused.value)
        # As the next command has to be typed.
        assert "--accept-voice --accept-scorer --accept-judge" in str(refused.value)
        assert await made.run("tts", "judge", "scorer")


async def test_a_smaller_plan_does_not_allow_another_scorer(tmp_path: Path) -> None:
    async with study(tmp_path) as made:
        await made.run()
        made.swap("scorer")
        # The answers of other items are still those that the first one transcribed.
        made.setting.items = ITEMS[:1]
        with pytest.raises(InstrumentError, match="1 stored transcript of"):
            await made.run()


@pytest.mark.parametrize("role", [*FLAGS])
@pytest.mark.parametrize("meanwhile", ["other items", "other conditions"])
async def test_another_plan_in_between_does_not_permit_another_instrument(
    tmp_path: Path, role: str, meanwhile: str
) -> None:
    async with study(tmp_path) as made:
        await made.run()
        tables = made.setting.tables
        if meanwhile == "other items":
            made.setting.items = [item("short")]
        else:
            made.setting.items = [item("short"), *ITEMS]
            made.setting.tables = {**tables, "run": {"conditions": ["t2t"]}}
        await made.run(stages=("generate", "score"))
        made.swap(role)
        made.setting.items, made.setting.tables = ITEMS, tables
        before = made.files()
        stored = {"judge": "6 stored verdicts", "tts": "2 stored recordings"}.get(role, "2 stored transcripts")
        with pytest.raises(InstrumentError, match=stored):
            await made.run()
        assert made.files() == before
        assert await made.run(role)


@pytest.mark.parametrize("role", [*FLAGS])
async def test_another_instrument_for_other_items_does_not_take_over_those_of_the_first(
    tmp_path: Path, role: str
) -> None:
    async with study(tmp_path) as made:
        await made.run()
        made.swap(role)
        other = item("other", answer_type="open", metric="judge", answers=[])
        made.setting.items = [other]
        assert await made.run()
        made.setting.items = [other, *ITEMS]
        for name in "ba":
            made.swap(role, name)
            before = made.files()
            with pytest.raises(InstrumentError, match=FLAGS[role]):
                await made.run()
            assert made.files() == before
        made.swap(role)
        assert await made.run(role)
        assert await made.run()
        assert not any(made.counts.values())


async def test_a_second_scorer_that_comes_late_is_refused_when_the_rest_is_complete(tmp_path: Path) -> None:
    async with study(tmp_path) as made:
        await made.run()
        second, model = made.wires["second_scorer"], made.wires["model"]
        made.swap("second_scorer")
        made.setting.items = [*ITEMS, item("late", answer_type="open", metric="judge", answers=[])]
        await second.set_serving(False)

        async def come_late() -> None:
            await model.until_asked(len(model.asked) + 1)
            await second.set_serving(True)

        late = asyncio.create_task(come_late())
        with pytest.raises(InstrumentError, match="the second ASR scorer") as refused:
            await made.run()
        await late
        assert "Nothing was changed" not in str(refused.value)
        assert made.counts["second_scorer"] == 0
        table = made.setting.table()
        assert outcomes(table) == {"answered": 6}
        assert set(table["second_asr_digest"].drop_nulls()) == {"second_scorer-a"}
        assert await made.run("second_scorer")


async def test_an_interrupted_change_is_continued_without_the_flag(tmp_path: Path) -> None:
    async with study(tmp_path) as made:
        await made.run()
        made.swap("scorer")
        scorer = made.wires["scorer"]
        scorer.max_concurrent, scorer.delay_s = 1, 0.5
        asked, config = len(scorer.asked), made.setting.write()
        orchestrator = await Orchestrator.start("run", "-c", config, "--accept-scorer", folder=tmp_path)
        await scorer.until_asked(asked + 2)
        await orchestrator.kill()
        scorer.delay_s = 0
        spoken = made.setting.table().filter(condition="s2s")
        assert set(spoken["asr_digest"]) <= {"scorer-b", None}
        assert await made.run()
        assert set(made.setting.table().filter(condition="s2s")["asr_digest"]) == {"scorer-b"}


async def test_a_lost_configuration_does_not_allow_another_scorer(tmp_path: Path) -> None:
    async with study(tmp_path) as made:
        await made.run()
        made.setting.folder.config.unlink()
        made.swap("scorer")
        with pytest.raises(InstrumentError):
            await made.run()


async def test_the_command_line_refuses_with_exit_code_1(tmp_path: Path) -> None:
    async with study(tmp_path) as made:
        await made.run()
        made.swap("scorer")
        for command in (("run", "-c", made.setting.write()), ("transcribe", "--run-dir", made.setting.folder.root)):
            ended = await (await Orchestrator.start(*command, folder=tmp_path)).end()
            assert ended.code == 1 and "--accept-scorer" in ended.err and "Traceback" not in ended.err
        command = ("transcribe", "--run-dir", made.setting.folder.root, "--accept-scorer")
        ended = await (await Orchestrator.start(*command, folder=tmp_path)).end()
        assert ended.code == 0, ended.err


COMMANDS = st.lists(
    st.tuples(
        st.sampled_from(ROLES),
        st.sampled_from("abc"),
        st.sets(st.sampled_from(("scorer", "tts", "judge"))),
        st.sampled_from([STAGES, ("transcribe", "score"), ("transcribe", "judge", "score")]),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(commands=COMMANDS)
def test_tables_never_change_their_instruments_without_a_flag(
    commands: list[tuple[str, str, set[str], tuple[str, ...]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    async def scenario(root: Path) -> None:
        async with study(root) as made:
            assert await made.run()
            mine = {role: f"{role}-a" for role in ROLES}
            for role, name, accepted, stages in commands:
                made.swap(role, name)
                before, table = made.files(), made.setting.table()
                try:
                    await made.run(*accepted, stages=stages)
                except InstrumentError:
                    assert made.files() == before
                    assert made.setting.table().equals(table)
                    continue
                finally:
                    journal = Journal(made.setting.folder.journal)
                    rows = journal.all(TranscriptRow)
                    journal.close()
                    assert len({row.key for row in rows}) == len(rows)
                now = made.setting.table()
                for column, instrument in (("asr_digest", "scorer"), ("judge_digest", "judge")):
                    found = set(now[column].drop_nulls())
                    assert len(found) <= 1
                    if found - {mine[instrument]}:
                        assert instrument in accepted
                        mine[instrument] = found.pop()
                assert "failed" not in outcomes(now)

    asyncio.run(scenario(tmp_path_factory.mktemp("study")))
