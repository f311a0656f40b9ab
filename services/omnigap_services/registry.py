"""Which services there are: those that installed distributions register, and any `module:Class` by name."""

from __future__ import annotations

import importlib
import re
import sys
from dataclasses import dataclass
from importlib import metadata

from omnigap.errors import OmnigapError
from omnigap_services.adapter import Adapter

GROUP = "omnigap.services"
"""The entry point group through which a distribution registers its adapters."""

_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")
_OWN_EXTRAS = re.compile(r"\[([^\]]+)\]")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


class ServiceError(OmnigapError):
    """A service cannot be found or imported; the message says what to type or install."""


@dataclass(frozen=True, slots=True)
class Service:
    """A registered service.

    Attributes:
        name: what `omnigap-serve` is given.
        target: `module:Class` of its adapter.
        distribution: who registers it.
        missing: distributions of the extra of the same name that are not installed.
    """

    name: str
    target: str
    distribution: str
    missing: tuple[str, ...]


def services() -> tuple[Service, ...]:
    """All registered services by name; imports none of them."""
    found = (_service(entry) for entry in metadata.entry_points(group=GROUP))
    return tuple(sorted(found, key=lambda service: service.name))


def adapter_class(name: str) -> type[Adapter]:
    """Imports the adapter of a registered name, or of a `module:Class` on the path or in the working directory.

    Raises:
        ServiceError: an unknown name, a missing extra, or something that is no adapter.
    """
    target = name if ":" in name else _registered(name).target
    module_name, _, class_name = target.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")  # a console script does not look into the working directory by itself
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except ImportError as error:
        raise ServiceError(missing_import(name, error)) from error
    except AttributeError as error:
        raise ServiceError(f"{module_name} has no {class_name!r}: name the service as module:Class") from error
    if not (isinstance(found, type) and issubclass(found, Adapter)):
        raise ServiceError(f"{target} is no subclass of omnigap_services.adapter.Adapter")
    return found


def missing_import(name: str, error: ImportError) -> str:
    """What to install where importing or loading a service failed for want of a module."""
    known = {service.name: service for service in services()}
    if name not in known:
        return f"cannot import {name}: {error}"
    extra = f"{known[name].distribution}[{name}]"
    return f"service {name} needs what is not installed ({error}): pip install '{extra}'"


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
    """The distributions that an extra asks for, also by way of its own distribution's other extras."""
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
