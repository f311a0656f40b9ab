"""Errors that a server reports inside of a body with status 200: in the body, in a choice, or as its finish reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason
from omnigap_services.failures import OUT_OF_MEMORY
from omnigap_services.openai_server.account_errors import account_reason

STATUS_REASONS = {
    408: Reason.DEADLINE_EXCEEDED,
    409: Reason.UPSTREAM_UNAVAILABLE,
    413: Reason.TOO_LARGE,
    502: Reason.UPSTREAM_UNAVAILABLE,
    503: Reason.UPSTREAM_UNAVAILABLE,
    504: Reason.UPSTREAM_UNAVAILABLE,
    529: Reason.UPSTREAM_UNAVAILABLE,
}
"""Reasons by HTTP status; the words decide for the others (`account_errors`, `reason_of_message`)."""

# Read in the servers' sources and issues; the first match counts.
_MESSAGES = (
    (Reason.OUT_OF_MEMORY, OUT_OF_MEMORY),
    (Reason.MODEL_ERROR, ("no audio was produced", "did not produce audio", "produced no audio")),
    (Reason.TOO_LARGE, ("context_length_exceeded", "maximum context length", "maximum model length")),
    (Reason.TOO_LARGE, ("available context size",)),
    # llama-server, for a model without a projector.
    (Reason.UNSUPPORTED_CONDITION, ("input is not supported", "does not support image", "does not support audio")),
)
# Words of `type` and `code` where servers send names instead of a status.
_NAMES = (
    (Reason.RATE_LIMITED, ("rate_limit", "ratelimit", "too_many_requests", "resource_exhausted")),
    (Reason.UPSTREAM_UNAVAILABLE, ("overloaded", "unavailable", "bad_gateway", "gateway_timeout", "upstream")),
    (Reason.DEADLINE_EXCEEDED, ("timeout", "timed_out", "deadline")),
)
# A generation that did not end by itself: vLLM, SGLang and gateways report it in a body with status 200.
_FAILED = frozenset({"error", "abort", "aborted", "cancelled", "canceled", "failed"})

_MAX_DETAIL_CHARS = 400


def check_body(found: Mapping[str, Any]) -> None:
    """Raises ContractError for an error in a body, under `error` or, in older vLLM, as the body itself."""
    error = found.get("error") or (found if found.get("object") == "error" else None)
    if error:
        raise ContractError(reason_of(error), f"the server reports, with status 200: {_detail(error)}")


def check_choice(error: object, finish_reason: object) -> None:
    """Raises ContractError for a choice that has an error, or whose generation was ended by one.

    Args:
        error: what the choice or its message has under `error`; falsy for none.
    """
    failed = str(finish_reason).lower() in _FAILED
    if error:
        raise ContractError(reason_of(error), f"the server reports in its answer, with status 200: {_detail(error)}")
    if failed:
        text = f"the server ended its answer with finish_reason {finish_reason!r}: its log says why"
        raise ContractError(Reason.MODEL_ERROR, text)


def tool_calls_error(finish_reason: object) -> ContractError:
    """The error of an answer that has tool calls instead of text."""
    text = (
        f"the server answered with tool calls instead of text (finish_reason {finish_reason!r}): start it without"
        ' tools, or set extra_body = { tool_choice = "none" }'
    )
    return ContractError(Reason.MODEL_ERROR, text)


def reason_of(error: object) -> Reason:
    """The contract's reason for an error object of a server: by its status, else its names, else its message."""
    table = error if isinstance(error, Mapping) else {}
    for field in ("code", "status", "status_code", "http_status"):
        if (status := _status(table.get(field))) is not None:
            return reason_of_status(status, _detail(error), error)
    names = " ".join(str(table.get(field) or "") for field in ("type", "code", "status")).lower()
    if (account := account_reason(None, "", error)) is not None:
        return account
    by_name = next((reason for reason, words in _NAMES if any(word in names for word in words)), None)
    return reason_of_message(_detail(error)) or by_name or Reason.MODEL_ERROR


def reason_of_status(status: int, message: str, body: object = None, *, retry_after: bool = False) -> Reason:
    """The contract's reason for an HTTP status and what came with it.

    A 400 or 500 says little: the message decides. Unknown 4xx are the request's fault, 5xx the model's.

    Args:
        body: the whole body, for names and phrases about the account.
        retry_after: the server said when to try again.
    """
    found = account_reason(status, message, body, retry_after=retry_after) or STATUS_REASONS.get(status)
    return found or reason_of_message(message) or (Reason.BAD_REQUEST if status < 500 else Reason.MODEL_ERROR)


def reason_of_message(message: str) -> Reason | None:
    """The reason that a known message means; None for an unknown one."""
    lower = message.lower()
    return next((reason for reason, texts in _MESSAGES if any(text in lower for text in texts)), None)


def message_of(body: object) -> str:
    """The message in an error body as one line; the whole body if it has no message."""
    if isinstance(body, Mapping):
        inner = body.get("error") or body
        found = inner.get("message") if isinstance(inner, Mapping) else inner
        return str(found) if found else json.dumps(body, ensure_ascii=False, default=str)
    return "" if body is None else " ".join(str(body).split())


def _detail(error: object) -> str:
    """The message of an error object and its code, shortened."""
    code = error.get("code") if isinstance(error, Mapping) else None
    text = message_of(error) + (f" (code {code})" if code not in (None, "") else "")
    return text if len(text) <= _MAX_DETAIL_CHARS else text[:_MAX_DETAIL_CHARS] + " ..."


def _status(value: object) -> int | None:
    """An HTTP status of an error; None for other numbers and names."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    # bool is a subclass of int.
    return value if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600 else None
