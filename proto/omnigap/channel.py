"""Options of every gRPC channel and server: message limits, keepalive, proxies."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Largest message, either way: ten minutes of 16-bit mono audio at 44.1 kHz with room to spare."""

REPLAY_SECONDS = 600.0
"""How long a server keeps a finished answer for its request id."""


Options = tuple[tuple[str, int | str], ...]

_PING_MS = 30_000

_BOTH_SIDES: Options = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # A long answer may stay silent for minutes: pings keep the connection known to be alive.
    ("grpc.keepalive_time_ms", _PING_MS),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
)

SERVER_OPTIONS: Options = (
    *_BOTH_SIDES,
    # Two servers on one port would silently share its calls.
    ("grpc.so_reuseport", 0),
    # More pings than one in this time count as abuse and end the connection: leave room for patient clients.
    ("grpc.http2.min_ping_interval_without_data_ms", _PING_MS // 3),
    ("grpc.keepalive_permit_without_calls", 1),
)
"""For the side that answers."""

_CLIENT: Options = (
    *_BOTH_SIDES,
    # A service that comes back is noticed within seconds; gRPC's own back-off grows to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)

# Targets that name a socket of this machine instead of a host.
_LOCAL_SCHEMES = ("unix:", "unix-abstract:", "vsock:")
_HOST_SCHEMES = ("dns:", "ipv4:", "ipv6:")


def channel_options(address: str, proxy: str = "") -> Options:
    """The options of a channel, synchronous or asynchronous.

    Args:
        address: what the channel is opened to, as gRPC takes it.
        proxy: `http://HOST:PORT` of an HTTP proxy; empty: none.
    """
    return (*_CLIENT, *proxy_options(address, proxy))


def proxy_options(address: str, proxy: str = "") -> Options:
    """The part of the options that says which way calls go.

    Without them gRPC takes `grpc_proxy`, `https_proxy` and `http_proxy` from the environment, for loopback as well.
    """
    way = proxy_for(address, proxy)
    if not way:
        return (("grpc.enable_http_proxy", 0),)
    return (("grpc.enable_http_proxy", 1), ("grpc.http_proxy", way))


def proxy_for(address: str, proxy: str) -> str:
    """The proxy that calls to an address go through; empty where they go directly, as those to loopback always do.

    So do calls to the hosts that the environment excepts, in `no_grpc_proxy` or else in `no_proxy`, as gRPC reads them:
    https://grpc.github.io/grpc/core/md_doc_core_default_http_proxy_mapper.html
    """
    return "" if is_loopback(address) or _is_excepted(address) else proxy


def _is_excepted(address: str) -> bool:
    """Whether the environment excepts all hosts of an address from proxies."""
    names = os.environ.get("no_grpc_proxy") or os.environ.get("no_proxy") or ""  # noqa: SIM112 - gRPC reads no other
    excepted = [name.strip().lower() for name in names.split(",") if name.strip()]
    return all(any(_is_under(host.lower(), name) for name in excepted) for host in _hosts_of(address))


def _is_under(host: str, name: str) -> bool:
    """Whether a host ends with a name, or is an address of the block that the name is."""
    if "/" not in name:
        return host.endswith(name)
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False


def is_loopback(address: str) -> bool:
    """True where an address can only be a service of this machine.

    Args:
        address: `HOST:PORT`, with or without the port, or a gRPC target such as `dns:///HOST:PORT`, `ipv4:HOST:PORT` or
            `unix:PATH`. Of several hosts all must be loopback.
    """
    if address.strip().lower().startswith(_LOCAL_SCHEMES):
        return True
    return all(is_loopback_host(host) for host in _hosts_of(address))


def _hosts_of(address: str) -> Iterator[str]:
    """The hosts of a gRPC target."""
    target = address.strip()
    for scheme in _HOST_SCHEMES:
        if target.lower().startswith(scheme):
            target = target[len(scheme) :]
            # `dns://SERVER/HOST:PORT` names the DNS server before the host.
            target = target[2:].partition("/")[2] if target.startswith("//") else target
            break
    return map(_host_of, target.split(","))


def _host_of(place: str) -> str:
    """The host of `HOST:PORT`, `[HOST]:PORT` or a bare IPv6 address."""
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return place.partition(":")[0] if place.count(":") == 1 else place


def is_loopback_host(host: str) -> bool:
    """True for `localhost`, names under it, 127.0.0.0/8 and ::1; for 0.0.0.0 and ::, which reach this machine, too."""
    name = host.strip().rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        found = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback or (mapped or found).is_unspecified


def check_proxy(proxy: str) -> str:
    """The address of a proxy as gRPC takes it; empty means no proxy.

    Raises:
        ValueError: for anything but `http://HOST:PORT`. A user or a password is refused: the address is shown in
            messages and kept with every run.
    """
    if not proxy:
        return proxy
    found = urlsplit(proxy)
    try:
        whole = found.scheme == "http" and bool(found.hostname) and found.port is not None
    except ValueError:
        whole = False
    if not whole or found.username or found.password or found.path.strip("/") or found.query or found.fragment:
        raise ValueError("it is not http://HOST:PORT, without a user, a password or a path")
    return proxy
