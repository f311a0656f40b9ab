"""Where the replicas of a service are: a host name with several addresses has one replica at each of them.

Docker and Kubernetes give the name of a scaled service one address for each container.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from omnigap.channel import host_and_port, is_loopback, proxy_for
from omnigap.client import GenerateClient

LookUp = Callable[[str], Awaitable[Sequence[str]]]
"""Returns the IP addresses of a host name, of both families; raises OSError if it has none."""

# Longest wait for an answer of the name servers.
_LOOK_UP_S = 3.0


@dataclass(frozen=True, slots=True)
class Place:
    """The address of one replica.

    Attributes:
        endpoint: `host:port`, as configured.
        ip: one of several addresses of the host. Empty: gRPC resolves the endpoint itself, again at each reconnect.
        key: equal for two places that are one address and port.
    """

    endpoint: str
    ip: str = ""
    key: tuple[str, str] = ("", "")

    def at(self, ip: str) -> Place:
        """The place at another address of the host."""
        return Place(self.endpoint, ip, (ip, self.key[1]))

    def client(self, proxy: str) -> GenerateClient:
        return GenerateClient(self.endpoint, proxy, ip=self.ip)


async def look_up(host: str) -> list[str]:
    """The addresses of a host name by the resolver of the operating system, in a thread.

    Raises:
        OSError: it has none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def one_family(addresses: Sequence[str]) -> list[str]:
    """The distinct IPv4 or IPv6 addresses of a host, whichever are more; IPv4 if they are equally many."""
    # A service on a host with an address of each family is one replica.
    families: dict[int, set[str]] = {4: set(), 6: set()}
    for address in addresses:
        ip = ipaddress.ip_address(address)
        # A link-local address is valid only with the name of a network interface.
        if ip.version == 4 or not ip.is_link_local:
            families[ip.version].add(address)
    chosen = families[6] if len(families[6]) > len(families[4]) else families[4]
    return sorted(chosen, key=lambda address: int(ipaddress.ip_address(address)))


class HostNames:
    """Looks up the host names in the endpoints of a service."""

    def __init__(self, proxy: str = "", look_up: LookUp = look_up) -> None:
        """
        Args:
            proxy: `http://HOST:PORT`; it resolves the names of endpoints that are called through it.
        """
        self.proxy = proxy
        self._look_up = look_up
        self._running: dict[str, asyncio.Task[list[str]]] = {}

    async def places(self, endpoints: Sequence[str]) -> tuple[list[Place], list[str]]:
        """Returns the distinct replicas of endpoints, in their order, and a note for each endpoint left out."""
        found: dict[tuple[str, str], Place] = {}
        notes = []
        for endpoint, ips in zip(endpoints, await asyncio.gather(*map(self.addresses, endpoints)), strict=True):
            port = endpoint.rpartition(":")[2]
            keys = [(ip, port) for ip in ips] or [(endpoint, "")]
            for key in keys:
                place = Place(endpoint, key[0] if len(keys) > 1 else "", key)
                first = found.setdefault(key, place)
                if first is not place:
                    notes.append(f"{endpoint} is the same address as {first.endpoint} ({key[0]}): it is used once")
        return list(found.values()), notes

    async def addresses(self, endpoint: str) -> list[str]:
        """The IP addresses of an endpoint's host; empty if they are unknown, or if gRPC or a proxy has to find them."""
        parts = host_and_port(endpoint)
        if parts is None or proxy_for(endpoint, self.proxy):
            return []
        host = parts[0]
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            if is_loopback(endpoint):
                return []
        # A thread that waits for a dead name server can't be ended, so each name occupies at most one.
        task = self._running.get(host)
        if task is None:
            task = self._running[host] = asyncio.create_task(self._found(host))
            task.add_done_callback(lambda _: self._running.pop(host, None))
        done, _ = await asyncio.wait({task}, timeout=_LOOK_UP_S)
        return task.result() if done else []

    async def _found(self, host: str) -> list[str]:
        try:
            return one_family(await self._look_up(host))
        # UnicodeError: a label of the name is too long.
        except (OSError, UnicodeError):
            return []
