"""The `cascade` service: a brain, and what hears, reads and speaks for it where it cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from omnigap.errors import ContractError
from omnigap.vocabulary import REFERENCE, Condition, FinishReason, Modality, Reason, Support
from omnigap_services.adapter import Adapter, Card, Completion, Request, Turn
from omnigap_services.cascade.composing import composed_card
from omnigap_services.cascade.facts_brain import FactsBrain
from omnigap_services.cascade.loudspeaker import Loudspeaker
from omnigap_services.cascade.options import CascadeOptions
from omnigap_services.cascade.part_client import PartClient
from omnigap_services.cascade.part_fault import BRAIN
from omnigap_services.cascade.remote_brain import RemoteBrain
from omnigap_services.cascade.routes import NoRoute, Route, routes_of
from omnigap_services.cascade.senses import Helpers, available, load_helpers
from omnigap_services.cascade.sensing import Perceived
from omnigap_services.cascade.thinking import Brain, Thought
from omnigap_services.cascade.transcribing import asks_to_transcribe
from omnigap_services.loop_thread import LoopThread
from omnigap_services.options import read_options
from omnigap_services.server.warmup import default_warm_up


class CascadeAdapter(Adapter):
    """Each question goes its condition's route, in a thread of its own. It gets nothing but what the request sends."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_options(CascadeOptions, "cascade", options)
        self._loop: LoopThread | None = None
        self._helpers = Helpers()
        self._brain: Brain | None = None
        self._card: Card | None = None

    def load(self) -> Card:
        options = self._options
        self._loop = LoopThread("cascade-parts")
        brain: Brain
        if options.brain:
            brain = RemoteBrain(PartClient(BRAIN, options.brain, options, self._loop))
        else:
            brain = FactsBrain(options)
        self._brain = brain
        straight = _straight(brain.card, options)
        self._routes: Mapping[Condition, Route | NoRoute] = routes_of(straight, available(options), brain.card.name)
        needed = {help_ for route in self._routes.values() if isinstance(route, Route) for help_ in route.helps}
        self._helpers = load_helpers(options, needed, self._loop)
        self._card = composed_card(options, brain, self._routes, self._helpers)
        return self._card

    def warm_up(self) -> Request | None:
        """Written where the brain is a service: what it says to nothing may be longer than its voice can say."""
        assert self._card is not None and self._brain is not None, "warm-up before load"
        written = {c: found for c, found in self._card.conditions.items() if c.output is Modality.TEXT}
        if self._brain.part is None or all(found.support is Support.UNSUPPORTED for found in written.values()):
            return None
        return default_warm_up(replace(self._card, conditions=written))

    def generate(self, batch: Sequence[Turn]) -> None:
        for turn in batch:
            try:
                self._answer(turn)
            except ContractError as error:
                # Left open where nobody waits any more: the server tells a deadline from a caller who went away.
                if not turn.cancelled:
                    turn.fail(error)

    def _answer(self, turn: Turn) -> None:
        assert self._brain is not None and self._card is not None, "generate before load"
        route = self._routes[turn.request.condition]
        if isinstance(route, NoRoute):
            raise ContractError(Reason.UNSUPPORTED_CONDITION, route.reason)
        if route.sense is not None or self._brain.part is None:
            _check_parts(turn.request)
        language = turn.request.language if self._brain.knows_languages else ""
        out = Loudspeaker(turn, self._card.output_sample_rate_hz)
        thought = self._think(self._brain, turn, route, language, out)
        voiced = Completion()
        if route.voice and self._helpers.mouth is not None and not turn.cancelled:
            voiced = self._helpers.mouth.say(turn, thought.text, out, language)
        turn.complete(_joined(thought.completion, voiced))

    def _think(self, brain: Brain, turn: Turn, route: Route, language: str, out: Loudspeaker) -> Thought:
        """The own text of an answer, written; the carrier becomes text before, where the route asks for it."""
        request = turn.request
        known = brain.glance(request)
        if known is not None:
            turn.write(known.text)
            return known
        if route.sense is None:
            return brain.think(turn, replace(request, output=route.asks.output), out)
        seen = self._helpers.sense(route.sense).perceive(request.carrier, language, lambda: turn.cancelled)
        turn.reason(f"question: {seen.text}\n")
        if asks_to_transcribe(request):
            # What its sense perceived is what the cascade heard or read: no brain could tell it better.
            turn.write(seen.text)
            thought = Thought(seen.text, Completion())
        else:
            parts = (seen.text or brain.nothing, *request.parts[1:])
            thought = brain.think(turn, replace(request, parts=parts, output=route.asks.output), out)
        return Thought(thought.text, _after(seen, thought.completion))

    def close(self) -> None:
        self._helpers.close()
        if self._brain is not None:
            self._brain.close()
        if self._loop is not None:
            self._loop.close()


def _straight(brain: Card, options: CascadeOptions) -> frozenset[Condition]:
    """The conditions that the brain is asked in; text in text always, where it can.

    Raises:
        ContractError: for one that is asked for by name and that it does not answer.
    """
    able = {c for c, found in brain.conditions.items() if found.support is not Support.UNSUPPORTED}
    asked = options.straight()
    if asked is None:
        return frozenset(able)
    if unable := asked - able:
        raise ContractError(
            Reason.BAD_REQUEST,
            f"direct names {', '.join(sorted(c.name for c in unable))}, but the brain {brain.name} answers"
            f" {', '.join(sorted(c.name for c in able)) or 'nothing'}: leave it out of direct",
        )
    return frozenset(asked | ({REFERENCE} & able))


def _check_parts(request: Request) -> None:
    """Raises ContractError for a second carrier: a sense turns the first part into text, and no other."""
    if not all(isinstance(part, str) for part in request.parts[1:]):
        raise ContractError(
            Reason.BAD_REQUEST,
            f"{len(request.parts)} parts with media after the first: send one carrier, then text alone",
        )


def _after(seen: Perceived, thought: Completion) -> Completion:
    """How the brain ended, with what the sense before it had to tell."""
    return replace(
        thought,
        diagnostics={**seen.diagnostics, **thought.diagnostics},
        detected_language=thought.detected_language or seen.language,
    )


def _joined(thought: Completion, voiced: Completion) -> Completion:
    """How the whole ended: cut off where the brain or the voice was."""
    cut = thought.finish_reason is FinishReason.STOP and voiced.finish_reason is FinishReason.LENGTH
    return replace(
        thought,
        finish_reason=FinishReason.LENGTH if cut else thought.finish_reason,
        diagnostics={**thought.diagnostics, **voiced.diagnostics},
    )
