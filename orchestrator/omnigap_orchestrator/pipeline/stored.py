"""Looks up rows of the journal, and leaves out those that another service wrote than the one whose key they lie under.

A key contains the digest of the service that was asked. Earlier versions did not compare it with the digest in the
answer: the answers of a service that was replaced during a run, and ignored `expected_digest`, were stored under the
keys of the old one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from omnigap_orchestrator.journal import AnswerRow, TranscriptRow
from omnigap_orchestrator.pipeline.cells import PlannedCell

_DIGEST_CHARS = 12


class Misfiled:
    """The rows that were left out, each counted once."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, str, str]] = {}

    def add(self, key: str, what: str, expected: str, found: str) -> None:
        """
        Args:
            key: of the row.
            what: plural noun for the row and its service, such as `answers of omni`.
            expected, found: digests of the service that was asked, and of the one that wrote the row.
        """
        self._seen[key] = (what, expected, found)

    def messages(self) -> tuple[str, ...]:
        """One message for each service and pair of digests."""
        counts = Counter(self._seen.values())
        return tuple(
            f"{what}: {count} with {_digest(found)} instead of {_digest(expected)}"
            for (what, expected, found), count in sorted(counts.items())
        )


def _digest(digest: str) -> str:
    return f"the digest {digest[:_DIGEST_CHARS]}" if digest else "no digest"


def stored_answer(
    answers: Mapping[str, AnswerRow], planned: PlannedCell, misfiled: Misfiled | None = None
) -> AnswerRow | None:
    """The answer of a cell, if its model wrote it.

    Args:
        misfiled: gets the row if another service wrote it.
    """
    row = answers.get(planned.key) if planned.key is not None else None
    card = planned.model.card
    if row is None or card is None or row.model_digest == card.digest:
        return row
    if misfiled is not None:
        misfiled.add(row.key, f"answers of {planned.cell.model}", card.digest, row.model_digest)
    return None


def stored_transcript(
    transcripts: Mapping[str, TranscriptRow],
    key: str,
    digest: str,
    misfiled: Misfiled | None = None,
    service: str = "the ASR scorer",
) -> TranscriptRow | None:
    """The transcript under a key, if the service with this digest wrote it.

    Args:
        misfiled: gets the row if another service wrote it.
        service: what messages call the service.
    """
    row = transcripts.get(key)
    if row is None or row.asr_digest == digest:
        return row
    if misfiled is not None:
        misfiled.add(row.key, f"transcripts of {service}", digest, row.asr_digest)
    return None
