"""Options of every proxy of an OpenAI-compatible server: its address, its key, and how calls are made."""

from __future__ import annotations

import json
import os
import re
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from omnigap.channel import check_proxy
from omnigap_services.options import Options, OptionsError

# Shorter values are placeholders, such as EMPTY for servers that check no key, and may well be part of another option.
_MIN_SECRET_LENGTH = 8

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

CALL_OPTIONS = frozenset(
    {
        *("name", "revision", "base_url", "api_key_env", "concurrency", "max_queue", "max_retries"),
        *("timeout_s", "connect_timeout_s", "wait_s", "proxy"),
    }
)
"""Options that are not in the digest's settings: they do not change answers, or (revision) have their own place."""


class EndpointOptions(Options):
    """Base of the options of services in front of such a server.

    Attributes:
        base_url: root of the API, such as `http://127.0.0.1:8091/v1`; not in the digest, so that a server can move.
        model: the model's name on the server.
        revision: of the weights that the server was started with; the server cannot be asked for it.
        launch: the command that the server was started with; part of the digest.
        api_key_env: name of the environment variable that holds the key; empty: the server needs none.
        name: in reports; empty: the model's.
        concurrency: simultaneous calls.
        max_queue: requests that may wait.
        max_retries: further attempts of one call after 408, 409, 429, 5xx and lost connections.
        timeout_s: silence of the server after which an attempt fails.
        connect_timeout_s: time to establish a connection.
        wait_s: how long loading waits for the server to respond.
        proxy: `http://HOST:PORT` of an HTTP proxy; empty: as in the environment. A server on loopback is always called
            directly.
        not_in_digest: names of the options that are not in the digest's settings.
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

    not_in_digest: ClassVar[frozenset[str]] = CALL_OPTIONS

    def settings(self) -> dict[str, str]:
        """Everything that changes answers, as shown on the card; without host and key."""
        return self.shown_without(self.not_in_digest)


def check_address(service: str, options: EndpointOptions) -> None:
    """Checks `base_url`.

    Raises:
        OptionsError: it is not an HTTP address, or holds a secret; the message does not repeat what may be a key.
    """
    address = urlsplit(options.base_url)
    # The address is printed in errors and by the HTTP client, so it must not hold a secret.
    if address.username or address.password or address.query:
        raise _wrong(service, "base_url holds a user, a password or a query: give a key through api_key_env")
    if address.scheme not in ("http", "https") or not address.hostname:
        raise _wrong(service, f"base_url is {options.base_url!r}: write it as http://HOST:PORT/v1")


def read_key(service: str, options: EndpointOptions) -> str:
    """The key from the environment; empty if none is configured.

    Raises:
        OptionsError: the variable is not set, or an option that Describe shows to everyone contains the key.
    """
    if not options.api_key_env:
        return ""
    is_name = _VARIABLE.fullmatch(options.api_key_env) is not None
    key = os.environ.get(options.api_key_env, "").strip() if is_name else ""
    if not key:
        # The value is not repeated: users put the key itself here by mistake.
        raise _wrong(
            service,
            "api_key_env is not the name of a variable in this service's environment: export the key under a name,"
            " such as OPENAI_API_KEY, and write that name",
        )
    for name, value in options.model_dump(mode="json").items():
        if len(key) >= _MIN_SECRET_LENGTH and key in json.dumps(value, ensure_ascii=False):
            raise _wrong(service, f"{name} holds the key, and is shown to everyone: remove the key from it")
    return key


def _wrong(service: str, text: str) -> OptionsError:
    return OptionsError(f"service {service}: option {text}")
