"""The `hf-chat` service: questions as text, audio or images to one transformers model, its text back as it comes."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial

from omnigap.digest import sha256_hex
from omnigap.errors import ContractError
from omnigap.vocabulary import CONDITIONS, Condition, Modality, Support
from omnigap_services.adapter import NATIVE, Adapter, Capability, Card, Request, Turn
from omnigap_services.hf.chat.generation import Generation
from omnigap_services.hf.chat.loading import ChatModel, load_chat_model
from omnigap_services.hf.chat.options import SERVICE, ChatOptions, Decoding, decoding_of
from omnigap_services.hf.chat.prompt import PromptBuilder, media_of
from omnigap_services.hf.chat.streaming import TurnWriter
from omnigap_services.options import OptionsError, read_options
from omnigap_services.server.warmup import default_warm_up
from omnigap_services.source import source_hash
from omnigap_services.torch_utils.oom import split_on_oom

_WARM_UP_TOKENS = 2
_SHOWN_IN_DIGEST = (
    *("media_first", "think_open", "think_close", "system_prompt", "max_new_tokens", "temperature", "top_p", "top_k"),
    *("repetition_penalty", "beam_size", "batch_media", "allow_missing_weights"),
)

# Tried: a clip is answered alike alone and beside longer ones. Phi-4-multimodal's encoder is not among them.
_HEARS_NO_PADDING = ("qwen2_audio", "gemma4")

_LACKS = {
    Modality.SPEECH: "its processor takes no audio",
    Modality.IMAGE: "its processor takes no images",
}


class ChatAdapter(Adapter):
    """One transformers model that writes."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._set = read_options(ChatOptions, SERVICE, options)
        self._card: Card | None = None

    def load(self) -> Card:
        chat = load_chat_model(self._set)
        prompter = PromptBuilder(chat, self._set)
        longest = self._set.max_audio_seconds
        if Modality.SPEECH in chat.inputs and not prompter.hears(longest):
            raise OptionsError(
                f"service {SERVICE}: option 'max_audio_seconds' is {longest:g}, but this model's processor cuts off the"
                " end of so long a clip: lower it to the processor's window, 30 for most"
            )
        self._generation = Generation(chat, prompter, self._set)
        self._card = self._card_of(chat, prompter)
        return self._card

    def warm_up(self) -> Request | None:
        assert self._card is not None, "warm-up before load"
        request = default_warm_up(self._card)
        return dataclasses.replace(
            request, decoding=dataclasses.replace(request.decoding, max_new_tokens=_WARM_UP_TOKENS)
        )

    def generate(self, batch: Sequence[Turn]) -> None:
        for decoding, outboxes in self._groups(batch):
            work = partial(self._generation.answer, decoding=decoding)
            try:
                split_on_oom(outboxes, work, lambda outbox, error: outbox.turn.fail(error))
            except Exception as error:  # these questions' alone: others of the batch are decoded in another way
                for outbox in outboxes:
                    outbox.turn.fail(error)

    def _groups(self, batch: Sequence[Turn]) -> list[tuple[Decoding, list[TurnWriter]]]:
        """Turns that go through the model together: one decoding, one kind of media; what draws tokens goes alone."""
        together: dict[tuple[Decoding, frozenset[Modality]], list[TurnWriter]] = defaultdict(list)
        alone: list[tuple[Decoding, list[TurnWriter]]] = []
        for turn in batch:
            try:
                decoding = decoding_of(turn.request.decoding, self._set)
            except ContractError as error:
                turn.fail(error)
                continue
            kinds = media_of(turn.request)
            if decoding.samples or not self._go_together(kinds):
                alone.append((decoding, [TurnWriter(turn)]))
            else:
                together[decoding, kinds].append(TurnWriter(turn))
        return [*((decoding, outboxes) for (decoding, _), outboxes in together.items()), *alone]

    def _go_together(self, kinds: frozenset[Modality]) -> bool:
        if not kinds or self._set.batch_media is not None:
            return not kinds or bool(self._set.batch_media)
        return Modality.SPEECH not in kinds or self._generation.model_type in _HEARS_NO_PADDING

    def _card_of(self, chat: ChatModel, prompter: PromptBuilder) -> Card:
        options = self._set
        shown = options.model_dump(mode="json", include=set(_SHOWN_IN_DIGEST))
        libraries = ["torch", "transformers", "tokenizers", *(["peft"] if chat.adapters.folders else [])]
        if Modality.IMAGE in chat.inputs and importlib.util.find_spec("torchvision") is not None:
            libraries.append("torchvision")
        return Card(
            name=options.name or chat.weights.name,
            conditions=self._conditions(chat),
            architecture=options.architecture,
            weights_revision=chat.weights.revision,
            settings={
                **{name: value if isinstance(value, str) else json.dumps(value) for name, value in shown.items()},
                **chat.placement.settings(),
                "code.torch_models": source_hash("omnigap_services.torch_utils"),
                "class": chat.class_name,
                "chat_template": sha256_hex(prompter.template.encode()),
                "template_arguments": json.dumps(options.template_arguments, sort_keys=True),
                "adapters": json.dumps(chat.adapters.folders, sort_keys=True),
                "system_role": prompter.system_role,
            },
            libraries=tuple(libraries),
            max_batch_size=options.max_batch_size,
            max_queue=options.max_queue,
            input_sample_rate_hz=chat.sample_rate,
            max_audio_seconds=options.max_audio_seconds,
            max_image_pixels=options.max_image_pixels,
        )

    def _conditions(self, chat: ChatModel) -> dict[Condition, Capability]:
        able = {condition: self._capability(condition, chat) for condition in CONDITIONS}
        for name in self._set.conditions or ():
            if able[Condition.parse(name)].support is Support.UNSUPPORTED:
                lacks = able[Condition.parse(name)].reason
                raise OptionsError(f"service {SERVICE}: option 'conditions' names {name}, but {lacks}: leave it out")
        return able

    def _capability(self, condition: Condition, chat: ChatModel) -> Capability:
        options, reason = self._set, self._set.reasons.get(condition.name, "")
        if condition.output is Modality.SPEECH:
            return Capability(Support.UNSUPPORTED, reason or "it writes and does not speak")
        if condition.input is not Modality.TEXT and condition.input not in chat.inputs:
            return Capability(Support.UNSUPPORTED, _LACKS[condition.input])
        if options.conditions is not None and condition.name not in options.conditions:
            return Capability(Support.UNSUPPORTED, reason or "the options leave it out")
        return Capability(Support.NATIVE, reason) if reason else NATIVE
