"""The `hf-chat` service: questions as text, audio or images to one transformers model, which answers in text."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from omnigap.digest import sha256_hex
from omnigap.vocabulary import CONDITIONS, Condition, Modality, Support
from omnigap_services.adapter import NATIVE, Adapter, Capability, Card, Request, Turn
from omnigap_services.hf.chat.generation import Generation
from omnigap_services.hf.chat.loading import ChatModel, load_chat_model
from omnigap_services.hf.chat.options import SERVICE, ChatDecoding, ChatOptions, chat_decoding
from omnigap_services.hf.chat.prompt import PromptBuilder, media_of
from omnigap_services.options import OptionsError, read_options
from omnigap_services.server.lifecycle import default_warm_up
from omnigap_services.source import source_hash
from omnigap_services.torch_utils.text_generation import answer_turns
from omnigap_services.torch_utils.versions import let_torchvision_import

# Two tokens run both the prompt pass and a cached step; a full answer could take minutes.
_WARM_UP_TOKENS = 2

_DIGEST_OPTIONS = (
    *("media_first", "think_open", "think_close", "system_prompt", "max_new_tokens", "temperature", "top_p", "top_k"),
    *("repetition_penalty", "beam_size", "batch_media", "allow_missing_weights"),
)

# A question that a cascade has recognised together with seven others must not start alone: it takes a pass of seconds.
_BATCH_WAIT_S = 0.03

# Model types for which a clip was verified to get the same answer when batched with longer clips. The audio encoder of
# Phi-4-multimodal does not mask the padding, so it is not among them.
_AUDIO_PADDING_MASKED = ("qwen2_audio", "gemma4")

_MISSING_INPUT = {
    Modality.SPEECH: "its processor takes no audio",
    Modality.IMAGE: "its processor takes no images",
}


class ChatAdapter(Adapter):
    """One transformers model with text output."""

    def __init__(self, options: Mapping[str, object]) -> None:
        super().__init__(options)
        self._options = read_options(ChatOptions, SERVICE, options)
        self._card: Card | None = None

    @classmethod
    def build_tiny(cls, options: Mapping[str, object], folder: Path) -> dict[str, object]:
        let_torchvision_import()
        from omnigap_services.hf.chat.tiny import build

        return build(options, folder)

    def load(self) -> Card:
        chat = load_chat_model(self._options)
        prompt_builder = PromptBuilder(chat, self._options)
        longest = self._options.max_audio_seconds
        # A clip that is silently cut would be scored as if the model had got the whole question.
        if Modality.SPEECH in chat.inputs and not prompt_builder.encodes_whole_clip(longest):
            raise OptionsError(
                f"service {SERVICE}: option 'max_audio_seconds' is {longest:g}, but this model's processor cuts off the"
                " end of such a clip: lower it to the processor's window, which is 30 for most"
            )
        self._generation = Generation(chat, prompt_builder, self._options)
        self._card = self._card_of(chat, prompt_builder)
        return self._card

    def warm_up(self) -> Request | None:
        assert self._card is not None, "warm-up before load"
        return default_warm_up(self._card, _WARM_UP_TOKENS)

    def generate(self, batch: Sequence[Turn]) -> None:
        def decoding_of(request: Request) -> ChatDecoding:
            return chat_decoding(request.decoding, self._options)

        answer_turns(self._generation, batch, decoding_of, self._group_of)

    def _group_of(self, request: Request) -> frozenset[Modality] | None:
        """Questions with the same kinds of media can share a pass."""
        media = media_of(request)
        return media if self._can_batch(media) else None

    def _can_batch(self, media: frozenset[Modality]) -> bool:
        if not media:
            return True
        if self._options.batch_media is not None:
            return self._options.batch_media
        return Modality.SPEECH not in media or self._generation.model_type in _AUDIO_PADDING_MASKED

    def _card_of(self, chat: ChatModel, prompt_builder: PromptBuilder) -> Card:
        options = self._options
        shown = options.model_dump(mode="json", include=set(_DIGEST_OPTIONS))
        libraries = ["torch", "transformers", "tokenizers", *(["peft"] if chat.lora.folders else [])]
        if chat.quantisation:
            libraries.append("gguf")
        # Image processors use torchvision if it is installed, and torchvision may resize differently from Pillow.
        if Modality.IMAGE in chat.inputs and importlib.util.find_spec("torchvision") is not None:
            libraries.append("torchvision")
        return Card(
            name=options.name or chat.weights.name,
            conditions=self._conditions(chat),
            architecture=options.architecture,
            weights_revision=chat.weights.revision,
            weights_source=chat.weights.source,
            settings={
                **{name: value if isinstance(value, str) else json.dumps(value) for name, value in shown.items()},
                **chat.placement.settings(),
                **({"quantisation": f"GGUF {chat.quantisation}, unpacked"} if chat.quantisation else {}),
                "code.torch_utils": source_hash("omnigap_services.torch_utils"),
                "class": chat.class_name,
                "chat_template": sha256_hex(prompt_builder.template.encode()),
                "template_arguments": json.dumps(options.template_arguments, sort_keys=True),
                "adapters": json.dumps(chat.lora.folders, sort_keys=True),
                "system_role": prompt_builder.system_role,
            },
            libraries=tuple(libraries),
            max_batch_size=options.max_batch_size,
            batch_wait_s=_BATCH_WAIT_S if options.max_batch_size > 1 else 0.0,
            max_queue=options.max_queue,
            input_sample_rate_hz=chat.sample_rate,
            max_audio_seconds=options.max_audio_seconds,
            max_image_pixels=options.max_image_pixels,
        )

    def _conditions(self, chat: ChatModel) -> dict[Condition, Capability]:
        """What it answers; raises OptionsError if the options list a condition whose input the model does not take."""
        capabilities = {condition: self._capability(condition, chat) for condition in CONDITIONS}
        for name in self._options.conditions or ():
            capability = capabilities[Condition.parse(name)]
            if capability.support is Support.UNSUPPORTED:
                raise OptionsError(
                    f"service {SERVICE}: option 'conditions' names {name}, but {capability.reason}: leave it out"
                )
        return capabilities

    def _capability(self, condition: Condition, chat: ChatModel) -> Capability:
        options, reason = self._options, self._options.reasons.get(condition.name, "")
        if condition.output is Modality.SPEECH:
            return Capability(Support.UNSUPPORTED, reason or "it has no speech output")
        if condition.input is not Modality.TEXT and condition.input not in chat.inputs:
            return Capability(Support.UNSUPPORTED, _MISSING_INPUT[condition.input])
        if options.conditions is not None and condition.name not in options.conditions:
            return Capability(Support.UNSUPPORTED, reason or "the options leave it out")
        return Capability(Support.NATIVE, reason) if reason else NATIVE
