"""Which server is called and how: the options that every proxy of an OpenAI-compatible server has."""

from __future__ import annotations

import json
import os
import re
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from omnigap.channel import check_proxy
from omnigap_services.options import Options, OptionsError

# Shorter keys are none, such as the EMPTY of servers that look at no key.
_SECRET = 8

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

CALL_OPTIONS = frozenset(
    {
        *("name", "revision", "base_url", "api_key_env", "concurrency", "max_queue", "max_retries"),
        *("timeout_s", "connect_timeout_s", "wait_s", "proxy"),
    }
)
"""Options that may change and the service stays the same; the revision has its own place in the digest."""


class EndpointOptions(Options):
    """Base of the options of services that stand before such a server.

    Attributes:
        base_url: root of the API, as `http://127.0.0.1:8091/v1`; not part of the digest, so that a server can move.
        model: the name that the server knows the model by.
        revision: of the weights that the server was started with; the server cannot be asked for it.
        launch: the command that the server was started with; it is part of the digest.
        api_key_env: name of the environment variable that holds the key; empty: the server needs none.
        name: in reports; empty: the model's.
        concurrency: calls at once.
        max_retries: further tries of one call after 408, 409, 429, 5xx and lost connections.
        timeout_s: silence of the server after which a try is given up.
        connect_timeout_s: until a connection must stand.
        wait_s: how long loading waits for the server to answer.
        proxy: `http://HOST:PORT` of an HTTP proxy to the server; empty: as the environment says. A server on loopback
            is called directly in any case.
        not_in_the_digest: names of the options that may change and the service stays the same.
    """

    base_url: str = "http://127.0.0.1:8091/v1"
    model: str = Field(min_length=1)
    revision: str = ""
    launch: str = ""
    api_key_env: str = ""
    name: str = ""
    concurrency: int = Field(default=4, ge=1, le=256)
    max_queue: int = Field(default=64, ge=0)
    max_retries: int = Field(default=2, ge=0, le=10)
    timeout_s: float = Field(default=600.0, gt=0)
    connect_timeout_s: float = Field(default=10.0, gt=0)
    wait_s: float = Field(default=30.0, ge=0)
    proxy: Annotated[str, AfterValidator(check_proxy)] = ""

    not_in_the_digest: ClassVar[frozenset[str]] = CALL_OPTIONS

    def settings(self) -> dict[str, str]:
        """All that changes answers, as the card shows it; the host and the key are no part of it."""
        return self.shown_without(self.not_in_the_digest)


def check_address(service: str, options: EndpointOptions) -> None:
    """Refuses an address that holds a secret or is none.

    Raises:
        OptionsError: no message repeats what might be a key.
    """
    address = urlsplit(options.base_url)
    if address.username or address.password or address.query:
        # Addresses are printed in errors and by the HTTP client.
        raise _wrong(service, "base_url holds a user, a password or a query: give a key through api_key_env")
    if address.scheme not in ("http", "https") or not address.hostname:
        raise _wrong(service, f"base_url is {options.base_url!r}: write it as http://HOST:PORT/v1")


def read_key(service: str, options: EndpointOptions) -> str:
    """The key from the environment; empty where none is configured.

    Raises:
        OptionsError: where the variable is not there, and where an option that Describe shows to everyone holds the
            key too. What `api_key_env` says is not repeated: it may be a key.
    """
    if not options.api_key_env:
        return ""
    known = _VARIABLE.fullmatch(options.api_key_env) is not None
    key = os.environ.get(options.api_key_env, "").strip() if known else ""
    if not key:
        raise _wrong(
            service,
            "api_key_env is not the name of a variable in this service's environment: export the key under a name,"
            " as in OPENAI_API_KEY, and write that name",
        )
    for name, value in options.model_dump(mode="json").items():
        if len(key) >= _SECRET and key in json.dumps(value, ensure_ascii=False):
            raise _wrong(service, f"{name} holds the key, and is shown to everyone: leave the key out of it")
    return key


def _wrong(service: str, text: str) -> OptionsError:
    return OptionsError(f"service {service}: option {text}")
