"""`omnigap-orchestrate conform`: runs the conformance suite on a service and prints the findings."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import click

from omnigap_orchestrator.cli.options import friendly
from omnigap_orchestrator.cli.terminal import Terminal, print_json

if TYPE_CHECKING:
    from omnigap_orchestrator.extras.conform.suite import Conformance

# A host name, an IPv4 address or an IPv6 address in brackets, with a port; a URL is rejected.
_ADDRESS = re.compile(r"(\[[^\]]+\]|[^\[\]/:\s]+):\d{1,5}")
_COLOURS = {"passed": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}


@click.command()
@click.argument("address", metavar="HOST:PORT")
@click.option("--check", "checks", multiple=True, metavar="NAME", help="Run only this check; repeatable.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=60.0,
    show_default=True,
    help="Seconds per call.",
)
@click.option("--proxy", metavar="URL", default="", help="HTTP proxy to the service, http://HOST:PORT. Default: none.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
@friendly
def conform(
    ctx: click.Context, address: str, checks: tuple[str, ...], timeout: float, proxy: str, as_json: bool
) -> None:
    """Check whether a running service follows the contract; it can be written in any language.

    The suite sends requests in every condition, sends broken media, cancels calls and overloads the service: do not
    run it against a service in use. Exit code 1 if a check fails. docs/contract.md lists the rules.
    """

    from omnigap.channel import check_proxy
    from omnigap_orchestrator.extras.conform.check import Check
    from omnigap_orchestrator.extras.conform.suite import SUITE, conform

    if not _ADDRESS.fullmatch(address):
        raise click.BadParameter(f"{address!r}: give HOST:PORT, such as 127.0.0.1:50051")
    try:
        check_proxy(proxy)
    except ValueError as error:
        raise click.BadParameter(f"{proxy!r}: {error}", param_hint="--proxy") from None
    known = [check.name for check in SUITE]
    if unknown := [name for name in checks if name not in known]:
        raise click.BadParameter(f"unknown check {unknown[0]!r}: use one of {', '.join(known)}", param_hint="--check")
    # On stderr, because standard output may be JSON.
    with Terminal(stderr=True).status(f"checking {address}") as status:

        def show(check: Check) -> None:
            status.update(check.name)

        found = asyncio.run(conform(address, timeout, checks, show, proxy))
    if as_json:
        print_json(_as_json(found))
    else:
        _print(found)
    ctx.exit(0 if found.conforms else 1)


def _as_json(found: Conformance) -> dict[str, object]:
    return {
        "address": found.address,
        "name": found.name,
        "digest": found.digest,
        "random_weights": found.random_weights,
        "conforms": found.conforms,
        "checks": [
            {
                "check": result.check,
                "rule": result.rule,
                "status": result.status.value,
                "message": result.message,
                "seconds": round(result.seconds, 3),
            }
            for result in found.results
        ],
    }


def _print(found: Conformance) -> None:
    """Prints one line for each check, then the rule and the full message of each failure and warning."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    from omnigap_orchestrator.extras.conform.check import Status

    console = Terminal()
    title = Text(f"{found.name or 'unknown service'} at {found.address}", style="bold")
    table = Table(box=None, header_style="bold", title=title, title_justify="left", pad_edge=False)
    table.add_column("result", no_wrap=True)
    table.add_column("check", no_wrap=True)
    # Truncated by each cell instead of the column: if no column may wrap, rich drops the first one.
    table.add_column("observed")
    for result in found.results:
        mark = Text(result.status, style=_COLOURS[result.status])
        table.add_row(mark, result.check, Text(result.message, no_wrap=True, overflow="ellipsis"))
    console.print(table)
    for result in found.results:
        if result.status in (Status.FAILED, Status.WARNING):
            console.print()
            console.print(Text(f"{result.status}  {result.check}", style=_COLOURS[result.status]))
            console.print(Padding(Text(f"rule: {result.rule}", style="dim"), (0, 0, 0, 4)))
            console.print(Padding(Text(f"observed: {result.message}"), (0, 0, 0, 4)))
    counts = ", ".join(f"{found.count(status)} {status.value}" for status in Status)
    console.print(f"\n{'conforms' if found.conforms else 'does not conform'}: {counts}", highlight=False)
    if found.random_weights:
        text = "random weights (--tiny): the checks cover the contract, and say nothing about the model"
        console.print(Text(text, style="bold white on red"))
