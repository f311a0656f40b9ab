"""A text file as UTF-8, or an error that names the line and the byte which is none."""

from __future__ import annotations

from omnigap.errors import OmnigapError


class NotUtf8Error(OmnigapError, ValueError):
    """The message names the line (from 1), the byte in that line (from 1) and its value."""


def decode_utf8(data: bytes) -> str:
    """The text, without a leading byte-order mark.

    Raises:
        NotUtf8Error: for bytes that are not UTF-8.
    """
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise NotUtf8Error(
            f"line {line}: byte {column} of the line is 0x{data[error.start]:02x}, which is not UTF-8: "
            "save the file as UTF-8"
        ) from error
