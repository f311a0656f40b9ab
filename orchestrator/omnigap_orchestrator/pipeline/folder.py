"""A run's folder: its files and how they are replaced, the lock that keeps others out, what it holds of the plan."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omnigap.digest import digest_of
from omnigap.errors import OmnigapError
from omnigap.vocabulary import Modality
from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.config import Config, JudgeConfig
from omnigap_orchestrator.config.config import RECALLED
from omnigap_orchestrator.items import Item, write_items
from omnigap_orchestrator.items.row import collect, jsonl_rows
from omnigap_orchestrator.journal import Journal
from omnigap_orchestrator.judge import Rubric, read_rubric, rubric_of
from omnigap_orchestrator.legacy import upgrade_config, without_removed
from omnigap_orchestrator.pipeline.cells import PlannedCells
from omnigap_orchestrator.plan import Plan


class FolderError(OmnigapError):
    """A run's folder cannot be used; the message names it and the flag that chooses another."""


class RunFolder:
    """The layout of `runs/NAME`. No other module knows a file name of a run."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def name(self) -> str:
        return self.root.resolve().name

    @property
    def journal(self) -> Path:
        return self.root / "journal.sqlite"

    @property
    def items(self) -> Path:
        """The planned items with their carriers, in the form that `--items` reads."""
        return self.root / "items.jsonl"

    @property
    def config(self) -> Path:
        """The configuration as it was understood, flags included."""
        return self.root / "config.json"

    @property
    def media(self) -> Path:
        return self.root / "media"

    @property
    def services(self) -> Path:
        """Options and logs of embedded services."""
        return self.root / "services"

    @property
    def results(self) -> Path:
        return self.root / "results.parquet"

    @property
    def controls(self) -> Path:
        """The control cells; only where the run plans any."""
        return self.root / "controls.parquet"

    @property
    def calibration(self) -> Path:
        """What the ASR scorer heard of known texts, one row a clip."""
        return self.root / "calibration.parquet"

    @property
    def verification(self) -> Path:
        """What readers made of the carriers; only where `verify` was called."""
        return self.root / "verification.parquet"

    @property
    def labels(self) -> Path:
        """What people heard in some of the answers."""
        return self.root / "labels.csv"

    @property
    def summary(self) -> Path:
        return self.root / "summary.json"

    @property
    def report(self) -> Path:
        return self.root / "report.html"

    @property
    def manifest(self) -> Path:
        return self.root / "manifest.toml"

    @property
    def lock(self) -> Path:
        """Held by the process that works here; it stays when the process has ended."""
        return self.root / ".lock"

    def exists(self) -> bool:
        return self.journal.is_file()

    def require(self) -> None:
        """Raises FolderError where no run was ever started here."""
        if not self.exists():
            raise FolderError(
                f"{self.root} holds no run: start one with `omnigap-orchestrate run --run-dir {self.root}`"
            )

    def make(self) -> None:
        """Makes the folder.

        Raises:
            FolderError: where it cannot be made or written.
        """
        try:
            self.media.mkdir(parents=True, exist_ok=True)
            probe = self.root / ".probe"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise _unwritable(self.root, error) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the run for this process; the lock falls with the process, however it ends.

        Raises:
            FolderError: where another process holds it, or it cannot be written.
        """
        try:
            file = self.lock.open("a+")
        except OSError as error:
            raise _unwritable(self.root, error) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                text = f"{self.root} is in use by another omnigap (process {holder})"
                raise FolderError(f"{text}: wait for it, or choose another --run-dir") from error
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield


def _unwritable(root: Path, error: OSError) -> FolderError:
    return FolderError(f"{root} cannot be written ({error.strerror or error}): choose another folder with --run-dir")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path`; renamed over it on a clean exit, removed otherwise.

    Raises:
        FolderError: where the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise FolderError(f"{path} cannot be written ({error.strerror or error}): free space and run again") from error
    finally:
        temporary.unlink(missing_ok=True)


StoredPlan = tuple[Config, tuple[Item, ...]]
"""What a run's folder holds of its plan: the configuration as it was understood, and the items."""

RUBRICS_META = "rubrics"
"""The journal's note of the rubrics that its scores follow from."""


def save_plan(folder: RunFolder, journal: Journal, cells: PlannedCells, store: MediaStore) -> Iterator[str]:
    """Writes items and configuration into the folder; yields what a person should know where the plan changed."""
    plan = cells.plan

    def media_path(item: Item, modality: Modality) -> str | None:
        carrier = cells.carriers.get(item.id, modality, 0)
        return None if carrier is None else str(store.path(carrier.sha).relative_to(folder.root))

    with replacing(folder.items) as path:
        write_items(path, plan.items, media_path)
    with replacing(folder.config) as path:
        path.write_text(cells.config.model_dump_json(indent=2), encoding="utf-8")
    models = [[spec.name, [condition.name for condition in spec.conditions]] for spec in plan.models]
    controls = [[control.value for control in plan.controls]] if plan.controls else []
    now = digest_of([folder.items.read_text(encoding="utf-8"), models, plan.replicates, *controls])
    before, count, count_now = journal.meta("plan"), journal.meta("cells"), _count(plan)
    if before is not None and before != now:
        yield f"the plan changed: {count} cells before, {count_now} now; answers that still fit are kept"
    journal.set_meta("plan", now)
    journal.set_meta("cells", count_now)


def _count(plan: Plan) -> str:
    return f"{len(plan)} + {plan.control_count} control" if plan.controls else str(len(plan))


def load_plan(folder: RunFolder) -> StoredPlan:
    """The configuration and the items of a run's folder.

    Raises:
        FolderError: where no run was started there, or another version of omnigap wrote it.
    """
    folder.require()
    if not folder.config.is_file() or not folder.items.is_file():
        raise FolderError(f"{folder.root} holds a run that never came to its plan: run it again")
    # As TOML is read, not by pydantic's own JSON mode: that one knows no path that a validator has already made.
    try:
        read = upgrade_config(json.loads(folder.config.read_text(encoding="utf-8")))
        if isinstance(read, dict):
            read, removed = without_removed(read)
            _refuse(folder, removed)
        config = Config.model_validate(read, context={RECALLED: True})
    except ValueError as error:
        text = f"{folder.config} is not what this omnigap writes ({error})"
        raise FolderError(f"{text}: give the run's own --config again, or choose another --run-dir") from error
    return config, collect(jsonl_rows(folder.items))


def _refuse(folder: RunFolder, removed: Sequence[str]) -> None:
    if removed:
        listed = "\n".join(f"{folder.config}: {fault}" for fault in removed)
        raise FolderError(f"{listed}, or give the run's own --config without it")


def read_rubrics(config: JudgeConfig | None) -> tuple[Rubric, Rubric] | None:
    """The rubrics as their files are now, for items without and with gold answers; None without a judge.

    Raises:
        RubricError: for a file that can't be read or is no rubric.
    """
    return None if config is None else (read_rubric(config.rubric), read_rubric(config.reference_rubric))


def save_rubrics(journal: Journal, rubrics: tuple[Rubric, Rubric] | None) -> None:
    """Writes the rubrics of this call into the journal; the report reads them there, should the files change."""
    kept = json.dumps([[rubric.name, rubric.source, _kind(rubric)] for rubric in rubrics or ()])
    if journal.meta(RUBRICS_META) != kept:
        journal.set_meta(RUBRICS_META, kept)


def load_rubrics(journal: Journal) -> tuple[Rubric, Rubric] | None:
    """The rubrics of the last call."""
    kept = [rubric_of(name, source, kind) for name, source, kind in json.loads(journal.meta(RUBRICS_META) or "[]")]
    return (kept[0], kept[1]) if len(kept) == 2 else None


def _kind(rubric: Rubric) -> str:
    return ".txt" if rubric.prompt == rubric.source.strip() else ".toml"
