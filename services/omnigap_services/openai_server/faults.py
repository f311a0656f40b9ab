"""What a fault of the server or of the way to it means in the contract's reasons, with nothing secret in its text."""

from __future__ import annotations

import json

from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.failures import OUT_OF_MEMORY

_SHOWN = 600
"""Characters of a server's error that are passed on."""

# Read in the servers' sources and seen in their issues; the first that fits is taken.
_TEXTS = (
    (Reason.OUT_OF_MEMORY, OUT_OF_MEMORY),
    (Reason.MODEL_ERROR, ("no audio was produced", "did not produce audio", "produced no audio")),
    (Reason.TOO_LARGE, ("context_length_exceeded", "maximum context length", "maximum model length")),
)

_STATUSES = {
    408: Reason.DEADLINE_EXCEEDED,
    409: Reason.UPSTREAM_UNAVAILABLE,
    413: Reason.TOO_LARGE,
    429: Reason.RATE_LIMITED,
    502: Reason.UPSTREAM_UNAVAILABLE,
    503: Reason.UPSTREAM_UNAVAILABLE,
    504: Reason.UPSTREAM_UNAVAILABLE,
    529: Reason.UPSTREAM_UNAVAILABLE,
}

_ADVICE = {
    401: "set api_key_env to the variable that holds the key",
    403: "the key may not do this: check the key behind api_key_env and the model",
    404: "check base_url and model",
    429: "lower concurrency, or wait",
}


class Faults:
    """Maps errors of the client of one server."""

    def __init__(self, base_url: str, key: str, proxy: str = "") -> None:
        """Takes the key, which no message repeats, and the proxy that the server is called through."""
        self._where = base_url
        self._proxy = f" through the proxy {proxy}" if proxy else ""
        self._key = key

    def as_ours(self, error: APIError) -> ContractError:
        """The contract's error for what the client raised after its last try."""
        if isinstance(error, APIStatusError):
            return self._of_status(error)
        if isinstance(error, APITimeoutError):
            if type(error.__cause__).__name__ in ("ConnectTimeout", "PoolTimeout"):
                return self.away("no connection in time")
            text = f"the server at {self._where} was silent for longer than timeout_s: raise it, or lower concurrency"
            return ContractError(Reason.DEADLINE_EXCEEDED, text)
        if isinstance(error, APIConnectionError):
            cause = error.__cause__
            return self.away(f"{type(cause).__name__}: {cause}" if cause else "connection lost")
        # An error event in the midst of a stream.
        said = self.clean(f"{error.message} {_shown(error.body)}")
        return ContractError(_by_text(said) or Reason.MODEL_ERROR, f"the server at {self._where} said {said}")

    def away(self, why: str) -> ContractError:
        """Nobody there, or gone in the midst of an answer."""
        text = f"the server at {self._where}{self._proxy} is away ({self.clean(why)}): start it there, or set base_url"
        return ContractError(Reason.UPSTREAM_UNAVAILABLE, text)

    def clean(self, text: str) -> str:
        """The text, cut, and without the key should the server have echoed it."""
        hidden = text.replace(self._key, "[key]") if self._key else text
        return hidden if len(hidden) <= _SHOWN else hidden[:_SHOWN] + " ..."

    def scrubbed(self, error: ContractError) -> ContractError:
        """The same error without the key."""
        return ContractError(error.reason, self.clean(error.message))

    def _of_status(self, error: APIStatusError) -> ContractError:
        status = error.status_code
        said = self.clean(_shown(error.body) or error.response.reason_phrase)
        reason = _STATUSES.get(status) or _by_text(said)
        if reason is None:
            reason = Reason.BAD_REQUEST if status < 500 else Reason.MODEL_ERROR
        advice = f": {_ADVICE[status]}" if status in _ADVICE else ""
        return ContractError(reason, f"the server at {self._where} answered {status} ({said}){advice}")


def _by_text(said: str) -> Reason | None:
    small = said.lower()
    return next((reason for reason, marks in _TEXTS if any(mark in small for mark in marks)), None)


def _shown(body: object) -> str:
    """An error body as one line: its message where it has one."""
    if isinstance(body, dict):
        inner = body.get("error", body)
        found = inner.get("message") if isinstance(inner, dict) else inner
        return str(found) if found else json.dumps(body, ensure_ascii=False, default=str)
    return "" if body is None else " ".join(str(body).split())
