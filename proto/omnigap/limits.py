"""Limits of the contract, the same on both sides of a channel."""

from __future__ import annotations

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""Largest message, either way: ten minutes of 16-bit mono audio at 44.1 kHz with room to spare."""

REPLAY_SECONDS = 600.0
"""How long a server keeps a finished answer for its request id."""
