"""The `cascade` service: a language model with ASR, OCR and TTS stages for the modalities that it lacks."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace

from omnigap.errors import ContractError
from omnigap.vocabulary import REFERENCE, Condition, FinishReason, Modality, Reason, Support
from omnigap_services.adapter import Adapter, Card, Completion, Request, Turn
from omnigap_services.cascade.card import composed_card
from omnigap_services.cascade.client import PartClient
from omnigap_services.cascade.llm import LanguageModel, LlmAnswer, RemoteLlm
from omnigap_services.cascade.options import CascadeOptions, StageOptions
from omnigap_services.cascade.recognition import Recognised
from omnigap_services.cascade.routes import NoRoute, Route, routes_of
from omnigap_services.cascade.stages import Stages, available_stages, load_stages
from omnigap_services.cascade.tts import AudioOut
from omnigap_services.loop_thread import LoopThread
from omnigap_services.options import read_options
from omnigap_services.server.lifecycle import default_warm_up

_TRANSCRIBE = re.compile(r"\btranscribe\b|\bverbatim\b|\b(write|copy|type)\b.*\bword for word\b", re.I | re.S)


class ComposedAdapter(Adapter):
    """Answers each request along the route of its condition: recognise, ask the language model, speak.

    The server calls `generate` from one thread per question (`workers` of the card). Nothing is shared between
    questions, and no stage sees more of a request than what it needs.
    """

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._loop: LoopThread | None = None
        self._stages = Stages()
        self._llm: LanguageModel | None = None
        self._card: Card | None = None
        self._routes: Mapping[Condition, Route | NoRoute] = {}

    @abstractmethod
    def load(self) -> Card:
        """Loads the language model, then calls `_compose`."""

    def _open_loop(self) -> LoopThread:
        """The event loop of all calls to services."""
        self._loop = LoopThread("cascade-parts")
        return self._loop

    def _compose(
        self,
        llm: LanguageModel,
        direct: frozenset[Condition],
        options: StageOptions,
        loop: LoopThread,
        *,
        name: str,
        settings: Mapping[str, str],
        concurrency: int = 0,
        plain_speech: bool = False,
        ocr_prompt: str = "",
    ) -> Card:
        """Loads the stages that the conditions need around a language model, and makes the card."""
        self._llm = llm
        self._routes = routes_of(direct, available_stages(options), llm.card.name)
        needed = {stage for route in self._routes.values() if isinstance(route, Route) for stage in route.stages}
        self._stages = load_stages(
            options, needed, loop, self.request_restart, plain_speech=plain_speech, ocr_prompt=ocr_prompt
        )
        self._card = composed_card(name, options, llm, self._routes, self._stages, settings, concurrency)
        return self._card

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            try:
                self._answer(turn)
            except ContractError as error:
                # A cancelled turn is left open: the server knows whether the deadline passed or the caller went away.
                if not turn.cancelled:
                    turn.fail(error)

    def _answer(self, turn: Turn) -> None:
        assert self._llm is not None and self._card is not None, "generate before load"
        route = self._routes[turn.request.condition]
        if isinstance(route, NoRoute):
            raise ContractError(Reason.UNSUPPORTED_CONDITION, route.reason)
        if route.recognise is not None or self._llm.part is None:
            _check_parts(turn.request)
        # The demo model accepts items in any language, but its English-only ASR would refuse the tag of another one.
        language = turn.request.language if self._llm.knows_languages else ""
        out = AudioOut(turn, self._card.output_sample_rate_hz)
        answer = self._own_text(self._llm, turn, route, language, out)
        spoken = Completion()
        # The caller may have left during the language model's answer; then no TTS call is made.
        if route.speak and self._stages.tts is not None and not turn.cancelled:
            spoken = self._stages.tts.speak(turn, answer.text, out, language)
        turn.complete(_joined(answer.completion, spoken))

    def _own_text(self, llm: LanguageModel, turn: Turn, route: Route, language: str, out: AudioOut) -> LlmAnswer:
        """The answer's own text, written to the turn; the carrier becomes text first if the route says so."""
        request = turn.request
        # First, since recognition would lose what has to be counted.
        known = llm.answer_carrier(request)
        if known is not None:
            turn.write(known.text)
            return known
        if route.recognise is None:
            return llm.answer(turn, replace(request, output=route.asks.output), out)
        carrier = self._stages.recogniser(route.recognise).recognise(request.carrier, language, lambda: turn.cancelled)
        # Sent as reasoning, so that a run shows what the stage recognised without making it part of the answer.
        turn.reason(f"question: {carrier.text}\n")
        if asks_to_transcribe(request):
            # The two-pass control asks what the model perceived. For a cascade that is the recognised text itself: the
            # language model would only copy it, with additional errors.
            turn.write(carrier.text)
            answer = LlmAnswer(carrier.text, Completion())
        else:
            parts = (carrier.text or llm.empty_input, *request.parts[1:])
            answer = llm.answer(turn, replace(request, parts=parts, output=route.asks.output), out)
        return LlmAnswer(answer.text, _with_recognition(carrier, answer.completion))

    def close(self) -> None:
        # The loop last: closing a client runs on it.
        self._stages.close()
        if self._llm is not None:
            self._llm.close()
        if self._loop is not None:
            self._loop.close()


class CascadeAdapter(ComposedAdapter):
    """A cascade whose language model is a service."""

    without_tiny = "it composes other services: start those with --tiny"

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_options(CascadeOptions, "cascade", options)

    def load(self) -> Card:
        options, loop = self._options, self._open_loop()
        llm = RemoteLlm(PartClient("llm", options.llm, options, loop, self.request_restart))
        direct = _direct(llm.card, options)
        return self._compose(
            llm,
            direct,
            options,
            loop,
            name=options.name or f"cascade-{llm.card.name}",
            settings={
                "direct": " ".join(sorted(condition.name for condition in direct)),
                "empty_input": llm.empty_input,
                "ocr_prompt": options.ocr_prompt,
                "plain_speech": str(options.plain_speech),
            },
            concurrency=options.concurrency,
            plain_speech=options.plain_speech,
            ocr_prompt=options.ocr_prompt,
        )

    def warm_up(self) -> Request | None:
        """A request with text output: the model's answer to a meaningless prompt may exceed what TTS accepts."""
        assert self._card is not None, "warm-up before load"
        text_output = {c: found for c, found in self._card.conditions.items() if c.output is Modality.TEXT}
        if all(found.support is Support.UNSUPPORTED for found in text_output.values()):
            return None
        return default_warm_up(replace(self._card, conditions=text_output))


def _direct(llm: Card, options: CascadeOptions) -> frozenset[Condition]:
    """The conditions that the language model is asked in: those of `direct`, and t2t if it supports it.

    Raises:
        ContractError: for one named in `direct` that the model does not support.
    """
    supported = {c for c, found in llm.conditions.items() if found.support is not Support.UNSUPPORTED}
    asked = options.direct_conditions()
    if asked is None:
        return frozenset(supported)
    if unsupported := asked - supported:
        raise ContractError(
            Reason.BAD_REQUEST,
            f"direct names {', '.join(sorted(c.name for c in unsupported))}, but the LLM {llm.name} supports"
            f" {', '.join(sorted(c.name for c in supported)) or 'nothing'}: leave it out of direct",
        )
    return frozenset(asked | ({REFERENCE} & supported))


def _check_parts(request: Request) -> None:
    """Raises ContractError for a second carrier: recognition turns only the first part into text."""
    if not all(isinstance(part, str) for part in request.parts[1:]):
        raise ContractError(
            Reason.BAD_REQUEST,
            f"{len(request.parts)} parts with media after the first: send one carrier, followed by text only",
        )


def asks_to_transcribe(request: Request) -> bool:
    """True if the typed text after the carrier asks to write down what the carrier says.

    The contract has no field for it, so it is recognised by its words: `transcribe`, `verbatim`, or to write, copy or
    type something `word for word`. The carrier itself is not searched: a question may contain these words.
    """
    return bool(_TRANSCRIBE.search("\n".join(part for part in request.parts[1:] if isinstance(part, str))))


def _with_recognition(carrier: Recognised, completion: Completion) -> Completion:
    """The language model's completion with the diagnostics and the language of the stage before it."""
    return replace(
        completion,
        diagnostics={**carrier.diagnostics, **completion.diagnostics},
        detected_language=completion.detected_language or carrier.language,
    )


def _joined(text: Completion, speech: Completion) -> Completion:
    """The completion of the whole answer: truncated if the text or its speech was."""
    cut = text.finish_reason is FinishReason.STOP and speech.finish_reason is FinishReason.LENGTH
    return replace(
        text,
        finish_reason=FinishReason.LENGTH if cut else text.finish_reason,
        diagnostics={**text.diagnostics, **speech.diagnostics},
    )
