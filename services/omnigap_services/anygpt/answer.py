"""One answer in progress: the rows that generate it, its text and its speech codes, and how it ends."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from omnigap.errors import ContractError
from omnigap.media.audio import Samples
from omnigap.vocabulary import FinishReason, Modality, Reason
from omnigap_services.adapter import Completion, Turn
from omnigap_services.anygpt.options import Decoding
from omnigap_services.anygpt.prompt import Prompt
from omnigap_services.anygpt.vocabulary import REPLY, TRANSCRIPT, Vocabulary

# Marks of the authors' conversation form that are no tokens, so a model writes them as text.
_TEXT_ENDS = ("<eom>", "<eot>")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model wrote.

    Attributes:
        answer: without the marks.
        transcript: of a spoken question, which the model writes first.
        ended: the text contains a mark that ends it.
    """

    answer: str
    transcript: str = ""
    ended: bool = False

    @classmethod
    def of(cls, text: str) -> Reply:
        """Splits the model's form, `<-Ins-> transcript <-Res-> answer`, or the answer alone."""
        before, _, after = text.rpartition(REPLY)
        # A transcript without a reply behind it was cut off, so it is not part of the answer.
        after, _, cut_off = after.partition(TRANSCRIPT)
        transcript = before.rpartition(TRANSCRIPT)[2] if TRANSCRIPT in before else cut_off
        place = min((found for end in _TEXT_ENDS if (found := after.find(end)) >= 0), default=-1)
        return cls(after[:place].strip() if place >= 0 else after.strip(), transcript.strip(), place >= 0)


@dataclass(slots=True)
class Row:
    """One generation of an answer. A batch that is retried starts new rows.

    Attributes:
        ids: of the prompt.
        room: tokens that the context has left.
        speaks: speech may follow the text; otherwise the text ends where speech would begin.
        in_speech: the next token is one of speech.
        text, codes: so far.
        text_complete, speech_complete: ended with an end mark, not at a limit.
    """

    answer: Answer
    ids: Sequence[int]
    room: int
    speaks: bool
    in_speech: bool = False
    text: list[int] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    text_complete: bool = False
    speech_complete: bool = False
    ended: bool = False
    _tokens: int = 0

    @property
    def limit(self) -> int:
        """Tokens that it may generate at most, before it has begun."""
        decoding = self.answer.decoding
        text = 0 if self.in_speech else decoding.max_new_tokens
        return min(self.room, text + (decoding.max_speech_tokens if self.speaks else 0))

    def stopped(self) -> bool:
        """True if nothing is left to generate: it has ended, or its caller is gone."""
        return self.ended or self.answer.stopped

    def add(self, token: int, vocabulary: Vocabulary) -> None:
        """Takes the next token."""
        self._tokens += 1
        speech, decoding = vocabulary.speech, self.answer.decoding
        if self.in_speech:
            assert speech is not None, "only a checkpoint with speech tokens gets here"
            self.speech_complete = token == speech.end
            if not self.speech_complete:
                self.codes += speech.codes([token])
            self.ended = self.speech_complete or len(self.codes) >= decoding.max_speech_tokens
        elif token in vocabulary.ends or (speech and token == speech.start):
            self.text_complete = True
            self.in_speech = self.speaks and token not in vocabulary.ends
            self.ended = not self.in_speech
        else:
            self.text.append(token)
            self.ended = len(self.text) >= decoding.max_new_tokens
        self.ended = self.ended or self._tokens >= self.room


class Answer:
    """The state of one request in the engine. Nothing is sent twice if a batch is retried.

    Attributes:
        reply: the text; None until its generation has ended.
        codes: the speech; None until its generation has ended.
        done: it was completed, it failed, or its caller is gone.
    """

    def __init__(self, turn: Turn, prompt: Prompt, decoding: Decoding) -> None:
        self.turn = turn
        self.prompt = prompt
        self.decoding = decoding
        self.reply: Reply | None = None
        self.codes: list[int] | None = None
        self.done = False
        self._text_tokens = 0
        self._text_complete = False
        self._speech_started = False
        self._speech_complete = False

    @property
    def speech(self) -> bool:
        """True if audio is requested."""
        return self.turn.request.output is Modality.SPEECH

    @property
    def native(self) -> bool:
        """True if text and speech come from one generation: the answer to a spoken question."""
        return self.turn.request.condition.input is Modality.SPEECH

    @property
    def stopped(self) -> bool:
        """Polled between tokens: True once it is done or its caller is gone (cancelled, or past its deadline)."""
        if not self.done and self.turn.cancelled:
            self.done = True
        return self.done

    def take_text(self, row: Row, text: str) -> None:
        """Takes a row that has ended: sends its text, keeps its speech, and completes an answer without speech.

        Args:
            text: of the row's text tokens.
        """
        self.reply = Reply.of(text)
        self._text_tokens = len(row.text) + row.text_complete
        self._text_complete = row.text_complete or self.reply.ended
        if self.reply.transcript:
            self.turn.reason(self.reply.transcript)
        if self.reply.answer:
            self.turn.write(self.reply.answer)
        if not self.speech:
            self._complete(0)
        elif self.native:
            self._take_codes(row)
        elif not self.reply.answer:
            # There is nothing to read aloud.
            self.codes = []

    def take_speech(self, row: Row) -> None:
        """Takes a row that has ended and read the answer aloud."""
        self._take_codes(row)

    def has_no_room(self) -> None:
        """The context is full before the answer could be read aloud: it ends without sound."""
        self.codes, self._speech_started = [], True

    def speak(self, samples: Samples, sample_rate: int) -> None:
        """Sends the audio, and completes the answer.

        Args:
            samples: float32, shape (n,); empty if the model said nothing, which is its answer.
        """
        self.turn.speak(samples, sample_rate)
        self._complete(len(samples))

    def fail(self, error: Exception) -> None:
        self.done = True
        self.turn.fail(error)

    def _take_codes(self, row: Row) -> None:
        self.codes = row.codes
        self._speech_started, self._speech_complete = row.in_speech, row.speech_complete

    def _complete(self, samples: int) -> None:
        codes = self.codes or []
        speech_capped = self._speech_started and not self._speech_complete
        diagnostics = {
            "prompt_audio_tokens": float(self.prompt.speech_tokens),
            "prompt_image_tokens": float(self.prompt.image_tokens),
            "text_capped": float(not self._text_complete),
        }
        if self.speech:
            diagnostics |= {
                "speech_capped": float(speech_capped),
                # A model that ends its reply without a speech token was asked for speech and wrote only.
                "speech_missing": float(not self._speech_started),
                "codec_frames": float(len(codes)),
                "codec_crc32": float(zlib.crc32(np.asarray(codes, dtype="<i4").tobytes())),
                "audio_samples": float(samples),
            }
        self.done = True
        self.turn.complete(
            Completion(
                FinishReason.STOP if self._text_complete and not speech_capped else FinishReason.LENGTH,
                input_tokens=len(self.prompt.ids),
                # The end mark counts as a token.
                output_tokens=self._text_tokens,
                audio_tokens=len(codes),
                diagnostics=diagnostics,
            )
        )


def check_room(prompt: Prompt, context: int) -> None:
    """Raises ContractError (TOO_LARGE) for a prompt that leaves no room for an answer in the model's context."""
    if len(prompt.ids) >= context:
        media = prompt.speech_tokens or prompt.image_tokens
        text = (
            f"the question has {len(prompt.ids)} tokens, {media} of its clip or picture, and the model's context holds"
        )
        raise ContractError(Reason.TOO_LARGE, f"{text} {context}: shorten it")
