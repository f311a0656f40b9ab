"""`python -m omnigap_services.probe [HOST:PORT]`: the health check of a container.

Without an address it reads the port file of the service in the same container (`omnigap-serve --port-file`), so the
check of an image also fits a child image that serves on another port.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from omnigap.channel import channel_options, is_unspecified_host
from omnigap.errors import OmnigapError, quoted
from omnigap.files import read_regular

PORT_FILE_VARIABLE = "OMNIGAP_PORT_FILE"
"""Environment variable with the path of the port file, for the service and for the probe."""

# Below the timeout of the containers' health checks, 30 s, so that the reason is printed.
_TIMEOUT_S = 20.0
_MAX_FILE_BYTES = 1024


class PortFileError(OmnigapError, OSError):
    """The port file cannot be written or read; the message names it and its variable."""


def write_port_file(path: Path, host: str, port: int) -> None:
    """Writes where a probe on this machine reaches a service: the port, or `HOST:PORT` if 127.0.0.1 does not.

    Raises:
        PortFileError: if the file cannot be written.
    """
    place = str(port) if _on_ipv4_loopback(host) else f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(f"{place}\n", encoding="utf-8")
        # Renamed, so that a probe never reads half a number.
        draft.replace(path)
    except OSError as error:
        raise PortFileError(
            f"cannot write --port-file {path} ({PORT_FILE_VARIABLE}): {error.strerror}; name a file in a folder that"
            " can be written, or set the variable to an empty text"
        ) from error


def read_port_file(path: Path) -> str:
    """The address in a port file.

    Raises:
        PortFileError: if there is no such file, or no port in it.
    """
    try:
        place = read_regular(path, _MAX_FILE_BYTES).decode("utf-8", "replace").strip()
    except OSError as error:
        raise PortFileError(
            f"cannot read the port file {path} ({PORT_FILE_VARIABLE}): {error.strerror}; omnigap-serve writes it once"
            " its port is bound"
        ) from error
    if not place.rpartition(":")[2].isdecimal():
        raise PortFileError(f"the port file {path} ({PORT_FILE_VARIABLE}) has no port, but {quoted(place)}")
    return place if ":" in place else f"127.0.0.1:{place}"


def _on_ipv4_loopback(host: str) -> bool:
    """Whether a server on this host is reached at 127.0.0.1. One on :: is: it takes IPv4 too."""
    return is_unspecified_host(host.strip("[]")) or host in ("", "localhost") or host == "127.0.0.1"


def status(address: str, timeout_s: float = _TIMEOUT_S) -> str:
    """`SERVING`, the name of another grpc.health.v1 status, or why there was no answer."""
    with grpc.insecure_channel(address, options=channel_options(address)) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=timeout_s)
        except grpc.RpcError as error:
            return f"no answer: {error.code().name}: {error.details()}"
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def main(arguments: Sequence[str]) -> int:
    """Exit status 0 for SERVING, 1 for anything else, 2 for wrong arguments."""
    port_file = os.environ.get(PORT_FILE_VARIABLE, "")
    if len(arguments) > 1 or not (arguments or port_file):
        print(
            f"usage: python -m omnigap_services.probe [HOST:PORT]; without an address, {PORT_FILE_VARIABLE} names the"
            " port file of a service",
            file=sys.stderr,
        )
        return 2
    try:
        address = arguments[0] if arguments else read_port_file(Path(port_file))
    except PortFileError as error:
        print(error, file=sys.stderr)
        return 1
    found = status(address)
    print(f"{address}: {found}")
    return 0 if found == "SERVING" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
