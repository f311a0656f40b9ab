"""Finds services: those that installed distributions register, and any adapter as `module:Class`."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from omnigap.errors import OmnigapError
from omnigap_services.adapter import Adapter

GROUP = "omnigap.services"
"""The entry point group through which a distribution registers its adapters."""

# Requirements are parsed with regular expressions: `packaging` is not a dependency of the services.
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")
_OWN_EXTRAS = re.compile(r"\[([^\]]+)\]")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


class ServiceError(OmnigapError):
    """A service cannot be found or imported; the message says what to name or install."""


@dataclass(frozen=True, slots=True)
class Service:
    """A registered service.

    Attributes:
        name: the argument of `omnigap-serve`.
        target: `module:Class` of its adapter.
        distribution: that registers it.
        missing: distributions of the extra of the same name that are not installed.
    """

    name: str
    target: str
    distribution: str
    missing: tuple[str, ...]


def services() -> tuple[Service, ...]:
    """All registered services, sorted by name. None is imported: some load large libraries."""
    found = (_service(entry) for entry in metadata.entry_points(group=GROUP))
    return tuple(sorted(found, key=lambda service: service.name))


def adapter_class(name: str) -> type[Adapter]:
    """Imports the adapter of a registered name, or of a `module:Class` on the path or in the working directory.

    Raises:
        ServiceError: for an unknown name, a missing extra, or a class that is not an adapter.
    """
    target = name if ":" in name else _registered(name).target
    module_name, _, class_name = target.partition(":")
    if ":" in name and (folder := str(Path.cwd())) not in sys.path:
        # Last, so that a file of that folder, such as grpc.py, does not replace an installed module. A registered
        # service does not need the folder at all.
        sys.path.append(folder)
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except ImportError as error:
        raise ServiceError(missing_import(name, error)) from error
    except AttributeError as error:
        raise ServiceError(f"{module_name} has no {class_name!r}: name the service as module:Class") from error
    if not (isinstance(found, type) and issubclass(found, Adapter)):
        raise ServiceError(f"{target} is not a subclass of omnigap_services.adapter.Adapter")
    return found


def has_tiny(kind: type[Adapter]) -> bool:
    """Whether an adapter makes tiny checkpoints (`--tiny`): it, or a class that it extends, has a `build_tiny`."""
    return any("build_tiny" in vars(one) for one in kind.__mro__ if one is not Adapter)


def services_with_tiny() -> list[str]:
    """Names of the registered services whose packages have a module `tiny`. No adapter is imported."""
    found = []
    for service in services():
        with suppress(ImportError, ValueError):
            if importlib.util.find_spec(f"{service.target.partition(':')[0].rpartition('.')[0]}.tiny"):
                found.append(service.name)
    return found


def missing_import(name: str, error: ImportError) -> str:
    """The message for a service whose import or load failed because a module is missing: what to install."""
    known = {service.name: service for service in services()}
    if name not in known:
        return f"cannot import {name}: {error}"
    extra = f"{known[name].distribution}[{name}]"
    return f"service {name} has missing requirements ({error}): pip install '{extra}'"


def _registered(name: str) -> Service:
    known = {service.name: service for service in services()}
    if name not in known:
        names = ", ".join(known) or "none is registered"
        raise ServiceError(f"unknown service {name!r}: one of {names}; or module:Class of an adapter")
    return known[name]


def _service(entry: metadata.EntryPoint) -> Service:
    distribution = entry.dist
    requirements = (distribution.requires if distribution else None) or []
    owner = distribution.name if distribution else ""
    missing = [package for package in _packages_of(entry.name, requirements, owner) if not _installed(package)]
    return Service(entry.name, entry.value, owner, tuple(missing))


def _packages_of(extra: str, requirements: list[str], owner: str) -> list[str]:
    """The distributions that an extra requires, including those of other extras that it names."""
    # The metadata lists an extra's requirements with a marker: `jellyfish>=1.1; extra == "demo"`.
    packages = []
    for requirement in requirements:
        marker, name = _EXTRA.search(requirement), _NAME.match(requirement)
        if not (marker and name and marker[1] == extra):
            continue
        others = _OWN_EXTRAS.search(requirement)
        if name[0] == owner and others:
            for other in others[1].split(","):
                packages.extend(_packages_of(other.strip(), requirements, owner))
        else:
            packages.append(name[0])
    return packages


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
