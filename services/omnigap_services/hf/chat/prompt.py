"""From requests to the model's inputs: messages, the chat template, and one left-padded batch."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from omnigap.media import AudioClip
from omnigap.vocabulary import Modality
from omnigap_services.adapter import InputPart, Request
from omnigap_services.hf.chat.loading import ChatModel
from omnigap_services.hf.chat.options import ChatOptions

_log = logging.getLogger(__name__)

Message = dict[str, Any]

# Part of a second at the end of a clip that is silenced to see whether the processor encodes it.
_PROBE_TAIL = 10


@dataclass(frozen=True, slots=True)
class PromptBatch:
    """The inputs of a batch.

    Attributes:
        texts: the rendered prompts, before media placeholders are expanded to their tokens.
        inputs: tensors by the model's argument names; `input_ids` and `attention_mask` have shape (rows, tokens).
    """

    texts: tuple[str, ...]
    inputs: Mapping[str, Any] = field(repr=False)

    @property
    def width(self) -> int:
        """Tokens of the longest prompt, to which all rows are padded."""
        return int(self.inputs["input_ids"].shape[1])

    def tokens(self, row: int) -> int:
        """Tokens of one prompt, without padding."""
        return int(self.inputs["attention_mask"][row].sum())


class PromptBuilder:
    """Builds the prompts of one loaded model."""

    def __init__(self, chat: ChatModel, options: ChatOptions) -> None:
        self._chat = chat
        self._options = options
        # A processor's own template writes the media placeholders; its tokenizer's may not.
        self._renderer = chat.processor or chat.tokenizer
        self.system_role = self._system_role()

    @property
    def template(self) -> str:
        """The Jinja source of the chat template."""
        return str(self._renderer.chat_template)

    def build(self, requests: Sequence[Request], arguments: Mapping[str, Any]) -> PromptBatch:
        """The batch of requests that bring the same kinds of media.

        Args:
            arguments: template variables that override those of the options.
        """
        variables = {**self._options.template_arguments, **arguments}
        conversations = [self._messages(request) for request in requests]
        texts = tuple(self._render(conversation, variables) for conversation in conversations)
        return PromptBatch(texts, self._tokenise(texts, requests))

    def encodes_whole_clip(self, seconds: float) -> bool:
        """True if a clip of this length is encoded to its end; some processors silently cut at their window.

        Compares the inputs of two clips that differ in their last tenth of a second only.
        """
        rate = self._chat.sample_rate
        clip = np.random.default_rng(0).normal(0, 0.1, round(seconds * rate)).astype(np.float32)
        other = clip.copy()
        other[-rate // _PROBE_TAIL :] = 0
        first, second = (
            self.build([Request((AudioClip(samples, rate),), Modality.TEXT)], {}).inputs for samples in (clip, other)
        )
        return not all(_equal(first[name], second[name]) for name in first)

    def _tokenise(self, texts: Sequence[str], requests: Sequence[Request]) -> Mapping[str, Any]:
        tokenizer = self._chat.tokenizer
        if self._chat.processor is None:
            # The template writes the special tokens; the tokenizer would add a second start token.
            found = tokenizer(list(texts), return_tensors="pt", padding=True, add_special_tokens=False)
            # Some tokenizers also return token_type_ids, which `generate` refuses.
            return self._to_device({name: found[name] for name in ("input_ids", "attention_mask")})
        arguments: dict[str, Any] = {"text": list(texts), "return_tensors": "pt", "padding": True}
        # Templates of processors differ: only some write the start token.
        if tokenizer.bos_token and all(text.startswith(tokenizer.bos_token) for text in texts):
            arguments["add_special_tokens"] = False
        # Images are passed as one list per prompt, clips as one flat list.
        images = [[part for part in request.parts if isinstance(part, Image.Image)] for request in requests]
        clips = [part.samples for request in requests for part in request.parts if isinstance(part, AudioClip)]
        if any(images):
            arguments["images"] = images
        if clips:
            arguments["audio"] = clips
            arguments["sampling_rate"] = self._chat.sample_rate
        return self._to_device(dict(self._chat.processor(**arguments)))

    def _to_device(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Tensors on the model's device; floating-point features in the model's dtype, ids and masks unchanged."""
        import torch

        moved = {}
        for name, value in inputs.items():
            if isinstance(value, torch.Tensor):
                dtype = self._chat.placement.torch_dtype if value.is_floating_point() else None
                moved[name] = value.to(device=self._chat.device, dtype=dtype)
            else:
                moved[name] = value
        return moved

    def _messages(self, request: Request) -> list[Message]:
        system = request.system_prompt or self._options.system_prompt
        parts = list(request.parts)
        if self._options.media_first:
            # A stable sort: several texts, or several media, keep their order.
            parts.sort(key=lambda part: isinstance(part, str))
        if system and self.system_role == "user":
            parts.insert(0, system)
        messages = [self._message("system", [system])] if system and self.system_role == "system" else []
        return [*messages, self._message("user", parts)]

    def _message(self, role: str, parts: Sequence[InputPart]) -> Message:
        # Templates of text-only models expect a string, those of multimodal models a list of parts.
        if self._chat.processor is None:
            return {"role": role, "content": "\n\n".join(part for part in parts if isinstance(part, str))}
        return {"role": role, "content": [_part(part) for part in parts]}

    def _render(self, messages: list[Message], variables: Mapping[str, Any]) -> str:
        rendered = self._renderer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **variables)
        return str(rendered)

    def _system_role(self) -> str:
        """`system`, or `user` if the template rejects system messages or silently drops them.

        Renders a conversation with a marker as system prompt, and looks for the marker in the result.
        """
        if self._options.system_role != "auto":
            return self._options.system_role
        marker = "be brief and exact"
        try:
            messages = [self._message("system", [marker]), self._message("user", ["Hello."])]
            return "system" if marker in self._render(messages, self._options.template_arguments) else "user"
        except Exception as error:  # a TemplateError, or any error that the template's own code raises
            _log.info("the chat template takes no system message (%s): it is put before the question", error)
            return "user"


def _equal(one: Any, other: Any) -> bool:
    import torch

    return torch.equal(one, other) if isinstance(one, torch.Tensor) else bool(np.array_equal(one, other))


def media_of(request: Request) -> frozenset[Modality]:
    """The kinds of media in a request; empty for text only."""
    found = {Modality.SPEECH for part in request.parts if isinstance(part, AudioClip)}
    return frozenset(found | {Modality.IMAGE for part in request.parts if isinstance(part, Image.Image)})


def _part(part: InputPart) -> Message:
    """A part in the form of transformers' chat messages."""
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if isinstance(part, AudioClip):
        return {"type": "audio", "audio": part.samples}
    return {"type": "image", "image": part}
