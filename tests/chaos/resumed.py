"""A run with faults, and then the same command after they have ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.fault_server import SCORER
from tests.chaos.processes import Ended, FaultServer, orchestrate
from tests.chaos.table import Row
from tests.chaos.verdict import Seen, asked_twice, seen
from tests.helpers.running import Setting, item

MEMORY_MB = 1_500.0
"""No answer may cost the orchestrator more memory than this; a run of this size takes 200."""


def setting_of(folder: Path, server: FaultServer, names: Sequence[str], items: int, **run: object) -> Setting:
    """A run of models of a fault server."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [item(f"q-{n}", question=f"Item {n}: what is the capital?", answers=["Paris"]) for n in range(items)]
    table = {"conditions": ["t2t", "t2s"], "patience_s": 1.5, "max_retries": 1, "request_timeout_s": 5, **run}
    scorer = next(name for name in server.ports if name.partition(":")[0] == SCORER)
    models = {name: [server.address(name)] for name in names}
    return Setting(folder, models, [server.address(scorer)], [], items=rows, tables={"run": table})


@dataclass(frozen=True)
class Resumed:
    """What both commands left.

    Attributes:
        first, last: how the commands with and without faults ended.
        during, after: what the run folder held after each.
        twice: "MODEL item N OUTPUT" of each request for an answer that was in the journal.
    """

    first: Ended
    last: Ended
    during: Seen
    after: Seen
    twice: list[str]

    @classmethod
    async def run(cls, setting: Setting, server: FaultServer, calm: Callable[[], object], limit_s: float) -> Resumed:
        """
        Args:
            calm: ends the faults.
        """
        config, run, folder = setting.write(), setting.folder.root, setting.root
        first = await orchestrate("run", "--config", config, folder=folder, limit_s=limit_s)
        requests = server.requests()
        during = seen(run, requests)
        calm()
        last = first
        # A second time, because a service may still be given up for what it did before.
        for _ in range(2):
            last = await orchestrate("run", "--config", config, folder=folder, limit_s=limit_s)
            if last.code == 0:
                break
        later = server.requests()[len(requests) :]
        after = seen(run, later)
        twice = asked_twice(requests, during.keys) + asked_twice(later, during.keys)
        return cls(first, last, during, after, twice)

    def judge(self, row: Row) -> bool:
        """Whether both commands ended as they should: in time, with a fitting exit code, in bounded memory."""
        before = row.found
        for ended, codes in ((self.first, (0, 3)), (self.last, (0,))):
            why = ended.traceback or ended.last_line
            if ended.hung:
                row.fail("hangs", why)
            elif ended.code not in codes:
                row.fail("other", f"exit code {ended.code}: {why}")
                row.say(why)
            elif ended.traceback:
                row.fail("other", f"traceback: {why}")
            if ended.peak_mb > MEMORY_MB:
                row.fail("other", f"{ended.peak_mb:.0f} MB of memory")
        return row.found == before
