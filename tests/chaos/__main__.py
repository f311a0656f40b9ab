"""`make chaos`: runs the suite and prints its table; exit status 1 if anything was found."""

from __future__ import annotations

import asyncio
import os
import platform
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import click

from tests.chaos.suite import PARTS, Settings
from tests.chaos.table import Row, markdown, with_table

PAGE = Path(__file__).parents[2] / "docs" / "robustness.md"


@click.command()
@click.option(
    "--seed", type=int, default=None, help="Seed of all random choices; default: a new one, which is printed."
)
@click.option("--only", multiple=True, type=click.Choice(list(PARTS)), help="Run only this part; may be repeated.")
@click.option("--short", is_flag=True, help="The short form that the tests run.")
@click.option("--keep", type=click.Path(path_type=Path), default=None, help="Folder for the runs, which is then kept.")
@click.option("--docs", is_flag=True, help="Write the table into docs/robustness.md too.")
def main(seed: int | None, only: tuple[str, ...], short: bool, keep: Path | None, docs: bool) -> None:
    """Does to runs what services, connections, machines and files can do to them, and counts what was lost."""
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    folder = Path(tempfile.mkdtemp(prefix="omnigap-chaos-")) if keep is None else keep.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    click.echo(f"seed {seed}: repeat with --seed {seed}", err=True)
    make = Settings.brief if short else Settings
    settings = make(folder, seed, lambda text: click.echo(f"  {text}", err=True))
    rows = asyncio.run(_run(settings, only or tuple(PARTS)))
    table = markdown(rows)
    click.echo(table)
    if docs:
        form, version = "short" if short else "full", platform.python_version()
        how = f"Seed {seed}, {form} form, {os.cpu_count()} cores, Python {version}:"
        PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), f"{how}\n\n{table}"), encoding="utf-8")
    found = sum(row.found for row in rows)
    if keep is None and not found:
        shutil.rmtree(folder, ignore_errors=True)
    elif found:
        click.echo(f"{found} found; the runs are in {folder}", err=True)
    sys.exit(1 if found else 0)


async def _run(settings: Settings, names: tuple[str, ...]) -> list[Row]:
    rows: list[Row] = []
    for name in PARTS:
        if name in names:
            began = time.monotonic()
            found = await PARTS[name](settings)
            rows += found
            click.echo(f"{name}: {time.monotonic() - began:.0f} s", err=True)
            for row in found:
                for line in row.details:
                    click.echo(f"  {line}", err=True)
    return rows


if __name__ == "__main__":
    main()
