"""Damages files of a run's folder in every way that a disk, an editor or another program can.

`DAMAGES` lists them by name. Each is applied to the folder of a run that no process uses, and repeats with its seed:

    said = DAMAGES["results.parquet: flip"](folder, random.Random(7))
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

Apply = Callable[[Path, random.Random], str]
"""Folder of a run and a source of chance -> what was done, for the message of a failed test."""

Spoil = Callable[[Path, random.Random], str]
"""As `Apply`, for one file."""

JOURNAL = "journal.sqlite"
OUTPUTS = ("results.parquet", "summary.json", "report.html", "manifest.toml")
"""Files that are written from the journal."""
PLAN = ("config.json", "items.jsonl")
"""Files that a run is resumed from."""


# --- One file, whatever is in it


def flip(path: Path, chance: random.Random) -> str:
    """Flips one bit."""
    data = bytearray(path.read_bytes())
    at, bit = chance.randrange(len(data)), chance.randrange(8)
    data[at] ^= 1 << bit
    path.write_bytes(data)
    return f"{path}: bit {bit} of byte {at} of {len(data)} flipped"


def scramble(path: Path, chance: random.Random) -> str:
    """Replaces up to 64 bytes in a row by random ones."""
    data = bytearray(path.read_bytes())
    at = chance.randrange(len(data))
    count = min(chance.randint(1, 64), len(data) - at)
    data[at : at + count] = chance.randbytes(count)
    path.write_bytes(data)
    return f"{path}: {count} bytes from {at} on of {len(data)} replaced"


def cut(path: Path, chance: random.Random) -> str:
    """Truncates at a random length."""
    size = path.stat().st_size
    length = chance.randrange(size)
    os.truncate(path, length)
    return f"{path}: cut to {length} of {size} bytes"


def halve(path: Path, chance: random.Random) -> str:
    """Truncates to one half."""
    os.truncate(path, path.stat().st_size // 2)
    return f"{path}: cut in half"


def empty(path: Path, chance: random.Random) -> str:
    os.truncate(path, 0)
    return f"{path}: emptied"


def zero(path: Path, chance: random.Random) -> str:
    """Keeps the length; a random part that is at least one byte long becomes zeros, as after a power failure."""
    size = path.stat().st_size
    first = chance.randrange(size)
    last = chance.randrange(first, size) + 1
    with path.open("r+b") as file:
        file.seek(first)
        file.write(bytes(last - first))
    return f"{path}: bytes {first} to {last} of {size} zeroed"


def append(path: Path, chance: random.Random) -> str:
    """Appends garbage."""
    with path.open("ab") as file:
        file.write(chance.randbytes(100))
    return f"{path}: 100 bytes appended"


def delete(path: Path, chance: random.Random) -> str:
    path.unlink()
    return f"{path}: deleted"


def folder(path: Path, chance: random.Random) -> str:
    """A folder in its place."""
    path.unlink()
    path.mkdir()
    (path / "inside").write_text("a file")
    return f"{path}: replaced by a folder"


def garbage(path: Path, chance: random.Random) -> str:
    """Other content of the same length."""
    path.write_bytes(chance.randbytes(path.stat().st_size))
    return f"{path}: replaced by noise"


def dangling(path: Path, chance: random.Random) -> str:
    """A symbolic link to nothing in its place."""
    path.unlink()
    path.symlink_to(path.parent / "nothing")
    return f"{path}: replaced by a dangling link"


def unreadable(path: Path, chance: random.Random) -> str:
    """No permission to read; has no effect on root."""
    path.chmod(0)
    return f"{path}: no permission"


FILES: dict[str, Spoil] = {
    spoil.__name__: spoil
    for spoil in (flip, scramble, cut, halve, empty, zero, append, delete, folder, garbage, dangling)
}
"""What can happen to any file. `unreadable` is left out, since root reads every file."""


# --- The journal by SQL, as a curious user edits it


def sql(statement: str) -> Apply:
    """Executes SQL in the journal."""

    def apply(root: Path, chance: random.Random) -> str:
        with closing(sqlite3.connect(root / JOURNAL)) as journal, journal:
            count = journal.execute(statement).rowcount
        return f"{statement} ({count} rows)"

    return apply


def _one(table: str, change: str) -> str:
    return f"UPDATE {table} SET {change} WHERE key = (SELECT min(key) FROM {table})"


SQL = {
    "an answer's text edited": _one("answers", "own_text = 'London'"),
    "an answer's time edited": _one("answers", "latency_s = latency_s + 1"),
    "an answer's key edited": _one("answers", "key = 'no key'"),
    "an answer's number made text": _one("answers", "latency_s = 'soon'"),
    "an answer's text made bytes that are not UTF-8": _one("answers", "own_text = CAST(x'ff41' AS TEXT)"),
    "an answer without checksum": _one("answers", "own_text = 'London', checksum = NULL"),
    "an answer under another's key": "UPDATE OR REPLACE answers SET key = (SELECT max(key) FROM answers) "
    "WHERE key = (SELECT min(key) FROM answers)",
    "a score edited": _one("scores", "score = 1 - score"),
    "a carrier edited": _one("carriers", "media_sha = 'ab' || substr(media_sha, 3)"),
    "all answers edited": "UPDATE answers SET own_text = own_text || ' '",
    "all scores edited": "UPDATE scores SET score = 1.0 - score",
    "a service's digest edited": "UPDATE services SET digest = 'edited'",
    "a service's card edited": "UPDATE services SET describe = x'ff'",
    "the plan's digest edited": "UPDATE meta SET value = 'edited' WHERE key = 'plan'",
    "the fingerprint edited": "UPDATE meta SET value = 'edited' WHERE key = 'outputs_of'",
    "the seen digests edited": "UPDATE meta SET value = '[}' WHERE key = 'seen_digests'",
    "the schema version edited": "UPDATE meta SET value = '99' WHERE key = 'schema_version'",
    "answers deleted": "DELETE FROM answers WHERE key > (SELECT min(key) FROM answers)",
    "scores deleted": "DELETE FROM scores",
    "meta deleted": "DELETE FROM meta",
    "table of answers dropped": "DROP TABLE answers",
    "table of scores dropped": "DROP TABLE scores",
    "table of meta dropped": "DROP TABLE meta",
    "table of answers renamed": "ALTER TABLE answers RENAME TO answered",
    "a column of answers dropped": "ALTER TABLE answers DROP COLUMN reasoning",
    "a column of scores renamed": "ALTER TABLE scores RENAME COLUMN score TO points",
    "a column of answers added": "ALTER TABLE answers ADD COLUMN note TEXT",
}


# --- Media


def media(root: Path) -> list[Path]:
    """The stored media of a run, in a fixed order."""
    return sorted(path for path in (root / "media").glob("??/*") if path.is_file())


def referenced(root: Path, table: str) -> list[Path]:
    """The media that the rows of a table refer to: `carriers` or `answers`."""
    with closing(sqlite3.connect(root / JOURNAL)) as journal:
        named = {sha for (sha,) in journal.execute(f"SELECT media_sha FROM {table}") if sha}
    return [path for path in media(root) if path.stem in named]


def _medium(table: str, spoil: Spoil) -> Apply:
    def apply(root: Path, chance: random.Random) -> str:
        return spoil(chance.choice(referenced(root, table)), chance)

    return apply


def swap(root: Path, chance: random.Random) -> str:
    """Exchanges the content of two media of one kind."""
    paths = media(root)
    first = chance.choice(paths)
    second = chance.choice([path for path in paths if path != first and path.suffix == first.suffix])
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    return f"{first} and {second}: swapped"


def every_medium(root: Path, chance: random.Random) -> str:
    for path in media(root):
        halve(path, chance)
    return "every medium cut in half"


def no_media(root: Path, chance: random.Random) -> str:
    shutil.rmtree(root / "media")
    return "the folder of media deleted"


def foreign(root: Path, chance: random.Random) -> str:
    """A file and a half-written one that no row knows."""
    (root / "media" / "00").mkdir(exist_ok=True)
    (root / "media" / "00" / "holiday.wav").write_bytes(b"RIFF")
    (root / "media" / "tmp").mkdir(exist_ok=True)
    (root / "media" / "tmp" / "0123456789abcdef-0123").write_bytes(b"half a medium")
    return "two foreign files"


# --- The stored plan


def write_into_config(text: Callable[[str], str]) -> Apply:
    def apply(root: Path, chance: random.Random) -> str:
        path = root / "config.json"
        changed = text(path.read_text(encoding="utf-8"))
        path.write_text(changed, encoding="utf-8")
        return f"{path}: now begins with {changed[:60]!r}"

    return apply


def _edited_config(**keys: object) -> Callable[[str], str]:
    return lambda text: json.dumps({**json.loads(text), **keys})


CONFIG: dict[str, Callable[[str], str]] = {
    "NaN": lambda text: text.replace('"alpha": 0.05', '"alpha": NaN'),
    "deep": lambda text: "[" * 100_000,
    "a number": lambda text: "7",
    "a list": lambda text: "[]",
    "null": lambda text: "null",
    "wrong type": _edited_config(run=[]),
    "unknown key": _edited_config(rum={}),
    "not UTF-8": lambda text: text.replace("{", "{\udcff", 1).encode("utf-8", "replace").decode("latin-1"),
    "another alpha": lambda text: text.replace('"alpha": 0.05', '"alpha": 0.32'),
    "another seed": lambda text: text.replace('"bootstrap_seed": 0', '"bootstrap_seed": 1'),
}


def an_item_edited(root: Path, chance: random.Random) -> str:
    """Another right answer in items.jsonl."""
    path = root / "items.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("Paris", "London"), encoding="utf-8")
    return f"{path}: another right answer"


def without_wal(root: Path, chance: random.Random) -> str:
    """Deletes the log of the journal, if a killed process left one."""
    for name in (f"{JOURNAL}-wal", f"{JOURNAL}-shm"):
        (root / name).unlink(missing_ok=True)
    return "the log of the journal deleted"


def foreign_wal(root: Path, chance: random.Random) -> str:
    """Noise in place of the log of the journal."""
    (root / f"{JOURNAL}-wal").write_bytes(chance.randbytes(8_192))
    return "a log of noise"


def header(root: Path, chance: random.Random) -> str:
    """Damages the first 100 bytes of the journal, which say what it is."""
    path = root / JOURNAL
    data = bytearray(path.read_bytes())
    at = chance.randrange(100)
    data[at] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    return f"{path}: byte {at} of the header flipped"


def _file(name: str, spoil: Spoil) -> Apply:
    return lambda root, chance: spoil(root / name, chance)


def _all() -> Iterator[tuple[str, Apply]]:
    for name in (JOURNAL, *OUTPUTS, *PLAN):
        for spoil, apply in FILES.items():
            yield f"{name}: {spoil}", _file(name, apply)
    yield f"{JOURNAL}: header", header
    yield f"{JOURNAL}: log deleted", without_wal
    yield f"{JOURNAL}: log of noise", foreign_wal
    for what, statement in SQL.items():
        yield f"{JOURNAL}: {what}", sql(statement)
    for what, change in CONFIG.items():
        yield f"config.json: {what}", write_into_config(change)
    yield "items.jsonl: another right answer", an_item_edited
    for table in ("carriers", "answers"):
        for spoil, apply in FILES.items():
            yield f"medium of {table}: {spoil}", _medium(table, apply)
    yield "media: swapped", swap
    yield "media: all cut in half", every_medium
    yield "media: folder deleted", no_media
    yield "media: foreign files", foreign


DAMAGES: dict[str, Apply] = dict(_all())
"""Every damage by name: what is damaged, a colon, and how."""
