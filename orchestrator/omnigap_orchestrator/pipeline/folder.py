"""The folder of a run: its files, atomic writes, its lock, and the stored plan and rubrics."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn

from omnigap.digest import digest_of
from omnigap.errors import OmnigapError
from omnigap.vocabulary import Modality
from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.config import Config, JudgeConfig
from omnigap_orchestrator.config.config import FROM_RUN_FOLDER
from omnigap_orchestrator.items import Item, write_items
from omnigap_orchestrator.items.row import collect, jsonl_rows
from omnigap_orchestrator.journal import JOURNAL, Journal, read_meta
from omnigap_orchestrator.judge import Rubric, read_rubric, rubric_of
from omnigap_orchestrator.legacy import upgrade_config, without_removed
from omnigap_orchestrator.pipeline.cells import PlannedCells
from omnigap_orchestrator.pipeline.stored_files import expect, fault_of, remember
from omnigap_orchestrator.plan import Plan
from omnigap_orchestrator.validation import utf8_path


class FolderError(OmnigapError):
    """The folder of a run can't be used; the message names the folder and the flag to change."""


class RunFolder:
    """The layout of `runs/NAME`; the only place that knows the names of its files."""

    def __init__(self, root: Path) -> None:
        """Raises FolderError if UTF-8 can't hold the path, which the configuration, the report and polars need."""
        try:
            # In the orchestrator's container, messages show the host's path of the folder (`cli.terminal`), which needs
            # an absolute path here.
            self.root = utf8_path(root.absolute() if "OMNIGAP_SHOWN_RUNS" in os.environ else root)
        except ValueError as error:
            raise FolderError(f"the path {error}, or choose another --run-dir") from None

    @property
    def name(self) -> str:
        return self.root.resolve().name

    @property
    def journal(self) -> Path:
        return self.root / JOURNAL

    @property
    def items(self) -> Path:
        """The planned items with the paths of their carriers, readable by `--items`."""
        return self.root / "items.jsonl"

    @property
    def config(self) -> Path:
        """The validated configuration, flags included."""
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
        """The control cells; exists only if the run plans any."""
        return self.root / "controls.parquet"

    @property
    def calibration(self) -> Path:
        """Transcripts of synthesised known texts, written by `calibrate`, one row per clip."""
        return self.root / "calibration.parquet"

    @property
    def verification(self) -> Path:
        """Read-back of the carriers, written by `verify`."""
        return self.root / "verification.parquet"

    @property
    def idle_latency(self) -> Path:
        """Answers to single questions on idle services, written by `bench latency`, one row per answer."""
        return self.root / "idle_latency.parquet"

    @property
    def labels(self) -> Path:
        """Human labels of sampled speech answers."""
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
        """Locked by the process that uses the run. The file stays when the process ends; the lock does not."""
        return self.root / ".lock"

    def exists(self) -> bool:
        return self.journal.is_file()

    def require(self) -> None:
        """Raises FolderError if no run was started in this folder."""
        if not self.exists():
            raise FolderError(
                f"{self.root} holds no run: start one with `omnigap-orchestrate run --run-dir {self.root}`"
            )

    def make(self) -> None:
        """Creates the folder.

        Raises:
            FolderError: it can't be created or written to.
        """
        try:
            self.media.mkdir(parents=True, exist_ok=True)
            # Permission bits do not show whether a network mount or a container volume is read-only: write a file.
            probe = self.root / ".probe"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise _unwritable(self.root, error) from error

    def open_journal(self, note: Callable[[str], None] = lambda _: None) -> Journal:
        """Opens the journal, or creates it.

        Args:
            note: called if the journal of a planned run is gone.

        Raises:
            JournalError: it is damaged, or can't be opened.
        """
        planned = self.config.exists()
        if planned and not self.journal.exists():
            note(f"{self.journal} is gone: a new one is begun, and every cell is asked again")
        return Journal(self.journal, must_exist=planned and self.journal.exists())

    def in_use(self) -> FolderError | None:
        """The error of a run that another process uses, or whose lock can't be read; else None. Writes nothing."""
        try:
            with self.lock.open() as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except OSError:
                    return self._in_use(file)
        except FileNotFoundError:
            # Without a lock file, no process uses the run.
            return None
        except OSError as error:
            return _unwritable(self.root, error)
        return None

    def _in_use(self, lock: IO[str]) -> FolderError:
        lock.seek(0)
        text = f"{self.root} is in use by another omnigap (process {lock.read().strip() or 'unknown'})"
        return FolderError(f"{text}: wait for it, or choose another --run-dir")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Locks the run for this process.

        Raises:
            FolderError: another process holds the lock, or the lock file can't be written.
        """
        # flock and not a PID file: the kernel releases it even when the process is killed, so no lock is ever stale.
        # "a+" keeps the content, since a process that fails to lock still has to read the ID of the one that did.
        try:
            file = self.lock.open("a+")
        except OSError as error:
            raise _unwritable(self.root, error) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise self._in_use(file) from error
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield


def _unwritable(root: Path, error: OSError) -> FolderError:
    return FolderError(f"{root} can't be written ({error.strerror or error}): choose another folder with --run-dir")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path next to `path`; it replaces `path` on a clean exit, and is removed otherwise.

    Raises:
        FolderError: the disk is full, or the folder can't be written to.
    """
    # Same folder, hence the same file system: only then is the rename atomic. A leading dot hides it from globs.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            # Content before name: otherwise a power cut could leave an empty file under the final name.
            os.fsync(file.fileno())
        temporary.replace(path)
    except IsADirectoryError as error:
        raise FolderError(f"{path} is a folder, and a file is written there: move it away and run again") from error
    except OSError as error:
        raise FolderError(f"{path} can't be written ({error.strerror or error}): free space and run again") from error
    finally:
        temporary.unlink(missing_ok=True)


StoredPlan = tuple[Config, tuple[Item, ...]]
"""The stored plan of a run: validated configuration and items."""

CONFIG_META = "config"
"""Key in the journal for the content of config.json, from which the file can be written again."""

RUBRICS_META = "rubrics"
"""Key in the journal for the rubrics of the last command."""


def save_plan(folder: RunFolder, journal: Journal, cells: PlannedCells, store: MediaStore) -> Iterator[str]:
    """Writes items and configuration into the folder; yields a message if the plan changed."""
    plan = cells.plan

    def media_path(item: Item, modality: Modality) -> str | None:
        own, carrier = item.carriers[modality], cells.carriers.get(item.id, modality, 0)
        if own.path is not None and store.root in own.path.parents:
            # Kept even if the file is damaged: the item says which one it was.
            return str(own.path.relative_to(folder.root))
        if carrier is None or not store.exists(carrier.sha):
            return None
        return str(store.path(carrier.sha).relative_to(folder.root))

    with replacing(folder.items) as path:
        write_items(path, plan.items, media_path)
        expect(journal, folder.items, path.read_bytes())
    config = cells.config.model_dump_json(indent=2).encode()
    with replacing(folder.config) as path:
        path.write_bytes(config)
        expect(journal, folder.config, config)
    remember(journal, folder.items, folder.config)
    if journal.meta(CONFIG_META) != config.decode():
        journal.set_meta(CONFIG_META, config.decode())
    models = [[spec.name, [condition.name for condition in spec.conditions]] for spec in plan.models]
    controls = [[control.value for control in plan.controls]] if plan.controls else []
    # Over the items as written, which is what the next command reads back.
    now = digest_of([folder.items.read_text(encoding="utf-8"), models, plan.replicates, *controls])
    before, count_before, count = journal.meta("plan"), journal.meta("cells"), _count(plan)
    if before is not None and before != now:
        yield f"the plan changed: {count_before} cells before, {count} now; answers that still apply are kept"
    journal.set_meta("plan", now)
    journal.set_meta("cells", count)


def _count(plan: Plan) -> str:
    return f"{len(plan)} + {plan.control_count} control" if plan.controls else str(len(plan))


def load_plan(folder: RunFolder) -> StoredPlan:
    """Reads the configuration and items of a run's folder.

    Raises:
        FolderError: no run was started there, or this version of omnigap can't read what another one wrote.
    """
    folder.require()
    for path in (folder.config, folder.items):
        if not path.is_file():
            why = (
                "is not a file"
                if path.exists()
                else "is missing: the run stopped before its plan was written, or lost it"
            )
            raise FolderError(f"{path} {why}: repeat the `omnigap-orchestrate run` that started the run")
    meta = read_meta(folder.journal)
    for path in (folder.config, folder.items):
        if fault := fault_of(path, meta):
            raise FolderError(f"{path} {fault}: {_plan_remedy(folder, path, meta)}")
    # Parsed first and validated as TOML is: pydantic's JSON mode rejects the `Path` objects that our validators return.
    try:
        read = upgrade_config(json.loads(folder.config.read_text(encoding="utf-8"), parse_constant=_refuse_constant))
        if isinstance(read, dict):
            read, removed = without_removed(read)
            _check_removed(folder, removed)
        config = Config.model_validate(read, context={FROM_RUN_FOLDER: True})
    # RecursionError: brackets in brackets in brackets.
    except (OSError, ValueError, RecursionError) as error:
        text = f"{folder.config} can't be read by this version of omnigap ({error})"
        raise FolderError(f"{text}: give the run's own --config again, or choose another --run-dir") from error
    return config, collect(jsonl_rows(folder.items), folder.media)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _plan_remedy(folder: RunFolder, path: Path, meta: Mapping[str, str]) -> str:
    """What helps against a damaged file of the plan."""
    if path == folder.config and CONFIG_META in meta:
        return (
            f"run `omnigap-orchestrate doctor {folder.root} --repair` to write it again, or give the changed "
            "settings to `omnigap-orchestrate run --config`"
        )
    return "repeat the `omnigap-orchestrate run` that started the run, with its own --config and --items"


def _check_removed(folder: RunFolder, removed: Sequence[str]) -> None:
    """Raises FolderError if the stored configuration uses settings that no longer exist."""
    if removed:
        listed = "\n".join(f"{folder.config}: {fault}" for fault in removed)
        raise FolderError(f"{listed}, or give the run's own --config without it")


def read_rubrics(config: JudgeConfig | None) -> tuple[Rubric, Rubric] | None:
    """Reads the configured rubrics, for items without and with gold answers; None without a judge.

    Raises:
        RubricError: a file can't be read or is not a rubric.
    """
    return None if config is None else (read_rubric(config.rubric), read_rubric(config.reference_rubric))


def save_rubrics(journal: Journal, rubrics: tuple[Rubric, Rubric] | None) -> None:
    """Stores the rubrics of this command in the journal."""
    # The report reads them from there: their files may have changed since the verdicts were given.
    stored = json.dumps([[rubric.name, rubric.source, _kind(rubric)] for rubric in rubrics or ()])
    if journal.meta(RUBRICS_META) != stored:
        journal.set_meta(RUBRICS_META, stored)


def load_rubrics(journal: Journal) -> tuple[Rubric, Rubric] | None:
    """The rubrics of the last command."""
    stored = [rubric_of(name, source, kind) for name, source, kind in json.loads(journal.meta(RUBRICS_META) or "[]")]
    return (stored[0], stored[1]) if len(stored) == 2 else None


def _kind(rubric: Rubric) -> str:
    """The file extension by which `rubric_of` parses the source: a plain prompt, or a TOML file."""
    return ".txt" if rubric.prompt == rubric.source.strip() else ".toml"
