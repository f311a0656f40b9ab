"""Keys of stored work: hashes over the content that a result depends on, so that nothing stale is ever reused."""

from __future__ import annotations

import hashlib

from omnigap.digest import digest_of
from omnigap_orchestrator.config.services import DecodingConfig
from omnigap_orchestrator.plan.plan import ModelSpec


class AnswerKeys:
    """Keys of one model's answers: its digest and decoding hashed once, the rest a cell at a time."""

    def __init__(self, spec: ModelSpec, model_digest: str) -> None:
        common = {
            "model_digest": model_digest,
            "system_prompt": spec.system_prompt,
            "decoding": spec.decoding.model_dump(),
            "voice": spec.voice,
        }
        self._prefix = hashlib.sha256(digest_of(common).encode())

    def key(self, carrier_sha: str, instruction: str, language: str, output: str, replicate: int, *marks: str) -> str:
        """The answer's key; a medium enters by the hash of its bytes, never by its name.

        Args:
            marks: what sets a control cell apart from the cell that it controls; none for the latter.
        """
        hasher = self._prefix.copy()
        # Lengths before texts: no two different lists of parts can run into the same bytes.
        for part in (carrier_sha, instruction, language, output, str(replicate), *marks):
            encoded = part.encode()
            hasher.update(len(encoded).to_bytes(8, "big"))
            hasher.update(encoded)
        return hasher.hexdigest()


def scorer_key(asr_digest: str, decoding: DecodingConfig) -> str:
    """A scorer as it is asked: its digest (weights, versions, defaults) and the decoding of the configuration."""
    return digest_of([asr_digest, decoding.model_dump()])


def transcript_key(audio_sha: str, scorer: str, language: str) -> str:
    """A transcript depends on the audio, the scorer as it is asked (`scorer_key`), and the language it is told."""
    return digest_of([audio_sha, scorer, language])


def score_key(text: str, own_text: str, golds: str, answer_type: str, normaliser: str) -> str:
    """A score depends on the texts, the gold answers and choices (as one digest), the metric and the normaliser."""
    return digest_of([text, own_text, golds, answer_type, normaliser])
