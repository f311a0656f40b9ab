"""`omnigap-serve NAME`: starts one service, announces when it is ready, and drains it on SIGTERM and SIGINT."""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import os
import signal
import sys
import tomllib
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import click

from omnigap.channel import is_loopback_host, is_unspecified_host
from omnigap.errors import ContractError, OmnigapError
from omnigap.files import SETTINGS_BYTES, read_regular
from omnigap.terminal import LogFormatter, protect_streams
from omnigap_services.adapter import Adapter
from omnigap_services.options import OptionsError
from omnigap_services.registry import adapter_class, missing_import, services
from omnigap_services.server import Server, ServerOptions

_log = logging.getLogger(__name__)

# From <linux/prctl.h>.
_PR_SET_PDEATHSIG = 1
_POLL_S = 1.0


@click.command(context_settings={"auto_envvar_prefix": "OMNIGAP_SERVE", "show_default": True})
@click.argument("name", required=False)
@click.option("--list", "list_services", is_flag=True, help="List the registered services and exit.")
@click.option("--host", default="127.0.0.1", help="Address to listen on; 0.0.0.0 in a container.")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Port; 0 takes a free one.")
@click.option("--metrics-port", type=click.IntRange(0, 65_535), help="Port for Prometheus; 0 takes a free one.")
@click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="TOML file with the service's options.")
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
    options = ServerOptions(host, port, metrics_port, drain_seconds)
    if not insecure and (warning := exposure_warning(host, metrics_port is not None)):
        click.echo(warning, err=True)
    try:
        adapter = _make(name, _read_config(config))
        parent = parent_gone(parent_pid) if exit_with_parent else None
        asyncio.run(_serve(name, adapter, options, announce, parent))
    except click.ClickException:
        raise
    except OptionsError as error:
        source = config if config is not None else "is not given, so all options have their defaults"
        raise click.ClickException(f"{error} (--config {source})") from error
    except ImportError as error:
        raise click.ClickException(missing_import(name, error)) from error
    except ContractError as error:
        raise click.ClickException(f"service {name} did not start: {error}") from error
    except OmnigapError as error:
        raise click.ClickException(str(error)) from error
    except Exception as error:
        _log.exception("service %s did not start", name)
        raise click.ClickException(f"service {name} did not start: {type(error).__name__}: {error}") from error


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


def _read_config(path: Path | None) -> Mapping[str, object]:
    if path is None:
        return {}
    try:
        return tomllib.loads(read_regular(path, SETTINGS_BYTES).decode("utf-8-sig"))
    except OSError as error:
        raise click.ClickException(f"cannot read --config {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise click.ClickException(f"--config {path} is not UTF-8: byte {error.start + 1} is invalid") from None
    except RecursionError:
        raise click.ClickException(f"--config {path} is not valid TOML: it is nested too deeply") from None
    except ValueError as error:
        # Also an integer beyond the limit of digits.
        raise click.ClickException(f"--config {path} is not valid TOML: {error}") from error


def _make(name: str, options: Mapping[str, object]) -> Adapter:
    """Creates the adapter without loading it; raises OptionsError and ServiceError."""
    kind = adapter_class(name)
    # An adapter without its own constructor would ignore its options silently.
    if options and kind.__init__ is Adapter.__init__:
        raise OptionsError(f"service {name} takes no options, but got {', '.join(options)}")
    return kind(options)


async def _serve(
    name: str, adapter: Adapter, options: ServerOptions, announce: bool, parent: Coroutine[Any, Any, None] | None
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    server = Server(adapter, options)
    ends: list[asyncio.Task[object]] = [asyncio.create_task(stop.wait())]
    if parent is not None:
        ends.append(asyncio.create_task(parent))
    # Loading may take minutes: a signal during it must stop the process too.
    start = asyncio.create_task(server.start())
    try:
        await asyncio.wait([start, *ends], return_when=asyncio.FIRST_COMPLETED)
        if start.done():
            start.result()  # raises what the start raised
            if announce:
                _announce(name, server)
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        _log.info("stopping: running answers get %g s (--drain-seconds)", options.drain_seconds)
    finally:
        for task in (start, *ends):
            task.cancel()
        if not await server.stop():
            _log.warning("stopped before all answers had ended or the adapter was closed")


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
    }
    try:
        print(json.dumps(line), flush=True)
    except OSError as error:
        # A service without a parent that reads the line can serve without it.
        _log.warning("the announcement can't be written to standard output: %s", error.strerror)


if __name__ == "__main__":
    main()
