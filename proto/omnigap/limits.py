"""Bounds on what a service may send, which the client enforces. docs/contract.md lists them.

They are far above any real answer or card: they only keep a broken or hostile service from filling memory and disk.
"""

from __future__ import annotations

MAX_ANSWER_AUDIO_BYTES = 600 * 48_000 * 2
"""Ten minutes at 48 kHz. As a WAV file it still fits into one request to the ASR scorer (`MAX_MESSAGE_BYTES`)."""
MAX_ANSWER_AUDIO_S = 600.0
"""The longest clip that a service accepts by default: a longer answer could not be transcribed."""
MAX_ANSWER_TEXT_CHARS = 250_000
MAX_ANSWER_REASONING_CHARS = 4_000_000
MAX_ANSWER_EVENTS = 250_000
"""A reasoning model may send one event per token, and writes 100,000 of them."""

MAX_SECONDS = 1e7
"""Largest time or duration in an answer, in seconds (116 days)."""
MAX_COUNT = 100_000_000
"""Largest number of tokens, and largest batch, in an answer."""
MAX_DIAGNOSTICS = 200
"""Number of diagnostics of one answer."""

MAX_CARD_BYTES = 1024 * 1024
MAX_CARD_ENTRIES = 5_000
"""Number of voices, languages, settings or parts of one service: each."""
MAX_CONCURRENT = 1_024
"""Calls in flight at one service. A higher `max_concurrent` in a card is lowered to this."""

MAX_NAME_CHARS = 200
"""Names of services, voices, parts, settings and diagnostics, versions, and digests; in requests too."""
MAX_LANGUAGE_CHARS = 64
MAX_TEXT_CHARS = 20_000
"""Free text in a card: the reason of a condition, the value of a setting."""

MAX_OUTDATED_CHARS = 1_000
"""Why a service should be started again; printable, since terminals show it."""

MAX_ERROR_CHARS = 1_000
"""Characters of a service's error message that the client keeps."""
