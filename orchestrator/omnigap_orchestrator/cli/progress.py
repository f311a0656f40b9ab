"""Progress on the terminal: one line per model and condition with rate and time left; notes above it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from omnigap.vocabulary import Condition, Control, Outcome
from omnigap_orchestrator.pipeline.context import Observer
from omnigap_orchestrator.pipeline.scope import Stage
from omnigap_orchestrator.plan import filed_under

_Key = tuple[Stage, str, Condition, Control | None]


class _Notes(Observer):
    """Notes as lines on standard error, each with the seconds since the start; no progress."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._start = time.monotonic()

    def note(self, text: str) -> None:
        self.console.print(f"[dim]{time.monotonic() - self._start:7.1f} s[/] {escape(text)}", highlight=False)

    def preparing(self, what: str, done: int, total: int) -> None:
        if done == total:
            self.note(f"{total} {what} made")


@dataclass
class _Tally:
    """How many of `what` there are and are done, and the last tenth that was told."""

    what: str
    total: int = 0
    done: int = 0
    told: int = 0


class _Lines(_Notes):
    """For a pipe or a log: a line for each tenth of all cells, and of all control cells."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._cells, self._controls = _Tally("cells"), _Tally("control cells")

    def planned(
        self, stage: Stage, model: str, condition: Condition, total: int, done: int, control: Control | None = None
    ) -> None:
        if stage is Stage.GENERATE:
            tally = self._cells if control is None else self._controls
            tally.total += total
            tally.done += done

    def finished(
        self, stage: Stage, model: str, condition: Condition, outcome: Outcome, control: Control | None = None
    ) -> None:
        if stage is Stage.GENERATE:
            tally = self._cells if control is None else self._controls
            tally.done += 1
            tenth = 10 * tally.done // max(tally.total, 1)
            if tenth > tally.told:
                tally.told = tenth
                self.note(f"{tally.done} of {tally.total} {tally.what} asked")


class _Bars(_Notes):
    """For a person: live bars."""

    def __init__(self, console: Console, progress: Progress) -> None:
        super().__init__(console)
        self._progress = progress
        self._bars: dict[_Key, TaskID] = {}
        self._fresh: Counter[_Key] = Counter()
        self._began: dict[_Key, float] = {}
        self._preparing: dict[str, TaskID] = {}

    def preparing(self, what: str, done: int, total: int) -> None:
        if what not in self._preparing:
            self._preparing[what] = self._progress.add_task(f"making {what}", total=total, rate="")
        self._progress.update(self._preparing[what], completed=done, visible=done < total)

    def planned(
        self, stage: Stage, model: str, condition: Condition, total: int, done: int, control: Control | None = None
    ) -> None:
        verb = {Stage.GENERATE: "asks", Stage.JUDGE: "judged"}.get(stage, "heard")
        key = (stage, model, condition, control)
        self._began[key] = time.monotonic()
        self._bars[key] = self._progress.add_task(
            f"{escape(model)} [bold]{filed_under(condition, control)}[/] {verb}", total=total, completed=done, rate=""
        )

    def finished(
        self, stage: Stage, model: str, condition: Condition, outcome: Outcome, control: Control | None = None
    ) -> None:
        key = (stage, model, condition, control)
        if key not in self._bars:
            return
        self._fresh[key] += 1
        rate = self._fresh[key] / max(time.monotonic() - self._began[key], 1e-3)
        self._progress.update(self._bars[key], advance=1, rate=f"{rate:.1f}/s")


@contextmanager
def observer_for(quiet: bool) -> Iterator[Observer]:
    """The observer that fits: bars on a terminal, lines elsewhere, notes alone when quiet."""
    console = Console(stderr=True)
    if quiet:
        yield _Notes(console)
    elif not console.is_terminal:
        yield _Lines(console)
    else:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            yield _Bars(console, progress)
