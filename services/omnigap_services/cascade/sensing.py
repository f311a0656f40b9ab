"""What a carrier comes to for a brain that cannot take it: its text, heard or read by a sense of the cascade's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from omnigap.vocabulary import Modality
from omnigap_services.adapter import InputPart, Part, Request
from omnigap_services.cascade.part_client import PartClient
from omnigap_services.cascade.part_message import completion_of
from omnigap_services.loop_thread import Gone

HEARD, READ = "heard", "read"
"""Prefixes of the senses' diagnostics."""


@dataclass(frozen=True, slots=True)
class Perceived:
    """The text of a carrier, as it was heard or read.

    Attributes:
        diagnostics: of the sense, by names that say which sense it was (`heard_avg_logprob`).
        language: that the sense told, where it did.
    """

    text: str
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    language: str = ""


class Sense(Protocol):
    """Hears or reads. `perceive` may be called from many threads."""

    @property
    def words(self) -> str:
        """What it does, as the reason of an assisted condition says it: "the ASR ... hears"."""

    @property
    def part(self) -> Part: ...

    @property
    def weights_revision(self) -> str:
        """Of its checkpoint; empty where it does not say."""

    @property
    def max_audio_seconds(self) -> float:
        """Longest clip that it takes; 0 where it sets no limit, or takes none."""

    @property
    def max_image_pixels(self) -> int:
        """Likewise for images."""

    def perceive(self, carrier: InputPart, language: str, gone: Gone) -> Perceived:
        """Raises ContractError for a carrier that cannot be heard or read, or where the sense is away."""

    def close(self) -> None: ...


class RemoteSense:
    """A service that writes down what is said in a clip or stands in an image."""

    def __init__(self, client: PartClient, role: str, verb: str, prefix: str, prompt: str = "") -> None:
        """
        Args:
            role: in the cascade's card.
            verb: what it does, for a reader's eye.
            prompt: typed after the carrier, for models that have to be told what to do with it.
        """
        self._client = client
        self._prefix = prefix
        self._prompt = prompt
        self.part = client.part(role)
        self.words = f"the {client.place.title} {client.card.name} {verb}"
        self.weights_revision: str = client.card.weights_revision
        self.max_audio_seconds: float = client.card.limits.max_audio_seconds
        self.max_image_pixels: int = client.card.limits.max_image_pixels

    def perceive(self, carrier: InputPart, language: str, gone: Gone) -> Perceived:
        parts = (carrier, self._prompt) if self._prompt else (carrier,)
        answer = self._client.ask(Request(parts, Modality.TEXT, language=language), gone)
        done = completion_of(answer)
        return Perceived(answer.own_text.strip(), prefixed(self._prefix, done.diagnostics), done.detected_language)

    def close(self) -> None:
        self._client.close()


def prefixed(prefix: str, diagnostics: Mapping[str, float]) -> dict[str, float]:
    """Diagnostics of a part under names that tell whose they are."""
    return {f"{prefix}_{name}": value for name, value in diagnostics.items()}
