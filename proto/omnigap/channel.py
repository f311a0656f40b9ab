"""gRPC options shared by every channel and server: message limits, keepalive and proxies."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Largest message in either direction: ten minutes of 16-bit mono audio at 44.1 kHz take 53 MB."""

REPLAY_SECONDS = 600.0
"""How long a server replays a finished answer to a repeated request id."""

Options = tuple[tuple[str, int | str], ...]

_PING_MS = 30_000
_MAX_PENDING_CALLS = 65_536
_MINUTE_MS = 60_000

_BOTH_SIDES: Options = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # Headers of one call. By default gRPC refuses calls at random between 8 and 16 KiB; equal limits make it one limit.
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024),
    # A slow answer may send nothing for minutes. Pings detect a dead connection in that time.
    ("grpc.keepalive_time_ms", _PING_MS),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
)

SERVER_OPTIONS: Options = (
    *_BOTH_SIDES,
    # With SO_REUSEPORT a second server on the same port would start, and take a share of the calls unnoticed.
    ("grpc.so_reuseport", 0),
    # A server closes the connection of a client that pings more often than this. It must be well below `_PING_MS`.
    ("grpc.http2.min_ping_interval_without_data_ms", _PING_MS // 3),
    ("grpc.keepalive_permit_without_calls", 1),
    # Calls that have arrived and wait for the event loop. By default gRPC drops some of them at random from 1,000 on,
    # as CANCELLED without a reason, before the server sees them; they must get BUSY instead. Equal limits: none is
    # dropped at random.
    ("grpc.server.max_pending_requests", _MAX_PENDING_CALLS),
    ("grpc.server.max_pending_requests_hard_limit", _MAX_PENDING_CALLS),
    # Seconds that such a call may wait; the default of 30 would drop calls of a busy machine in the same way.
    ("grpc.server_max_unrequested_time_in_server", 600),
    # Calls of one connection. More of them wait at the client. Well above what a client of one service needs, since its
    # health checks wait too.
    ("grpc.max_concurrent_streams", 2_048),
    # A peer that connects and does not begin to speak HTTP/2 is dropped. One that stops within a frame cannot answer
    # the keepalive pings.
    ("grpc.server_handshake_timeout_ms", 20_000),
    ("grpc.max_connection_idle_ms", 15 * _MINUTE_MS),
    # Ends calls that no client reads and connections that only answer pings. A client moves to a new connection without
    # an error, and its running calls get the grace, which must exceed the longest call: after it they are cut off.
    ("grpc.max_connection_age_ms", 60 * _MINUTE_MS),
    ("grpc.max_connection_age_grace_ms", 24 * 60 * _MINUTE_MS),
)
"""Options of a server."""

_CLIENT: Options = (
    *_BOTH_SIDES,
    # gRPC's default back-off grows to two minutes: a restarted service should be found within seconds.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # By default a name is resolved at most every 30 s, which is as long as the patience for a container that was
    # recreated with another address.
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),
)

# Targets that name a socket of this machine instead of a host.
_LOCAL_SCHEMES = ("unix:", "unix-abstract:", "vsock:")
_HOST_SCHEMES = ("dns:", "ipv4:", "ipv6:")
# No match: `dns://SERVER/HOST:PORT`, whose name only that server can resolve, and lists of targets.
_HOST_PORT = re.compile(
    r"(dns:(///)?)?(\[(?P<ipv6>[^\[\]/,]+)\]|(?P<host>[^\[\]:/,]+)):(?P<port>[0-9]+)", re.IGNORECASE
)


def channel_options(address: str, proxy: str = "") -> Options:
    """Options of a client channel, synchronous or asynchronous.

    Args:
        address: target of the channel, as gRPC takes it.
        proxy: `http://HOST:PORT` of an HTTP proxy; empty for none.
    """
    return (*_CLIENT, *proxy_options(address, proxy))


def proxy_options(address: str, proxy: str = "") -> Options:
    """Options that route calls through a proxy, or directly.

    Without them gRPC uses `grpc_proxy`, `https_proxy` and `http_proxy` from the environment, even for loopback.
    """
    used = proxy_for(address, proxy)
    if not used:
        return (("grpc.enable_http_proxy", 0),)
    return (("grpc.enable_http_proxy", 1), ("grpc.http_proxy", used))


def proxy_for(address: str, proxy: str) -> str:
    """The proxy that calls to an address use; empty for direct calls.

    Calls to loopback are always direct. So are calls to hosts listed in `no_grpc_proxy` or, if that is unset, in
    `no_proxy`, with gRPC's own rules:
    https://grpc.github.io/grpc/core/md_doc_core_default_http_proxy_mapper.html
    """
    return "" if is_loopback(address) or _in_no_proxy(address) else proxy


def _in_no_proxy(address: str) -> bool:
    """Whether `no_proxy` lists all hosts of an address."""
    # gRPC reads the lower-case names only.
    names = os.environ.get("no_grpc_proxy") or os.environ.get("no_proxy") or ""  # noqa: SIM112
    excluded = [name.strip().lower() for name in names.split(",") if name.strip()]
    return all(any(_matches(host.lower(), name) for name in excluded) for host in _hosts_of(address))


def _matches(host: str, name: str) -> bool:
    """Whether a host ends with `name`, or is in the CIDR block `name`."""
    if "/" not in name:
        return host.endswith(name)
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False


def is_loopback(address: str) -> bool:
    """Whether an address can only reach this machine.

    Args:
        address: `HOST:PORT`, with or without the port, or a gRPC target such as `dns:///HOST:PORT`, `ipv4:HOST:PORT` or
            `unix:PATH`. If it lists several hosts, all must be loopback.
    """
    if address.strip().lower().startswith(_LOCAL_SCHEMES):
        return True
    return all(is_loopback_host(host) for host in _hosts_of(address))


def _hosts_of(address: str) -> Iterator[str]:
    """Yields the hosts of a gRPC target."""
    target = address.strip()
    for scheme in _HOST_SCHEMES:
        if target.lower().startswith(scheme):
            target = target[len(scheme) :]
            # `dns://SERVER/HOST:PORT` names the DNS server before the host.
            target = target[2:].partition("/")[2] if target.startswith("//") else target
            break
    return map(_host_of, target.split(","))


def host_and_port(address: str) -> tuple[str, str] | None:
    """Host and port of `HOST:PORT`, `[IPV6]:PORT` or `dns:///HOST:PORT`; None for every other gRPC target."""
    found = None if address.strip().lower().startswith(_LOCAL_SCHEMES) else _HOST_PORT.fullmatch(address.strip())
    return None if found is None else (found["ipv6"] or found["host"], found["port"])


def _host_of(place: str) -> str:
    """The host of `HOST:PORT`, `[HOST]:PORT` or a bare IPv6 address."""
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return place.partition(":")[0] if place.count(":") == 1 else place


def is_loopback_host(host: str) -> bool:
    """True for `localhost`, names under it, 127.0.0.0/8, ::1, and for 0.0.0.0 and ::, which also reach this machine."""
    name = host.strip().rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    found = _ip_of(name)
    return found is not None and (found.is_loopback or found.is_unspecified)


def is_unspecified_host(host: str) -> bool:
    """True for 0.0.0.0 and ::, on which a server listens on all addresses of the machine."""
    found = _ip_of(host.strip())
    return found is not None and found.is_unspecified


def _ip_of(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address of a host; None for a name."""
    try:
        found = ipaddress.ip_address(name)
    except ValueError:
        return None
    # ::ffff:127.0.0.1 is IPv4 loopback in IPv6 notation; Python 3.11 does not count it as loopback.
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def check_proxy(proxy: str) -> str:
    """Checks and returns the URL of a proxy; empty means no proxy.

    Raises:
        ValueError: the URL is not `http://HOST:PORT`. A user name or password is refused as well, because the URL
            appears in messages and is stored with every run.
    """
    if not proxy:
        return proxy
    found = urlsplit(proxy)
    try:
        valid = found.scheme == "http" and bool(found.hostname) and found.port is not None
    except ValueError:
        valid = False
    if not valid or found.username or found.password or found.path.strip("/") or found.query or found.fragment:
        raise ValueError("write http://HOST:PORT, without a user name, a password or a path")
    return proxy
