"""The TTS stage: removes Markdown from an answer, has a service speak it, and passes the audio on at one rate."""

from __future__ import annotations

import re
from collections.abc import Sequence

from omnigap.errors import ContractError
from omnigap.media import AudioClip, pcm16_to_float, resample
from omnigap.vocabulary import Modality, Reason
from omnigap_services.adapter import Completion, Request, Turn, Voice
from omnigap_services.cascade.client import PartClient
from omnigap_services.cascade.messages import completion_of


class AudioOut:
    """Passes the audio of a part on to one turn, at one sample rate in Hz."""

    def __init__(self, turn: Turn, sample_rate: int) -> None:
        self._turn = turn
        self._sample_rate = sample_rate
        self._pending: list[bytes] = []
        self._pending_rate = 0

    def play(self, data: bytes, sample_rate: int) -> None:
        """Sends a chunk of 16-bit mono audio at once if its rate is the turn's, else keeps it until `flush`."""
        if sample_rate == self._sample_rate:
            # The bytes are passed on unchanged: decoding and encoding again would cost time and could change samples.
            self._turn.speak_pcm16(data, sample_rate)
        else:
            # Chunks that are resampled separately click at their edges, so the whole utterance is resampled at once.
            self._pending.append(data)
            self._pending_rate = sample_rate

    def flush(self) -> None:
        """Resamples and sends what `play` kept."""
        if self._pending and not any(self._pending):
            self.play_nothing()
        elif self._pending:
            clip = resample(AudioClip(pcm16_to_float(b"".join(self._pending)), self._pending_rate), self._sample_rate)
            self._turn.speak(clip.samples, clip.sample_rate)
        self._pending = []

    def play_nothing(self) -> None:
        """Sends empty audio: there was nothing to speak, which is an answer without sound."""
        self.play(b"", self._sample_rate)


class TtsStage:
    """A TTS service. `speak` may be called from many threads."""

    def __init__(self, client: PartClient, plain_speech: bool) -> None:
        """
        Args:
            plain_speech: remove Markdown from texts before they are spoken.

        Raises:
            ContractError: BAD_REQUEST if the service declares no sample rate.
        """
        if not client.card.output_sample_rate_hz:
            text = f"the {client.place} declares output_sample_rate_hz = 0 and never speaks: set tts to another service"
            raise ContractError(Reason.BAD_REQUEST, text)
        self._client = client
        self._plain_speech = plain_speech
        self.part = client.part("tts")
        self.description = f"TTS by {client.card.name}"
        self.sample_rate = int(client.card.output_sample_rate_hz)
        self.voices = tuple(Voice(voice.name, voice.language) for voice in client.card.voices)

    def speak(self, turn: Turn, text: str, out: AudioOut, language: str = "") -> Completion:
        """Speaks a text into a turn; returns how that ended, with the service's diagnostics.

        A text without letters or digits, such as "...", gives empty audio, which is an answer and not a failure.

        Raises:
            ContractError: the TTS service's own error, or why it is not available.
        """
        text = plain_text(text) if self._plain_speech else text
        if not text.strip():
            out.play_nothing()
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
            # espeak refuses a text in which there is nothing to say; other services answer with silence.
            if error.reason is Reason.BAD_REQUEST and not any(character.isalnum() for character in text):
                out.play_nothing()
                return Completion()
            raise
        out.flush()
        return completion_of(answer, "tts")

    def close(self) -> None:
        self._client.close()


def known_voice(name: str | None, voices: Sequence[Voice]) -> str | None:
    """The requested voice if this part has it, else None.

    The language model and the TTS service may both speak, each with its own voices: the one that does not know the
    name must not refuse the request, and uses its default. A part that lists no voices may still know the name.
    """
    if not voices or name in {voice.name for voice in voices}:
        return name
    return None


# What is inside a pair of marks stays. The limit of 400 characters bounds the search for the closing mark, which starts
# at every opening one. A mark between letters or digits, or next to a space, is not markup ("2 * 3", "a_b").
_INSIDE = r"(?=\S)(.{1,400}?)(?<=\S)"
_PAIRS = (
    re.compile(rf"(?<![\w*])(\*{{1,3}}|_{{1,3}}){_INSIDE}\1(?![\w*])"),
    re.compile(rf"(~~){_INSIDE}~~"),
    re.compile(r"(`{1,3})(?!`)(.{1,400}?)(?<!`)\1(?!`)"),
)
_FENCE = re.compile(r"^[ \t]*(```|~~~).*$\n?", re.M)
_LINK = re.compile(r"!?\[([^\]\[]*)\]\((?:[^()\s]|\([^()]*\))*(?:\s+\"[^\"]*\")?\)")
_LINE_START = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-*+][ \t]+(?:\[[ xX]\][ \t]+)?)", re.M)
_RULE = re.compile(r"^[ \t]*(?:-{3,}|\*{3,}|_{3,})[ \t]*$\n?", re.M)
_TABLE_RULE = re.compile(r"^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)+\|?[ \t]*$\n?", re.M)
_TABLE_ROW = re.compile(r"^[ \t]*\|(.+)\|[ \t]*$", re.M)
# Emoji, dingbats and stars with their modifiers, but not musical sharps and flats (U+266D to U+266F): they are read.
_EMOJI = "[\U0001f000-\U0001faff\u2600-\u266c\u2670-\u27bf\u2b00-\u2bff\ufe0f\u200d]+"
_EMOJIS = re.compile(rf"^[ \t]*{_EMOJI}[ \t]*|[ \t]*{_EMOJI}", re.M)


def plain_text(text: str) -> str:
    """The text without Markdown and emoji; a text without either is returned unchanged.

    TTS reads Markdown marks aloud ("asterisk"), and a model that knows only letters refuses a text with emoji.
    """
    # Rules and fences before line starts: "---" would otherwise look like a list item.
    for pattern in (_EMOJIS, _FENCE, _RULE, _TABLE_RULE):
        text = pattern.sub("", text)
    text = _LINE_START.sub("", _LINK.sub(r"\1", text))
    text = _TABLE_ROW.sub(lambda row: ", ".join(cell.strip() for cell in row[1].split("|") if cell.strip()), text)
    for pattern in _PAIRS:
        text = _unwrapped(pattern, text)
    return text


def _unwrapped(pattern: re.Pattern[str], text: str) -> str:
    """The text without pairs of marks; repeated until nothing changes, since pairs may be nested."""
    while True:
        found = pattern.sub(r"\2", text)
        if found == text:
            return text
        text = found
