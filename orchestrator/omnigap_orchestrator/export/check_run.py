"""`doctor RUN`: whether the files of a run are as omnigap wrote them, what helps if not, and their repair."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from omnigap.errors import OmnigapError
from omnigap_orchestrator.carriers import MediaStore
from omnigap_orchestrator.export.write import FINGERPRINT, measured_files
from omnigap_orchestrator.journal import AnswerRow, CarrierRow, Journal, JournalError, read_meta
from omnigap_orchestrator.journal.faults import repair_command
from omnigap_orchestrator.journal.salvage import Examined, copied_records, examine, rebuild
from omnigap_orchestrator.pipeline.damage import SHOWN, damage_notes
from omnigap_orchestrator.pipeline.folder import CONFIG_META, RunFolder, load_plan, replacing
from omnigap_orchestrator.pipeline.prepare import load_cells
from omnigap_orchestrator.pipeline.stored_files import fault_of, is_known
from omnigap_orchestrator.preflight import Finding

JOURNAL, PLAN, MEDIA, OUTPUTS = "journal", "plan", "media", "outputs"
"""Names of the checks."""


@dataclass(slots=True)
class MediaCheck:
    """What is wrong in the folder of media.

    Attributes:
        damaged: SHA-256 of the media whose file has other content or can't be read.
        missing: SHA-256 of the media that rows refer to and that have no file.
        foreign: files that are not media, half-written ones included.
        count: number of good media.
    """

    damaged: dict[str, Path] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    foreign: list[Path] = field(default_factory=list)
    count: int = 0

    @property
    def bad(self) -> set[str]:
        return {*self.damaged, *self.missing}


def check_run(folder: RunFolder) -> list[Finding]:
    """Checks journal, stored plan, media and outputs of a run. Changes nothing; the folder may be read-only.

    Raises:
        FolderError: the folder holds no run.
    """
    meta = read_meta(folder.journal)
    media = check_media(folder)
    return [
        *_journal_findings(folder),
        *_plan_findings(folder, meta),
        *_media_findings(folder, media),
        *_output_findings(folder, meta),
    ]


def _journal_findings(folder: RunFolder) -> Iterator[Finding]:
    path, repair = folder.journal, repair_command(folder.journal)
    try:
        found = examine(path)
    except JournalError as error:
        yield Finding.failed(JOURNAL, str(error))
        return
    if found.faults:
        text = f"{path}: {'; '.join(found.faults)}: restore it from a copy, or run {repair}"
        yield Finding.failed(JOURNAL, f"{text}, which keeps every row that can be read; what is lost is asked again")
    for note in _damaged_rows(folder, found):
        yield Finding.failed(JOURNAL, f"{note}; {repair} removes the damaged rows")
    if not found.faults and not found.damaged:
        rows = ", ".join(f"{count:,} {table}" for table, count in found.counts.items() if count and table != "meta")
        seen = "an earlier version wrote it; its rows get checksums at the next command" if found.unsealed else rows
        yield Finding.ok(JOURNAL, f"{path}: {seen or 'no rows'}")


def _damaged_rows(folder: RunFolder, found: Examined) -> list[str]:
    """One line for each table with damaged rows, with the cells that they affect if these can be found out."""
    if not found.damaged:
        return []
    notes: list[str] = []
    # A damaged plan or journal leaves the keys without names.
    with suppress(OmnigapError), copied_records(folder.journal) as records:
        notes = damage_notes(load_cells(*load_plan(folder), folder, records), records)
        notes = [note.replace(str(records.journal.path), str(folder.journal)) for note in notes]
    named = {row.table for row in found.damaged if any(f"the table {row.table} " in note for note in notes)}
    for table in dict.fromkeys(row.table for row in found.damaged if row.table not in named):
        rows = [row for row in found.damaged if row.table == table]
        listed = ", ".join(" ".join(str(part)[:12] for part in row.key) for row in rows[:SHOWN])
        notes.append(f"{len(rows)} damaged rows in the table {table} of {folder.journal} ({listed}): they are not used")
    return notes


def _plan_findings(folder: RunFolder, meta: Mapping[str, str]) -> Iterator[Finding]:
    try:
        _, items = load_plan(folder)
    except OmnigapError as error:
        yield Finding.failed(PLAN, str(error))
        return
    except RecursionError:
        yield Finding.failed(PLAN, f"{folder.config} is nested too deeply to be read")
        return
    checked = all(is_known(path, meta) for path in (folder.config, folder.items))
    text = f"{len(items)} items" + ("" if checked else "; an earlier version wrote the files, so they have no checksum")
    yield Finding.ok(PLAN, text)


def check_media(folder: RunFolder) -> MediaCheck:
    """Reads every medium and compares its content with its name."""
    store, found, good = MediaStore(folder.media), MediaCheck(), set()
    for path in store.files():
        if not store.is_medium(path):
            found.foreign.append(path)
            continue
        sha256 = path.name.partition(".")[0]
        try:
            with path.open("rb") as file:
                same = hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except OSError:
            same = False
        if same:
            good.add(sha256)
        else:
            found.damaged[sha256] = path
    found.count = len(good)
    found.missing = sorted(_referenced(folder) - good - found.damaged.keys())
    return found


def _referenced(folder: RunFolder) -> set[str]:
    """The media that undamaged rows refer to; none if the journal can't be read."""
    referenced: set[str] = set()
    with suppress(JournalError), copied_records(folder.journal) as records:
        referenced |= {row.media_sha for row in records.journal.all(CarrierRow)}
        referenced |= {row.media_sha for row in records.journal.all(AnswerRow) if row.media_sha is not None}
    return referenced


def _media_findings(folder: RunFolder, found: MediaCheck) -> Iterator[Finding]:
    then = f"run {repair_command(folder.journal)}, then `omnigap-orchestrate run`: they are made or asked again"
    if found.damaged:
        listed = _some(str(path) for path in found.damaged.values())
        yield Finding.failed(MEDIA, f"{len(found.damaged)} media do not match their names ({listed}): {then}")
    if found.missing:
        yield Finding.failed(MEDIA, f"{len(found.missing)} media are missing ({_some(found.missing)}): {then}")
    if found.foreign:
        listed = _some(str(path) for path in found.foreign)
        text = (
            f"{len(found.foreign)} files are not media, or half-written ones ({listed}): they are not used; delete them"
        )
        yield Finding.warning(MEDIA, text)
    if not found.bad:
        yield Finding.ok(MEDIA, f"{found.count:,} media match their names")


def _output_findings(folder: RunFolder, meta: Mapping[str, str]) -> Iterator[Finding]:
    again = f"run `omnigap-orchestrate report --run-dir {folder.root}` to write it again"
    good = unknown = 0
    for path in _public_files(folder):
        if not is_known(path, meta):
            unknown += path.exists()
        elif fault := "is missing" if not path.exists() else fault_of(path, meta):
            yield Finding.failed(OUTPUTS, f"{path} {fault}: {again}")
        else:
            good += 1
    for path in measured_files(folder):
        if fault := fault_of(path, meta) if path.exists() else "":
            text = f"{path} {fault}: it is not used; restore it from a copy, or make it again"
            yield Finding.failed(OUTPUTS, text)
    if good:
        yield Finding.ok(OUTPUTS, f"{good} files are as they were written")
    if unknown:
        yield Finding.ok(OUTPUTS, f"{unknown} files have no checksum: an earlier version wrote them, or they are stale")


def _public_files(folder: RunFolder) -> tuple[Path, ...]:
    return folder.results, folder.controls, folder.summary, folder.report, folder.manifest


def repair_run(folder: RunFolder) -> list[Finding]:
    """Repairs journal, media and configuration as far as that is possible, and says what was done.

    Rows and media that are lost are asked or made again by the next `run`. The caller holds the run's lock, and writes
    the outputs again. Damaged files are kept under another name.

    Raises:
        FolderError, JournalError, StoreError: a file can't be written.
    """
    done = [*_repair_journal(folder), *_repair_media(folder)]
    meta = read_meta(folder.journal)
    if (not folder.config.is_file() or fault_of(folder.config, meta)) and CONFIG_META in meta:
        _set_aside(folder.config)
        with replacing(folder.config) as path:
            path.write_bytes(meta[CONFIG_META].encode())
        done.append(f"{folder.config} was written again")
    for path in (*_public_files(folder), folder.items):
        if path.is_dir():
            done.append(f"{path} was moved to {_set_aside(path)}")
    for path in measured_files(folder):
        if path.exists() and fault_of(path, meta):
            done.append(f"{path} was moved to {_set_aside(path)}")
    with closing(Journal(folder.journal)) as journal:
        # Whatever the outputs were made from may have changed.
        journal.set_meta(FINGERPRINT, "")
    return [Finding.ok("repair", text) for text in done]


def _repair_journal(folder: RunFolder) -> Iterator[str]:
    path = folder.journal
    try:
        found = examine(path)
    except JournalError:
        found = Examined(faults=["it can't be read"])
    if not found.faults:
        if found.damaged:
            with closing(Journal(path)) as journal:
                journal.delete(found.damaged)
            yield f"{len(found.damaged)} damaged rows were removed from {path}"
        return
    fresh = path.with_name(f".{path.name}.repaired")
    for left in (fresh, *_logs(fresh)):
        left.unlink(missing_ok=True)
    try:
        counts = rebuild(path, fresh)
    except JournalError:
        counts = {}
        Journal(fresh).close()
    kept = _set_aside(path)
    for log in _logs(path):
        _set_aside(log)
    fresh.replace(path)
    rows = ", ".join(f"{count:,} {table}" for table, count in counts.items() if count) or "no row"
    yield f"{path} was written again with what could be read ({rows}); the damaged file is {kept}"


def _repair_media(folder: RunFolder) -> Iterator[str]:
    store, found = MediaStore(folder.media), check_media(folder)
    if swept := store.sweep():
        yield f"{swept} half-written media were removed"
    if not found.bad:
        return
    for sha256 in found.damaged:
        store.set_aside(sha256)
    with closing(Journal(folder.journal)) as journal:
        answers = [row.key for row in journal.all(AnswerRow) if row.media_sha in found.bad]
        carriers = [row.key for row in journal.all(CarrierRow) if row.media_sha in found.bad]
        journal.delete_keys(AnswerRow, answers)
        journal.delete_keys(CarrierRow, carriers)
    moved = f"{len(found.damaged)} damaged media were moved to {folder.media / 'damaged'}"
    yield f"{moved}; {len(answers)} answers and {len(carriers)} carriers without a medium were removed"


def _logs(path: Path) -> tuple[Path, ...]:
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def _set_aside(path: Path) -> Path | None:
    """Renames what is there, if anything is; returns the new name."""
    if not path.exists() and not path.is_symlink():
        return None
    to = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    path.rename(to)
    return to


def _some(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more
