"""`omnigap-orchestrate score-text`: scores answer texts of a file, without a run."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from omnigap.files import read_regular
from omnigap_orchestrator.cli.options import friendly
from omnigap_orchestrator.cli.terminal import Terminal, print_json


@click.command("score-text")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True, exists=True, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list in the order of the rows.")
@friendly
def score_text(file: Path, as_json: bool) -> None:
    """Score the answer texts of FILE by the rules of a run, and show how each was read.

    FILE holds JSON Lines with text, answers and answer_type, and optionally question, choices, language and metric; -
    reads standard input. Each text gets its score, what was read from it, the step of reading that decided
    (final_statement, first_line, last_line, terse, unparsable) and its flags.
    """
    from omnigap_orchestrator.score_text import TextsError, score_texts
    from omnigap_orchestrator.validation import NotUtf8Error, decode_utf8

    source = "standard input" if str(file) == "-" else str(file)
    try:
        data = _read(file)
    except OSError as error:
        raise TextsError(f"{source} can't be read: {error.strerror or error}") from None
    try:
        # Only line feeds end a row: str.splitlines also splits at characters that JSON strings may hold.
        scored = score_texts(decode_utf8(data).split("\n"), f"{source}, line")
    except NotUtf8Error as error:
        raise TextsError(f"{source}: {error}") from None
    if as_json:
        print_json([outcome.to_json() for _, outcome in scored])
        return
    from rich.table import Table

    table = Table("text", "gold", "score", "parsed", "step", "flags", box=None)
    for row, outcome in scored:
        golds = row["answers"] if isinstance(row["answers"], list) else [row["answers"]]
        table.add_row(
            _short(str(row["text"] or "")),
            _short(", ".join(map(str, golds))),
            f"{outcome.score:g}",
            outcome.parsed or "-",
            outcome.step,
            " ".join(outcome.flags),
        )
    Terminal().print(table)


def _read(file: Path) -> bytes:
    """The bytes of a file; a pipe only as standard input or as a descriptor that the shell has opened."""
    if str(file) == "-":
        if sys.stdin is None:
            raise OSError("it is closed")
        return sys.stdin.buffer.read()
    if str(file) == "/dev/stdin" or str(file).startswith("/dev/fd/"):
        return file.read_bytes()
    return read_regular(file)


def _short(text: str) -> str:
    from omnigap.terminal import one_line

    return one_line(text, _MAX_SHOWN)


_MAX_SHOWN = 60
