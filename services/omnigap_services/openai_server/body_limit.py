"""Bounds on the bodies of a server: one that is too long is cut off while it arrives, and the answer is TOO_LARGE."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from omnigap.errors import ContractError
from omnigap.vocabulary import Reason

MAX_BODY_BYTES = 96 * 1024 * 1024
"""After decompression. Audio of the longest answer that this service may send (64 MiB) takes 86 MiB in base64."""

_MAX_ERROR_BYTES = 1024 * 1024
# The client searches a stream for the ends of its events, and copies an unfinished one again with every packet.
_MAX_LINE_BYTES = 4 * 1024 * 1024
# Each value of JSON becomes an object of about 60 bytes. A long text or audio is one value.
_MAX_VALUES = 1_000_000

_CUT = "omnigap.cut"


async def limit_body(response: Any) -> None:
    """A response hook of the HTTP client. It cuts, since the client would repeat a request whose reading raised."""
    decoded = response.aiter_bytes
    limit = MAX_BODY_BYTES if response.status_code < 400 else _MAX_ERROR_BYTES
    is_stream = "event-stream" in response.headers.get("content-type", "")

    async def limited(chunk_size: int | None = None) -> AsyncIterator[bytes]:
        total = line = 0
        async with aclosing(decoded(chunk_size)) as chunks:
            async for chunk in chunks:
                total += len(chunk)
                newline = chunk.rfind(b"\n")
                line = line + len(chunk) if newline < 0 else len(chunk) - newline
                if total > limit or (is_stream and line > _MAX_LINE_BYTES):
                    response.extensions[_CUT] = True
                    break
                yield chunk
        if response.extensions.get(_CUT):
            # The connection is not used again: the rest of the body would have to be read first.
            await response.aclose()

    response.aiter_bytes = limited


def check_size(response: Any) -> None:
    """Checks a response whose body was read, before it is parsed.

    Raises:
        ContractError: TOO_LARGE if the body was cut off, or has more values than an answer.
    """
    if response.extensions.get(_CUT):
        limit = MAX_BODY_BYTES // 1024**2
        raise ContractError(Reason.TOO_LARGE, f"the server's answer is over the limit of {limit} MiB and was cut off")
    is_json = "json" in response.headers.get("content-type", "")
    if is_json and response.is_stream_consumed and response.content.count(b",") > _MAX_VALUES:
        text = f"the server's answer has more than {_MAX_VALUES} values: it is not an answer of a model"
        raise ContractError(Reason.TOO_LARGE, text)
