"""Speaking: a TTS service says what the brain wrote. The voice lives in its own process, never in the cascade's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from omnigap.errors import ContractError
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import Completion, Request, Turn, Voice
from omnigap_services.cascade.loudspeaker import Loudspeaker
from omnigap_services.cascade.part_client import PartClient
from omnigap_services.cascade.part_fault import MUTE
from omnigap_services.cascade.part_message import completion_of
from omnigap_services.cascade.plain import plain
from omnigap_services.cascade.sensing import prefixed

VOICED = "voice"
"""Prefix of the voice's diagnostics."""


class Mouth:
    """A TTS service. `say` may be called from many threads."""

    def __init__(self, client: PartClient, plainly: bool) -> None:
        """
        Args:
            plainly: texts are said without the marks of Markdown.

        Raises:
            ContractError: where the service does not say at which rate it speaks.
        """
        if not client.card.output_sample_rate_hz:
            raise ContractError(Reason.BAD_REQUEST, MUTE.format(place=client.place))
        self._client = client
        self._plainly = plainly
        self.part = client.part("tts")
        self.words = f"the TTS service {client.card.name} speaks"
        self.sample_rate = int(client.card.output_sample_rate_hz)
        self.voices = tuple(Voice(voice.name, voice.language) for voice in client.card.voices)

    def say(self, turn: Turn, text: str, out: Loudspeaker, language: str = "") -> Completion:
        """Speaks a text into a turn; gives how that ended, with the voice's diagnostics.

        A text in which there is nothing to say, such as "...", stays silent: that is the answer, and no fault.

        Raises:
            ContractError: the TTS service's own error, or why it cannot be had.
        """
        text = plain(text) if self._plainly else text
        if not text.strip():
            return Completion()
        asked = turn.request
        request = Request(
            parts=(text,),
            output=Modality.SPEECH,
            voice=known_voice(asked.voice, self.voices),
            words_per_minute=asked.words_per_minute,
            language=language,
        )
        try:
            answer = self._client.ask(request, lambda: turn.cancelled, on_audio=out.play)
        except ContractError as error:
            if error.reason is Reason.BAD_REQUEST and not any(character.isalnum() for character in text):
                return Completion()
            raise
        out.end()
        done = completion_of(answer)
        return replace(done, diagnostics=prefixed(VOICED, done.diagnostics))

    def close(self) -> None:
        self._client.close()


def known_voice(name: str | None, voices: Sequence[Voice]) -> str | None:
    """A voice by name for the part that knows it; another part of the cascade speaks with its own default."""
    if not voices or name in {voice.name for voice in voices}:
        return name
    return None
