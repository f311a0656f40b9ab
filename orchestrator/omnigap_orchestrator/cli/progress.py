"""Progress in the terminal: a bar per model and condition with rate and time left, and notes above the bars."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from omnigap.terminal import readable
from omnigap.vocabulary import Condition, Control, Outcome
from omnigap_orchestrator.cli.terminal import Terminal
from omnigap_orchestrator.pipeline.context import Observer
from omnigap_orchestrator.pipeline.scope import Stage
from omnigap_orchestrator.plan import filed_under

_Key = tuple[Stage, str, Condition, Control | None]


class _Notes(Observer):
    """Prints notes to standard error, each with the seconds since the start; no progress."""

    def __init__(self, console: Terminal) -> None:
        self.console = console
        self._start = time.monotonic()

    def note(self, text: str) -> None:
        # `Text` and not markup: messages of services may contain brackets.
        line = Text.assemble((f"{time.monotonic() - self._start:7.1f} s", "dim"), f" {readable(text)}")
        self.console.print(line)

    def preparing(self, what: str, done: int, total: int) -> None:
        if done == total:
            self.note(f"{total} {what} ready")


@dataclass
class _Count:
    """Number of `what` in total and done, and the last tenth that was reported."""

    what: str
    total: int = 0
    done: int = 0
    reported: int = 0


class _Lines(_Notes):
    """For pipes and logs: a line per tenth of all cells, and of all control cells."""

    def __init__(self, console: Terminal) -> None:
        super().__init__(console)
        self._cells, self._controls = _Count("cells"), _Count("control cells")

    def planned(
        self, stage: Stage, model: str, condition: Condition, total: int, done: int, control: Control | None = None
    ) -> None:
        if stage is Stage.GENERATE:
            count = self._cells if control is None else self._controls
            count.total += total
            count.done += done

    def finished(
        self, stage: Stage, model: str, condition: Condition, outcome: Outcome, control: Control | None = None
    ) -> None:
        if stage is Stage.GENERATE:
            count = self._cells if control is None else self._controls
            count.done += 1
            tenth = 10 * count.done // max(count.total, 1)
            if tenth > count.reported:
                count.reported = tenth
                self.note(f"{count.done} of {count.total} {count.what} generated")


class _Bars(_Notes):
    """For a terminal: live bars."""

    def __init__(self, console: Terminal, progress: Progress) -> None:
        super().__init__(console)
        self._progress = progress
        self._bars: dict[_Key, TaskID] = {}
        # Only cells of this command count for the rate: those of earlier ones took no time.
        self._finished_now: Counter[_Key] = Counter()
        self._started: dict[_Key, float] = {}
        self._preparing: dict[str, TaskID] = {}

    def preparing(self, what: str, done: int, total: int) -> None:
        if what not in self._preparing:
            self._preparing[what] = self._progress.add_task(f"making {what}", total=total, rate="")
        self._progress.update(self._preparing[what], completed=done, visible=done < total)

    def planned(
        self, stage: Stage, model: str, condition: Condition, total: int, done: int, control: Control | None = None
    ) -> None:
        verb = {Stage.GENERATE: "generate", Stage.JUDGE: "judge"}.get(stage, "transcribe")
        key = (stage, model, condition, control)
        self._started[key] = time.monotonic()
        self._bars[key] = self._progress.add_task(
            f"{escape(model)} [bold]{filed_under(condition, control)}[/] {verb}", total=total, completed=done, rate=""
        )

    def finished(
        self, stage: Stage, model: str, condition: Condition, outcome: Outcome, control: Control | None = None
    ) -> None:
        key = (stage, model, condition, control)
        if key not in self._bars:
            return
        self._finished_now[key] += 1
        # Not 0 seconds: a cell may finish within the resolution of the clock.
        rate = self._finished_now[key] / max(time.monotonic() - self._started[key], 1e-3)
        self._progress.update(self._bars[key], advance=1, rate=f"{rate:.1f}/s")


@contextmanager
def observer_for(quiet: bool) -> Iterator[Observer]:
    """An observer with bars on a terminal, lines elsewhere, and only notes if quiet."""
    # Standard error: standard output carries the result, which --json makes machine-readable.
    console = Terminal(stderr=True)
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
        # Transient: the bars disappear at the end and leave the result.
        with Progress(*columns, console=console, transient=True) as progress:
            yield _Bars(console, progress)
