"""One answer in progress: its text, its speech, and how it ends."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from omnigap.errors import ContractError, OmnigapError
from omnigap.vocabulary import FinishReason, Reason
from omnigap_services.adapter import Completion, Turn
from omnigap_services.qwen_omni.family import SAMPLE_RATE
from omnigap_services.qwen_omni.options import Decoding
from omnigap_services.qwen_omni.prompting import Prompt
from omnigap_services.qwen_omni.talker import Frame, Talker, TalkerPrompt

# Tokenizers decode an incomplete UTF-8 sequence to this character.
_INCOMPLETE = "\ufffd"


class DivergedError(OmnigapError):
    """A retry after out-of-memory contradicts what was already sent."""


class OwnText:
    """The text of one answer, streamed in whole characters and without special tokens.

    Attributes:
        ids: the text's tokens.
        text: decoded so far.
    """

    def __init__(self, tokenizer: Any, write: Callable[[str], None]) -> None:
        self._tokenizer = tokenizer
        self._write = write
        self._sent = ""
        self.restart()

    def restart(self) -> None:
        """Starts the text again; what was sent already is not sent twice."""
        self.ids: list[int] = []
        self._held: list[int] = []
        self.text = ""

    def add(self, token: int) -> None:
        """Takes the next token.

        Raises:
            DivergedError: the text contradicts what was sent before the restart.
        """
        self.ids.append(token)
        self._held.append(token)
        piece = self._decode()
        # A character of several bytes may be spread over several tokens.
        if piece and not piece.endswith(_INCOMPLETE):
            self._append(piece)

    def finish(self) -> None:
        """Sends what was held back, as it is.

        Raises:
            DivergedError: as `add`, or the text ends before what was sent.
        """
        if self._held:
            self._append(self._decode())
        if self.text != self._sent:
            raise DivergedError(f"the retry ends before {self._sent[len(self.text) :]!r}, which was sent")

    def _decode(self) -> str:
        decoded: str = self._tokenizer.decode(self._held, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return decoded

    def _append(self, piece: str) -> None:
        self._held = []
        self.text += piece
        new = self.text[len(self._sent) :]
        if not (self.text.startswith(self._sent) or self._sent.startswith(self.text)):
            raise DivergedError(f"the retry has {self.text[-40:]!r} where {self._sent[-40:]!r} was sent")
        if new:
            self._write(new)
            self._sent = self.text


class Answer:
    """The state of one request in the engine. A batch that is retried restarts it, and nothing is sent twice.

    Attributes:
        text_ended: no text token follows.
        talker_prompt: from the end of the text to the end of the answer.
        frames: of the codec, in order.
        done: it was completed, it failed, or its caller is gone.
    """

    def __init__(self, turn: Turn, prompt: Prompt, decoding: Decoding, text: OwnText) -> None:
        self.turn = turn
        self.prompt = prompt
        self.decoding = decoding
        self.text = text
        self.text_ended = False
        self.talker_prompt: TalkerPrompt | None = None
        self.frames: list[Frame] = []
        self.done = False
        # Ended with an end mark, not at the maximum length.
        self._text_complete = False
        self._speech_complete = False
        self._spoken: list[Frame] = []
        self._samples = 0

    @property
    def stopped(self) -> bool:
        """Polled between tokens: True once it is done or its caller is gone (cancelled, or past its deadline)."""
        if not self.done and self.turn.cancelled:
            self.done = True
        return self.done

    def text_stopped(self) -> bool:
        """True if the thinker has nothing left to generate for it."""
        return self.text_ended or self.stopped

    def restart_text(self) -> None:
        self.text.restart()
        self.text_ended = self._text_complete = False

    def add_token(self, token: int, ends: frozenset[int]) -> None:
        """Takes the text's next token; the last one completes an answer without speech."""
        try:
            if token in ends:
                self.text_ended = self._text_complete = True
            else:
                self.text.add(token)
                self.text_ended = len(self.text.ids) >= self.decoding.max_new_tokens
            if self.text_ended:
                self.text.finish()
        except DivergedError as error:
            self._fail_diverged(error)
            return
        if self.text_ended and not self.decoding.speech:
            self.complete()

    def restart_speech(self) -> None:
        self.frames = []

    def add_frame(self, frame: Frame) -> None:
        self.frames.append(frame)

    def speak(self, talker: Talker, chunk: int, ended: bool) -> None:
        """Decodes and sends the audio that the frames so far allow."""
        for end in talker.chunk_ends(len(self.frames), ended, chunk):
            if self.stopped:
                return
            if end <= len(self._spoken):
                # Sent by an earlier attempt: it only has to be the same.
                if self.frames[:end] != self._spoken[:end]:
                    self._fail_diverged(DivergedError("the retry has other codes than those that were sent"))
                    return
                continue
            samples = talker.wave(self.frames, len(self._spoken), end, self.decoding)
            self.turn.speak(samples, SAMPLE_RATE)
            self._samples += len(samples)
            self._spoken = self.frames[:end]

    def end_speech(self, talker: Talker, chunk: int, complete: bool) -> None:
        """No frame follows: sends the rest of the audio and completes the answer.

        Args:
            complete: the talker ended with an end mark, not at its maximum length.
        """
        self._speech_complete = complete
        if len(self.frames) < len(self._spoken):
            self._fail_diverged(DivergedError("the retry ends before codes that were sent"))
        self.speak(talker, chunk, ended=True)
        if not self.stopped:
            self.complete()

    def complete(self) -> None:
        speech_capped = self.decoding.speech and not self._speech_complete
        complete = self._text_complete and not speech_capped
        if self.decoding.speech and not self._samples:
            # The model had nothing to speak: that is its answer, and it is empty audio.
            self.turn.speak(np.zeros(0, np.float32), SAMPLE_RATE)
        diagnostics = {
            "prompt_audio_tokens": float(self.prompt.audio_tokens),
            "prompt_image_tokens": float(self.prompt.image_tokens),
            "text_capped": float(not self._text_complete),
        }
        if self.decoding.speech:
            diagnostics |= {
                "speech_capped": float(speech_capped),
                "codec_frames": float(len(self.frames)),
                "codec_crc32": float(codes_crc32(self.frames)),
                "audio_samples": float(self._samples),
            }
        self.done = True
        self.turn.complete(
            Completion(
                FinishReason.STOP if complete else FinishReason.LENGTH,
                input_tokens=len(self.prompt),
                # The end mark counts as a token.
                output_tokens=len(self.text.ids) + self._text_complete,
                audio_tokens=len(self.frames),
                diagnostics=diagnostics,
            )
        )

    def fail(self, error: Exception) -> None:
        self.done = True
        self.turn.fail(error)

    def _fail_diverged(self, error: DivergedError) -> None:
        # In half precision the smaller batch of the retry can choose another token.
        text = f"memory ran out during this answer, and {error}: lower max_batch_size"
        self.fail(ContractError(Reason.OUT_OF_MEMORY, text))


def codes_crc32(frames: Sequence[Frame]) -> int:
    """CRC-32 of the codec ids as little-endian int32, frame by frame, to compare two answers' codes by a diagnostic."""
    return zlib.crc32(np.asarray(frames, dtype="<i4").tobytes())
