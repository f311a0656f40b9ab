"""The `cascade` service: hears, reads or takes a typed question, answers it from its facts, and writes or speaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.vocabulary import CONDITIONS, Architecture, Condition, Modality, Reason, Support
from omnigap_services.adapter import NATIVE, Adapter, Capability, Card, Completion, Part, Turn, Voice
from omnigap_services.asr.checkpoint import file_hash
from omnigap_services.asr.engine import check_clip
from omnigap_services.cascade import counting
from omnigap_services.cascade.answering import Head, Reply
from omnigap_services.cascade.hearing import Ear
from omnigap_services.cascade.knowledge import read_facts
from omnigap_services.cascade.options import CascadeOptions
from omnigap_services.cascade.reading import Reader
from omnigap_services.cascade.retrieval import Retriever
from omnigap_services.cascade.speaking import Mouth
from omnigap_services.options import read_options

NO_TTS = "no TTS service configured: set tts = host:port"


@dataclass(frozen=True, slots=True)
class Perceived:
    """What a carrier came to: the text of its question, or a count where counting was asked for."""

    text: str
    count: int | None = None
    diagnostics: Mapping[str, float] = field(default_factory=dict)


class CascadeAdapter(Adapter):
    """A text-only head between an ASR, an OCR and a TTS. It gets nothing but what the request sends."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_options(CascadeOptions, "cascade", options)
        self._mouth: Mouth | None = None

    def load(self) -> Card:
        options = self._options
        # The cheap ones first: a wrong path or address shows at once.
        facts = read_facts(options.knowledge)
        if options.tts:
            self._mouth = Mouth(options.tts, options.tts_wait_s)
        self._head = Head(Retriever(facts), options.min_match)
        self._ear = Ear(options.hearing())
        self._reader = Reader(options.image_side, options.ocr_threads)
        self._speakers = ThreadPoolExecutor(options.max_batch_size, thread_name_prefix="cascade-tts")
        return self._card()

    def _card(self) -> Card:
        parts = [
            Part("asr", f"faster-whisper/{self._ear.name}", self._ear.digest),
            Part("ocr", "rapidocr", self._reader.digest),
        ]
        tts = self._mouth.card if self._mouth else None
        if tts is not None:
            parts.append(Part("tts", tts.name, tts.digest))
        return Card(
            name="cascade",
            conditions={condition: self._capability(condition) for condition in CONDITIONS},
            architecture=Architecture.CASCADE,
            weights_revision=file_hash(self._options.knowledge),
            settings={
                "min_match": str(self._options.min_match),
                "image_side": str(self._options.image_side),
                "decoding": "deterministic",
                # Which ears it has: the report tells when they are the scorer's own.
                "asr.weights_revision": self._ear.weights_revision,
            },
            libraries=("rapidfuzz", "jellyfish", "scipy"),
            parts=tuple(parts),
            voices=tuple(Voice(voice.name, voice.language) for voice in tts.voices) if tts else (),
            languages=("en",),
            max_batch_size=self._options.max_batch_size,
            max_concurrent=2 * self._options.max_batch_size,
            output_sample_rate_hz=tts.output_sample_rate_hz if tts else 0,
        )

    def _capability(self, condition: Condition) -> Capability:
        if condition.output is Modality.SPEECH and not self._mouth:
            return Capability(Support.UNSUPPORTED, NO_TTS)
        helpers = []
        if condition.input is Modality.SPEECH:
            helpers.append(f"the ASR faster-whisper ({self._ear.name}) hears")
        if condition.input is Modality.IMAGE:
            helpers.append("the OCR RapidOCR reads")
        if condition.output is Modality.SPEECH and self._mouth:
            helpers.append(f"the TTS service {self._mouth.card.name} speaks")
        return Capability(Support.ASSISTED, ", ".join(helpers)) if helpers else NATIVE

    def generate(self, batch: Sequence[Turn]) -> None:
        """Hears the batch's clips together, then reads, answers and writes turn by turn; voices speak meanwhile."""
        heard = self._hear(batch)
        speaking = []
        for turn in batch:
            if turn.cancelled:
                continue
            try:
                seen = heard.get(id(turn)) or self._perceive(turn)
            except ContractError as error:
                turn.fail(error)
                continue
            if seen.count is None:
                turn.reason(f"question: {seen.text}")
                reply = self._head.answer(seen.text)
            else:
                reply = Reply(str(seen.count), 1.0)
            completion = Completion(diagnostics={**seen.diagnostics, "match_score": reply.score})
            if turn.request.output is Modality.SPEECH:
                speaking.append(self._speakers.submit(self._speak, turn, reply, completion))
            else:
                turn.write(reply.text)
                turn.complete(completion)
        for future in speaking:
            future.result()

    def _hear(self, batch: Sequence[Turn]) -> dict[int, Perceived]:
        """Transcripts of the batch's spoken questions, by the turn's id; faulty turns are left to `_perceive`."""
        turns: list[Turn] = []
        clips: list[AudioClip] = []
        for turn in batch:
            carrier = turn.request.carrier
            if isinstance(carrier, AudioClip) and not turn.cancelled and not _fault(turn) and not _asks_to_count(turn):
                turns.append(turn)
                clips.append(carrier)
        return {
            id(turn): Perceived(
                heard.text,
                diagnostics={"heard_avg_logprob": heard.avg_logprob, "heard_no_speech_prob": heard.no_speech_prob},
            )
            for turn, heard in zip(turns, self._ear.hear(clips), strict=True)
        }

    def _perceive(self, turn: Turn) -> Perceived:
        """What a carrier other than a spoken question says.

        Raises:
            ContractError: for a request that cannot be answered.
        """
        if fault := _fault(turn):
            raise fault
        carrier = turn.request.carrier
        if isinstance(carrier, str):
            return Perceived(carrier, counting.count_marks(carrier) if _asks_to_count(turn) else None)
        if isinstance(carrier, AudioClip):
            return Perceived("", counting.count_beeps(carrier))
        if _asks_to_count(turn):
            return Perceived("", counting.count_dots(carrier))
        return Perceived(self._reader.read(carrier))

    def _speak(self, turn: Turn, reply: Reply, completion: Completion) -> None:
        """Own text and its audio; a fault of the TTS ends this turn alone."""
        request = turn.request
        if self._mouth is None:
            turn.fail(ContractError(Reason.UNSUPPORTED_CONDITION, NO_TTS))
            return
        try:
            turn.write(reply.voiced)
            voicing = self._mouth.say(reply.voiced, request.voice, request.words_per_minute)
            turn.speak(voicing.samples, voicing.sample_rate)
            turn.complete(completion)
        except ContractError as error:
            turn.fail(error)

    def close(self) -> None:
        if self._mouth is not None:
            self._mouth.close()
        if hasattr(self, "_speakers"):
            self._speakers.shutdown(wait=False)


def _fault(turn: Turn) -> ContractError | None:
    """What keeps a request from being answered: a second carrier, or audio that is no sound."""
    carrier, *rest = turn.request.parts
    if not all(isinstance(part, str) for part in rest):
        return ContractError(
            Reason.BAD_REQUEST,
            f"{len(turn.request.parts)} parts with media after the first: send one carrier, then text alone",
        )
    try:
        if isinstance(carrier, AudioClip):
            check_clip(carrier.samples)
    except ContractError as error:
        return error
    return None


def _asks_to_count(turn: Turn) -> bool:
    """True where the typed instruction, the text beside the carrier, asks to count."""
    return counting.asks_to_count("\n".join(part for part in turn.request.parts[1:] if isinstance(part, str)))
