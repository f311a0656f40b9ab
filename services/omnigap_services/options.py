"""Reads a service's options; unknown keys and wrong values are reported in one message that names each key."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from omnigap.errors import OmnigapError


class Options(BaseModel):
    """Base of a service's options: frozen, and undeclared keys are refused."""

    # pydantic reserves the prefix `model_` by default, which options of the triton service have.
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    def shown_without(self, names: Collection[str]) -> dict[str, str]:
        """All options except these, as a card shows them: text unchanged, everything else as JSON."""
        values = self.model_dump(mode="json", exclude=set(names))
        return {
            key: value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
            for key, value in values.items()
        }


class OptionsError(OmnigapError, ValueError):
    """Invalid options of a service; the message names each key."""


OptionsT = TypeVar("OptionsT", bound=Options)


def read_options(kind: type[OptionsT], service: str, options: Mapping[str, object]) -> OptionsT:
    """The options as an object.

    Raises:
        OptionsError: for unknown keys and invalid values; it lists all of them.
    """
    try:
        return kind.model_validate(dict(options))
    except ValidationError as error:
        known = ", ".join(kind.model_fields)
        # pydantic's own message names the class and an URL; users need the key and the value.
        faults = []
        for fault in error.errors():
            key = ".".join(str(part) for part in fault["loc"])
            if fault["type"] == "extra_forbidden":
                faults.append(f"unknown option {key!r} (known: {known})")
            elif fault["type"] == "missing":
                faults.append(f"option {key!r} is missing: add it")
            else:
                faults.append(f"option {key!r} is {fault['input']!r}: {fault['msg']}")
        raise OptionsError(f"service {service}: {'; '.join(faults)}") from error
