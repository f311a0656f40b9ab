"""`omnigap-serve NAME`: starts one service, announces when it is ready, and drains it on SIGTERM and SIGINT."""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import click

from omnigap.channel import is_loopback_host, is_unspecified_host
from omnigap.errors import ContractError, OmnigapError
from omnigap.terminal import LogFormatter, protect_streams
from omnigap_services.adapter import Adapter, TinyError
from omnigap_services.options import GivenOptions, OptionsError, from_file, from_text
from omnigap_services.probe import PORT_FILE_VARIABLE, write_port_file
from omnigap_services.registry import adapter_class, has_tiny, missing_import, services, services_with_tiny
from omnigap_services.server import Server, ServerOptions

_log = logging.getLogger(__name__)

# From <linux/prctl.h>.
_PR_SET_PDEATHSIG = 1
_POLL_S = 1.0

# Of safetensors and torch, whose errors for a full disk are no OSError.
_WRITE_FAILED = re.compile(r"\(os error \d+\)|PytorchStreamWriter failed writing")

RESTART_STATUS = 75
"""Exit status of a service that has to be started again because its card is not correct. EX_TEMPFAIL of sysexits."""

# One text. A flag usually replaces its variable as a whole, but one key in --options would then remove all options that
# an image sets with this variable.
_OPTIONS_VARIABLE = "OMNIGAP_SERVE_OPTIONS"


@click.command(context_settings={"auto_envvar_prefix": "OMNIGAP_SERVE", "show_default": True})
@click.argument("name", required=False, envvar="OMNIGAP_SERVE_NAME")
@click.option("--list", "list_services", is_flag=True, help="List the registered services and exit.")
@click.option("--host", default="127.0.0.1", help="Address to listen on; 0.0.0.0 in a container.")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Port; 0 takes a free one.")
@click.option("--metrics-port", type=click.IntRange(0, 65_535), help="Port for Prometheus; 0 takes a free one.")
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="TOML file with the service's options.")
@click.option(
    "--options",
    "texts",
    metavar="TOML",
    multiple=True,
    # click would split the variable at spaces.
    allow_from_autoenv=False,
    help="Options as TOML text, such as 'min_match = 0.95'. May be repeated; the last text with a key wins, also over "
    f"the environment variable {_OPTIONS_VARIABLE} and over --config. Empty texts are ignored.",
)
@click.option(
    "--tiny",
    is_flag=True,
    help="Serve a tiny checkpoint of the same architecture with random weights, made at the start: to test addresses "
    "and containers without weights or a GPU. Its answers say nothing about the model.",
)
@click.option(
    "--port-file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar=PORT_FILE_VARIABLE,
    show_envvar=True,
    help="File to write the port to once it is bound, for omnigap_services.probe.",
)
@click.option("--insecure", is_flag=True, help="Acknowledge that others can reach the address; no warning is printed.")
@click.option("--drain-seconds", type=click.FloatRange(0), default=30.0, help="Time for running answers at shutdown.")
@click.option("--announce/--no-announce", default=True, help="Print one line of JSON when the service is ready.")
@click.option("--exit-with-parent", is_flag=True, help="Stop when the process that started this one ends.")
@click.option("--parent-pid", type=click.IntRange(1), hidden=True, help="Process id of that process.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info")
def main(
    name: str | None,
    list_services: bool,
    host: str,
    port: int,
    metrics_port: int | None,
    insecure: bool,
    config: Path | None,
    texts: tuple[str, ...],
    tiny: bool,
    port_file: Path | None,
    drain_seconds: float,
    announce: bool,
    exit_with_parent: bool,
    parent_pid: int | None,
    log_level: str,
) -> None:
    """Serve NAME: a registered service, or module:Class of any adapter."""
    # Logs go to stderr: stdout carries only the announcement.
    protect_streams()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=log_level.upper(), handlers=[handler])
    if list_services:
        _show_services()
        return
    if name is None:
        raise click.UsageError("name a service: omnigap-serve NAME, or --list for the names")
    options = ServerOptions(host, port, metrics_port, drain_seconds, random_weights=tiny)
    if not insecure and (warning := exposure_warning(host, metrics_port is not None)):
        click.echo(warning, err=True)
    given: GivenOptions | None = None
    try:
        given = _given_options(config, texts)
        with _tiny_folder(name) if tiny else nullcontext() as folder:
            kind = _class_for(name, given.merged)
            if folder is not None:
                given = _with_tiny(kind, name, given, folder)
            adapter = kind(given.merged)
            parent = parent_gone(parent_pid) if exit_with_parent else None
            server_of = partial(Server, adapter, options, given.outdated if config is not None else None)
            restart = asyncio.run(_serve(name, server_of, port_file, announce, parent))
    except click.ClickException:
        raise
    except OptionsError as error:
        # An error of a source itself names it already.
        raise click.ClickException(f"{error} ({given.origin(str(error))})" if given else str(error)) from error
    except ImportError as error:
        raise click.ClickException(missing_import(name, error)) from error
    except ContractError as error:
        raise click.ClickException(f"service {name} did not start: {error}") from error
    except OmnigapError as error:
        raise click.ClickException(str(error)) from error
    except Exception as error:
        _log.exception("service %s did not start", name)
        raise click.ClickException(f"service {name} did not start: {type(error).__name__}: {error}") from error
    if restart:
        sys.exit(RESTART_STATUS)


def exposure_warning(host: str, metrics: bool) -> str:
    """The warning about an address that other machines may reach; empty for loopback.

    Args:
        metrics: whether Prometheus metrics are served on the address too.
    """
    # `is_loopback_host` is about targets of calls, where 0.0.0.0 and :: mean this machine; a server on them is open.
    name = host.strip().strip("[]").lower()
    if name and is_loopback_host(name) and not is_unspecified_host(name):
        return ""
    ports = "the port and the metrics port" if metrics else "the port"
    return (
        f"WARNING: --host {host} lets other machines reach this service. There is no encryption and no authentication: "
        f"whoever reaches {ports} can use the model and its GPU, and whoever is on the network can read and change "
        "questions and answers.\n"
        "WARNING: use --host 127.0.0.1 with an SSH tunnel (ssh -L), a firewall that admits only the orchestrator, or "
        "an internal network of Compose. --insecure acknowledges this and stops the warning."
    )


def _show_services() -> None:
    for service in services():
        state = f"needs {', '.join(service.missing)}" if service.missing else "installed"
        click.echo(f"{service.name:<16} {service.target:<56} {state}")


def _given_options(config: Path | None, texts: Sequence[str]) -> GivenOptions:
    """The options of all sources, from the weakest to the strongest; raises OptionsError."""
    sources = [from_file(config)] if config is not None else []
    sources.append(from_text(_OPTIONS_VARIABLE, os.environ.get(_OPTIONS_VARIABLE, "")))
    for number, text in enumerate(texts, start=1):
        # The number and not the text, which may hold a password.
        sources.append(from_text("--options" if len(texts) == 1 else f"--options {number} of {len(texts)}", text))
    return GivenOptions([source for source in sources if source.options or source.title.startswith("--config")])


@contextmanager
def _tiny_folder(name: str) -> Iterator[Path]:
    """An empty temporary folder with the name that the card shows; removed at the end of the block, also by SIGTERM.

    Raises:
        TinyError: the service has no tiny checkpoint, or there is no place to write one.
    """
    kind = adapter_class(name)
    if not has_tiny(kind):
        raise TinyError(
            f"service {name} has no --tiny: {kind.without_tiny}. Start it without, or take a service that has it:"
            f" {', '.join(services_with_tiny())}"
        )
    # `_serve` replaces the handler. While a checkpoint is made, the default one would end the process at once.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        above = tempfile.TemporaryDirectory(prefix="omnigap-tiny-", ignore_cleanup_errors=True)
    except OSError as error:
        raise TinyError(f"--tiny needs a writable folder for its checkpoint: set TMPDIR to one ({error})") from error
    with above:
        folder = Path(above.name, f"{name.rpartition(':')[2]}-tiny")
        folder.mkdir()
        yield folder


def _class_for(name: str, options: Mapping[str, object]) -> type[Adapter]:
    """The adapter's class; raises ServiceError, and OptionsError if it would ignore its options silently."""
    kind = adapter_class(name)
    if options and kind.__init__ is Adapter.__init__:
        raise OptionsError(f"service {name} takes no options, but got {', '.join(options)}")
    return kind


def _with_tiny(kind: type[Adapter], name: str, given: GivenOptions, folder: Path) -> GivenOptions:
    """Makes the tiny checkpoint, and returns the options that serve it."""
    try:
        made = kind.build_tiny(given.merged, folder)
    except Exception as error:
        if not (isinstance(error, OSError) or _WRITE_FAILED.search(str(error))):
            raise
        raise TinyError(
            f"the tiny checkpoint of service {name} can't be written to {folder.parent} ({error}): set TMPDIR to a"
            " folder with more space"
        ) from error
    if not isinstance(made, Mapping):
        raise TinyError(f"build_tiny of service {name} returned {made!r}: it must return the options that serve it")
    _log.warning("--tiny: %s answers with tiny random weights, which say nothing about the model", name)
    return given.replaced_by(made, "--tiny")


async def _serve(
    name: str,
    server_of: Callable[[], Server],
    port_file: Path | None,
    announce: bool,
    parent: Coroutine[Any, Any, None] | None,
) -> bool:
    """Serves until a signal, the end of the parent, or the adapter's request for a restart; True for the last."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    # On the loop, to which it belongs.
    server = server_of()
    restart = asyncio.create_task(server.restart_requested())
    ends: list[asyncio.Task[Any]] = [asyncio.create_task(stop.wait()), restart]
    if parent is not None:
        ends.append(asyncio.create_task(parent))
    # Loading may take minutes: a signal during it must stop the process too.
    start = asyncio.create_task(_start(server, port_file))
    try:
        await asyncio.wait([start, *ends], return_when=asyncio.FIRST_COMPLETED)
        # A part that changes while the service loads may fail the start too, but the restart is the remedy.
        if start.done() and not server.restart_reason:
            start.result()  # raises what the start raised
            if announce:
                _announce(name, server)
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        restarts = bool(server.restart_reason) and not stop.is_set()
        if restarts:
            _log.error("%s ends with status %d, to be started again: %s", name, RESTART_STATUS, server.restart_reason)
        _log.info("stopping: running answers get %g s (--drain-seconds)", server.options.drain_seconds)
        return restarts
    finally:
        for task in (start, *ends):
            task.cancel()
        # A start that failed because of the restart's reason would be logged as an error that nothing handles.
        await asyncio.gather(start, *ends, return_exceptions=True)
        if not await server.stop():
            _log.warning("stopped before all answers had ended or the adapter was closed")
        # The end has begun: a second signal, such as `timeout` sends, would kill the process in its clean-up.
        loop.remove_signal_handler(signal.SIGTERM)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


async def _start(server: Server, port_file: Path | None) -> None:
    """Binds and loads; the port file is written in between, so that a probe sees NOT_SERVING while it loads."""
    await server.bind()
    if port_file is not None:
        write_port_file(port_file, server.options.host, server.port)
    await server.load()


async def parent_gone(parent: int | None = None) -> None:
    """Returns once this process's parent has ended.

    Args:
        parent: its process id if the parent passed it, since it may end before this call. None: the current parent.
    """
    parent = parent or os.getppid()
    # On Linux the kernel sends a signal. It also sends it when only the *thread* that started this process ends, so the
    # signal only prompts a check of the parent's id. The poll covers other systems, and a parent that ended before
    # `prctl`.
    woken = asyncio.Event()
    if sys.platform == "linux":
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, woken.set)
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGUSR2, 0, 0, 0)
    while os.getppid() == parent:
        woken.clear()
        try:
            await asyncio.wait_for(woken.wait(), _POLL_S)
        except TimeoutError:
            continue


def _announce(name: str, server: Server) -> None:
    """Prints the one line on stdout, from which the parent process reads the port."""
    line = {
        "event": "serving",
        "name": name,
        "host": server.options.host,
        "port": server.port,
        "metrics_port": server.metrics_port,
        "digest": server.description.digest,
        "random_weights": server.description.random_weights,
    }
    try:
        print(json.dumps(line), flush=True)
    except OSError as error:
        # A service without a parent that reads the line can serve without it.
        _log.warning("the announcement can't be written to standard output: %s", error.strerror)


if __name__ == "__main__":
    main()
