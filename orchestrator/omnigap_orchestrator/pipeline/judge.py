"""The judge stage: what a judge says of an answer's texts. Verdicts are kept by what was asked: equal texts are judged
once.
"""

from __future__ import annotations

import asyncio
import secrets
import time

from omnigap.errors import OmnigapError
from omnigap_orchestrator.config.services import DecodingConfig
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.journal import FailureRow, VerdictRow
from omnigap_orchestrator.judge import UNREADABLE, JudgePrompt, JudgeSetup, Rubric, Verdict, combine_votes, read_verdict
from omnigap_orchestrator.pipeline.cells import PlannedCell, PlannedCells
from omnigap_orchestrator.pipeline.context import RunContext, ServiceCalls
from omnigap_orchestrator.pipeline.requests import judge_request
from omnigap_orchestrator.pipeline.scope import Stage
from omnigap_orchestrator.plan import Cell
from omnigap_orchestrator.pool import Unavailable

UNREADABLE_TRIES = 2
"""How often a judge is asked in one call before its words count as no verdict."""
_QUOTED = 160


class Unreadable(OmnigapError):  # noqa: N818 - a state of the world, not a fault of the program
    """The judge answered, and what it said is no verdict."""

    def __init__(self, said: str, rubric: Rubric, endpoint: str) -> None:
        shown = said if len(said) <= _QUOTED else f"{said[:_QUOTED]}…"
        super().__init__(f"the judge said {shown!r}, which is no verdict on the scale {rubric.scale} of {rubric.name}")
        self.endpoint = endpoint


class Judge:
    """Asks the judge for the scores of texts, and keeps its verdicts."""

    def __init__(self, context: RunContext, calls: ServiceCalls, setup: JudgeSetup, decoding: DecodingConfig) -> None:
        self._calls, self._setup, self._decoding = calls, setup, decoding
        self._records = context.records
        # Each call of this program asks under ids of its own: words that were no verdict would be replayed otherwise.
        self._call_id = f"{context.run_id}-{secrets.token_hex(4)}"
        self._under_way: dict[str, asyncio.Future[VerdictRow]] = {}

    async def scores(self, item: Item, used: str, own: str | None) -> tuple[float, float | None]:
        """The scores of the text that counts and of the own text beside it, each in [0, 1].

        Raises:
            Unavailable: where the judge is gone, and a verdict is not kept already.
            CallFailed: where it is well, and a call failed.
            Unreadable: where what it said is no verdict.
        """
        async with self._calls.slots:
            return await self._score(item, used), None if own is None else await self._score(item, own)

    async def _score(self, item: Item, text: str) -> float:
        """The score of one text; an empty one gets none, and no judge is asked."""
        if not text.strip():
            return 0.0
        rubric = self._setup.rubric_for(item)
        rows = [await self._vote(ask, rubric) for ask in self._setup.prompts(item, text)]
        return combine_votes(rubric, [(row.rating, row.score) for row in rows]).score

    async def _vote(self, ask: JudgePrompt, rubric: Rubric) -> VerdictRow:
        """The verdict of one vote: as it is kept, as it is being asked for, or asked for now."""
        if (known := self._records.verdicts.get(ask.key)) is not None:
            return known
        if (coming := self._under_way.get(ask.key)) is not None:
            return await asyncio.shield(coming)
        self._under_way[ask.key] = coming = asyncio.get_running_loop().create_future()
        try:
            row = await self._asked(ask, rubric)
        except BaseException as error:
            # Whoever waits for the same verdict gets the same error; it is retrieved here in case there is none.
            coming.set_exception(error if isinstance(error, Exception) else Unavailable("the run was stopped"))
            coming.exception()
            raise
        else:
            coming.set_result(row)
            return row
        finally:
            del self._under_way[ask.key]

    async def _asked(self, ask: JudgePrompt, rubric: Rubric) -> VerdictRow:
        for number in range(UNREADABLE_TRIES):
            request_id = f"{self._call_id}-{ask.key}-{number}"
            answer = await self._calls.call(judge_request(ask, self._decoding, request_id, self._calls.digest))
            read = read_verdict(rubric, answer.own_text)
            if read is not None:
                rating, score = read
                row = VerdictRow(ask.key, answer.own_text, rating, score, answer.digest, answer.endpoint, time.time())
                await self._records.save(row)
                return row
        raise Unreadable(answer.own_text, rubric, answer.endpoint)


def unreadable_row(cell: Cell, said: Unreadable) -> FailureRow:
    """The failure of a cell whose judge gave no verdict."""
    return FailureRow(
        stage=Stage.JUDGE.value,
        model=cell.model,
        item_id=cell.item_id,
        condition=cell.filed_under,
        replicate=cell.replicate,
        reason=UNREADABLE,
        message=str(said),
        endpoint=said.endpoint,
        attempts=UNREADABLE_TRIES,
        at=time.time(),
    )


def kept_verdict(
    cells: PlannedCells, cell: PlannedCell, text: str | None, verdicts: dict[str, VerdictRow]
) -> Verdict | None:
    """What the journal holds of a text's verdict; None where it holds none, or not all votes."""
    if not cell.is_judged or cells.setup is None or text is None or not text.strip():
        return None
    votes = [verdicts.get(ask.key) for ask in cells.setup.prompts(cell.item, text)]
    present = [(row.rating, row.score) for row in votes if row is not None]
    return combine_votes(cells.setup.rubric_for(cell.item), present) if len(present) == len(votes) else None
