"""Who hears, reads and speaks for a brain: services at addresses, or the engines inside; only those that are needed."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from omnigap.errors import ContractError
from omnigap.vocabulary import Condition, Modality, Reason, Support
from omnigap_services.cascade.options import NOBODY, CascadeOptions
from omnigap_services.cascade.part_client import PartClient
from omnigap_services.cascade.part_fault import absent
from omnigap_services.cascade.remote_brain import card_of
from omnigap_services.cascade.routes import Help
from omnigap_services.cascade.sensing import HEARD, READ, RemoteSense, Sense
from omnigap_services.cascade.speaking import Mouth
from omnigap_services.loop_thread import LoopThread

_log = logging.getLogger(__name__)

_NEEDS = {
    Help.HEARING: Condition(Modality.SPEECH, Modality.TEXT),
    Help.READING: Condition(Modality.IMAGE, Modality.TEXT),
    Help.SPEAKING: Condition(Modality.TEXT, Modality.SPEECH),
}
"""What a service must answer to be of this help."""


@dataclass(frozen=True, slots=True)
class Helpers:
    """What a cascade has beside its brain; None where no condition needs it."""

    ears: Sense | None = None
    reader: Sense | None = None
    mouth: Mouth | None = None

    @property
    def all(self) -> tuple[Sense | Mouth, ...]:
        return tuple(helper for helper in (self.ears, self.reader, self.mouth) if helper is not None)

    def sense(self, help_: Help) -> Sense:
        """The ears or the reader that a route asks for."""
        found = self.ears if help_ is Help.HEARING else self.reader
        assert found is not None, f"no {help_} although a route needs it"
        return found

    @property
    def words(self) -> Mapping[Help, str]:
        """What each does, as reasons say it."""
        found = {Help.HEARING: self.ears, Help.READING: self.reader, Help.SPEAKING: self.mouth}
        return {help_: helper.words for help_, helper in found.items() if helper is not None}

    def close(self) -> None:
        for helper in self.all:
            helper.close()


def available(options: CascadeOptions) -> frozenset[Help]:
    """The help that could be had."""
    there = {Help.HEARING: options.ears != NOBODY, Help.READING: options.reader != NOBODY}
    there[Help.SPEAKING] = options.tts not in ("", NOBODY)
    return frozenset(help_ for help_, is_there in there.items() if is_there)


def load_helpers(options: CascadeOptions, needed: Collection[Help], loop: LoopThread) -> Helpers:
    """Connects to the services first, since a wrong address shows at once, then loads the engines.

    Raises:
        ContractError: where a service is not there, or cannot do what it is for.
    """
    clients = {help_: _client(help_, options, loop) for help_ in needed if _address(help_, options)}
    for help_ in Help:
        if help_ not in needed and _address(help_, options) not in ("", NOBODY):
            _log.warning("%s is set but never used: the brain needs no such help (see direct)", help_)
    plainly = bool(options.brain) and options.plain_speech
    mouth = Mouth(clients[Help.SPEAKING], plainly) if Help.SPEAKING in needed else None
    ears: Sense | None = None
    reader: Sense | None = None
    if client := clients.get(Help.HEARING):
        ears = RemoteSense(client, "asr", "hears", HEARD)
    elif Help.HEARING in needed:
        from omnigap_services.cascade.hearing import Ear

        ears = Ear(options.hearing())
    if client := clients.get(Help.READING):
        reader = RemoteSense(client, "ocr", "reads", READ, options.reader_prompt)
    elif Help.READING in needed:
        from omnigap_services.cascade.seeing import Eye

        reader = Eye(options.image_side, options.ocr_threads)
    return Helpers(ears, reader, mouth)


def _address(help_: Help, options: CascadeOptions) -> str:
    return {Help.HEARING: options.ears, Help.READING: options.reader, Help.SPEAKING: options.tts}[help_]


def _client(help_: Help, options: CascadeOptions, loop: LoopThread) -> PartClient:
    client = PartClient(help_.value, _address(help_, options), options, loop)
    able = card_of(client.card).conditions.get(_NEEDS[help_])
    if able is None or able.support is Support.UNSUPPORTED:
        why = f"{client.card.name} is there, but does not answer {_NEEDS[help_]}"
        raise absent(client.place, ContractError(Reason.UNSUPPORTED_CONDITION, why))
    return client
