"""An answer's text as its tokens come: whole characters only, and nothing twice when a batch is tried again."""

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

_BROKEN = "\ufffd"


class DivergedError(OmnigapError):
    """A second try of an answer went another way than what had been sent of the first."""


class OwnText:
    """The text of one answer. Special tokens are not part of it."""

    def __init__(self, tokenizer: Any, write: Callable[[str], None]) -> None:
        self._tokenizer = tokenizer
        self._write = write
        self._sent = ""
        self.restart()

    def restart(self) -> None:
        """The answer begins anew; what was sent already is not sent again."""
        self.ids: list[int] = []
        self._held: list[int] = []
        self.text = ""

    def add(self, token: int) -> None:
        """Takes the next token.

        Raises:
            DivergedError: where the text so far is another one than what was sent before the restart.
        """
        self.ids.append(token)
        self._held.append(token)
        piece = self._decode()
        # A character of several bytes may end in a later token.
        if piece and not piece.endswith(_BROKEN):
            self._take(piece)

    def end(self) -> None:
        """No token follows: what was held back goes out as it is.

        Raises:
            DivergedError: as `add`; also where the text ends before what was sent.
        """
        if self._held:
            self._take(self._decode())
        if self.text != self._sent:
            raise DivergedError(f"the second try ends before {self._sent[len(self.text) :]!r}, which was sent")

    def _decode(self) -> str:
        decoded: str = self._tokenizer.decode(self._held, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return decoded

    def _take(self, piece: str) -> None:
        self._held = []
        self.text += piece
        new = self.text[len(self._sent) :]
        if not (self.text.startswith(self._sent) or self._sent.startswith(self.text)):
            raise DivergedError(f"the second try says {self.text[-40:]!r} where {self._sent[-40:]!r} was sent")
        if new:
            self._write(new)
            self._sent = self.text


# One answer in the making: its turn, its text, its speech, and the way it ends.


class Answer:
    """What the engine knows of a request; a batch that is tried again restarts it, and nothing is sent twice.

    Attributes:
        to_say: the talker's prompt, from the text's end to the answer's.
        frames: of the codec, as they came.
        over: nothing more is to be done: it was completed, it failed, or its caller is gone.
    """

    def __init__(self, turn: Turn, prompt: Prompt, decoding: Decoding, text: OwnText) -> None:
        self.turn = turn
        self.prompt = prompt
        self.decoding = decoding
        self.text = text
        self.text_ended = False
        self.to_say: TalkerPrompt | None = None
        self.frames: list[Frame] = []
        self.over = False
        self._text_whole = False
        self._speech_whole = False
        self._spoken: list[Frame] = []
        self._samples = 0

    @property
    def gone(self) -> bool:
        """Polled between tokens: the caller went away, or its deadline passed."""
        if not self.over and self.turn.cancelled:
            self.over = True
        return self.over

    def writes_no_more(self) -> bool:
        """Whether the text has ended, or nobody waits for it."""
        return self.text_ended or self.gone

    def restart_text(self) -> None:
        self.text.restart()
        self.text_ended = self._text_whole = False

    def add_token(self, token: int, ends: frozenset[int]) -> None:
        """Takes the text's next token; an answer in text alone is complete with its last one."""
        try:
            if token in ends:
                self.text_ended = self._text_whole = True
            else:
                self.text.add(token)
                self.text_ended = len(self.text.ids) >= self.decoding.max_new_tokens
            if self.text_ended:
                self.text.end()
        except DivergedError as error:
            self._diverged(error)
            return
        if self.text_ended and not self.decoding.speech:
            self.complete()

    def restart_speech(self) -> None:
        self.frames = []

    def add_frame(self, frame: Frame) -> None:
        self.frames.append(frame)

    def speak(self, talker: Talker, chunk: int, ended: bool) -> None:
        """Makes and sends what can be made of the frames that are there."""
        for end in talker.chunk_ends(len(self.frames), ended, chunk):
            if self.gone:
                return
            if end <= len(self._spoken):
                if self.frames[:end] != self._spoken[:end]:
                    self._diverged(DivergedError("the second try says other codes than those that were spoken"))
                    return
                continue
            samples = talker.wave(self.frames, len(self._spoken), end, self.decoding)
            self.turn.speak(samples, SAMPLE_RATE)
            self._samples += len(samples)
            self._spoken = self.frames[:end]

    def end_speech(self, talker: Talker, chunk: int, whole: bool) -> None:
        """No frame follows: what is left is spoken, and the answer is complete.

        Args:
            whole: the talker ended by itself, not at its maximum.
        """
        self._speech_whole = whole
        if len(self.frames) < len(self._spoken):
            self._diverged(DivergedError("the second try ends before codes that were spoken"))
        self.speak(talker, chunk, ended=True)
        if not self.gone:
            self.complete()

    def complete(self) -> None:
        """The text's tokens include the end mark where there was one."""
        capped_speech = self.decoding.speech and not self._speech_whole
        whole = self._text_whole and not capped_speech
        diagnostics = {
            "prompt_audio_tokens": float(self.prompt.audio_tokens),
            "prompt_image_tokens": float(self.prompt.image_tokens),
            "text_capped": float(not self._text_whole),
        }
        if self.decoding.speech:
            diagnostics |= {
                "speech_capped": float(capped_speech),
                "codec_frames": float(len(self.frames)),
                "codec_crc32": float(codes_crc32(self.frames)),
                "audio_samples": float(self._samples),
            }
        self.over = True
        self.turn.complete(
            Completion(
                FinishReason.STOP if whole else FinishReason.LENGTH,
                input_tokens=len(self.prompt),
                output_tokens=len(self.text.ids) + self._text_whole,
                audio_tokens=len(self.frames),
                diagnostics=diagnostics,
            )
        )

    def fail(self, error: Exception) -> None:
        self.over = True
        self.turn.fail(error)

    def _diverged(self, error: DivergedError) -> None:
        text = f"memory ran out half-way through this answer, and {error}: lower max_batch_size"
        self.fail(ContractError(Reason.OUT_OF_MEMORY, text))


def codes_crc32(frames: Sequence[Frame]) -> int:
    """CRC-32 of the codec ids as little-endian int32, frame by frame: tells over the wire whether two are equal."""
    return zlib.crc32(np.asarray(frames, dtype="<i4").tobytes())
