"""Limits of the transport, the same on both sides of a channel."""

from __future__ import annotations

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Largest message, either way: ten minutes of 16-bit mono audio at 44.1 kHz with room to spare."""

REPLAY_SECONDS = 600.0
"""How long a server keeps a finished answer for its request id."""

_PING_MS = 30_000

_BOTH_SIDES: tuple[tuple[str, int | str], ...] = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # A long answer may stay silent for minutes: pings keep the connection known to be alive.
    ("grpc.keepalive_time_ms", _PING_MS),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
)

CHANNEL_OPTIONS = _BOTH_SIDES
"""For the side that calls."""

SERVER_OPTIONS: tuple[tuple[str, int | str], ...] = (
    *_BOTH_SIDES,
    # Two servers on one port would silently share its calls.
    ("grpc.so_reuseport", 0),
    # More pings than one in this time count as abuse and end the connection: leave room for patient clients.
    ("grpc.http2.min_ping_interval_without_data_ms", _PING_MS // 3),
    ("grpc.keepalive_permit_without_calls", 1),
)
"""For the side that answers."""
