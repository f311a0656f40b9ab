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

# A tenth of a second at the end of a clip tells whether it is heard.
_TAIL = 10


@dataclass(frozen=True, slots=True)
class Prompts:
    """A batch as the model takes it.

    Attributes:
        texts: the rendered prompts, before media marks are widened to their tokens.
        inputs: tensors by the model's argument names; `input_ids` and `attention_mask` have shape (rows, tokens).
    """

    texts: tuple[str, ...]
    inputs: Mapping[str, Any] = field(repr=False)

    @property
    def width(self) -> int:
        """Tokens of the longest prompt, which all rows are padded to."""
        return int(self.inputs["input_ids"].shape[1])

    def tokens(self, row: int) -> int:
        """Tokens of one prompt, padding not counted."""
        return int(self.inputs["attention_mask"][row].sum())


class PromptBuilder:
    """Makes prompts for one loaded model."""

    def __init__(self, chat: ChatModel, options: ChatOptions) -> None:
        self._chat = chat
        self._options = options
        self._owner = chat.processor or chat.tokenizer
        self.system_role = self._system_role()

    @property
    def template(self) -> str:
        """The Jinja source that renders prompts."""
        return str(self._owner.chat_template)

    def prompts(self, requests: Sequence[Request], arguments: Mapping[str, Any]) -> Prompts:
        """The batch of these requests; they bring the same kinds of media.

        Args:
            arguments: variables of the template beside those of the options.
        """
        variables = {**self._options.template_arguments, **arguments}
        conversations = [self._messages(request) for request in requests]
        texts = tuple(self._render(conversation, variables) for conversation in conversations)
        inputs = self._tokenised(texts, requests)
        return Prompts(texts, inputs)

    def hears(self, seconds: float) -> bool:
        """Whether a clip of this length reaches the model to its end: some processors cut what passes their window."""
        rate = self._chat.sample_rate
        clip = np.random.default_rng(0).normal(0, 0.1, round(seconds * rate)).astype(np.float32)
        other = clip.copy()
        other[-rate // _TAIL :] = 0
        first, second = (
            self.prompts([Request((AudioClip(samples, rate),), Modality.TEXT)], {}).inputs for samples in (clip, other)
        )
        return not all(_equal(first[name], second[name]) for name in first)

    def _tokenised(self, texts: Sequence[str], requests: Sequence[Request]) -> Mapping[str, Any]:
        tokenizer = self._chat.tokenizer
        if self._chat.processor is None:
            # A template writes the special tokens itself.
            found = tokenizer(list(texts), return_tensors="pt", padding=True, add_special_tokens=False)
            return self._moved({name: found[name] for name in ("input_ids", "attention_mask")})
        arguments: dict[str, Any] = {"text": list(texts), "return_tensors": "pt", "padding": True}
        if tokenizer.bos_token and all(text.startswith(tokenizer.bos_token) for text in texts):
            arguments["add_special_tokens"] = False
        images = [[part for part in request.parts if isinstance(part, Image.Image)] for request in requests]
        clips = [part.samples for request in requests for part in request.parts if isinstance(part, AudioClip)]
        if any(images):
            arguments["images"] = images
        if clips:
            arguments["audio"] = clips
            arguments["sampling_rate"] = self._chat.sample_rate
        return self._moved(dict(self._chat.processor(**arguments)))

    def _moved(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """On the model's device; floating-point features in the model's type."""
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
            parts.sort(key=lambda part: isinstance(part, str))
        if system and self.system_role == "user":
            parts.insert(0, system)
        messages = [self._message("system", [system])] if system and self.system_role == "system" else []
        return [*messages, self._message("user", parts)]

    def _message(self, role: str, parts: Sequence[InputPart]) -> Message:
        """Templates of text-only models know no lists of parts; those of the others know nothing else."""
        if self._chat.processor is None:
            return {"role": role, "content": "\n\n".join(part for part in parts if isinstance(part, str))}
        return {"role": role, "content": [_part(part) for part in parts]}

    def _render(self, messages: list[Message], variables: Mapping[str, Any]) -> str:
        rendered = self._owner.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **variables)
        return str(rendered)

    def _system_role(self) -> str:
        """`system`, or `user` where the template refuses such messages or leaves them out."""
        if self._options.system_role != "auto":
            return self._options.system_role
        mark = "be brief and exact"
        try:
            messages = [self._message("system", [mark]), self._message("user", ["Hello."])]
            return "system" if mark in self._render(messages, self._options.template_arguments) else "user"
        except Exception as error:  # Jinja's TemplateError, or whatever a template trips over
            _log.info("the chat template takes no system message (%s): it goes before the question", error)
            return "user"


def _equal(one: Any, other: Any) -> bool:
    import torch

    return torch.equal(one, other) if isinstance(one, torch.Tensor) else bool(np.array_equal(one, other))


def media_of(request: Request) -> frozenset[Modality]:
    """The media that a request brings."""
    found = {Modality.SPEECH for part in request.parts if isinstance(part, AudioClip)}
    return frozenset(found | {Modality.IMAGE for part in request.parts if isinstance(part, Image.Image)})


def _part(part: InputPart) -> Message:
    """A part as templates and processors of transformers name it."""
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if isinstance(part, AudioClip):
        return {"type": "audio", "audio": part.samples}
    return {"type": "image", "image": part}
