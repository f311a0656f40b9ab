"""The same requests through the library's own `generate`, as the reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from omnigap.media import AudioClip
from omnigap_services.adapter import Request

if TYPE_CHECKING:
    from omnigap_services.qwen_omni.adapter import QwenOmniAdapter


@dataclass
class LibraryOutput:
    """Its output, row by row.

    Attributes:
        texts: trimmed of the prompt and decoded.
        codes: of each clip: rows are codebooks.
        waves: shape (samples,).
    """

    texts: list[str]
    codes: list[torch.Tensor] = field(default_factory=list)
    waves: list[torch.Tensor] = field(default_factory=list)


def generate(adapter: QwenOmniAdapter, requests: Sequence[Request], speech: bool, **arguments: Any) -> LibraryOutput:
    """One call of the whole model's `generate`, greedy unless `arguments` say otherwise."""
    loaded = adapter._loaded
    model, processor = loaded.model, loaded.prompt_builder._processor
    clips = [part.samples for request in requests for part in request.parts if isinstance(part, AudioClip)]
    images = [part for r in requests for part in r.parts if not isinstance(part, str | AudioClip)]
    inputs = processor(
        text=[loaded.prompt_builder.text(request) for request in requests],
        audio=clips or None,
        images=images or None,
        padding=True,
        return_tensors="pt",
    )
    prompt_length = inputs["input_ids"].shape[1]
    ends = sorted(loaded.engine.text_ends)
    options: dict[str, Any] = {
        "thinker_max_new_tokens": 12,
        "thinker_do_sample": False,
        "thinker_eos_token_id": ends,
        "thinker_pad_token_id": loaded.tokenizer.pad_token_id,
    }
    # Both names exist in every version, but not for both families.
    qwen25 = hasattr(model, "token2wav")
    options |= {"generation_mode": "audio" if speech else "text"} if qwen25 else {"return_audio": speech}
    if speech:
        options |= {"talker_max_new_tokens": 16, "talker_do_sample": False, "speaker": loaded.defaults.speaker}
        if qwen25:
            # Its default is written for the real checkpoints' numbers.
            options["talker_eos_token_id"] = sorted(loaded.engine.talker.ends)
    torch.manual_seed(0)
    with _codes_of(model) as codes, _accept_pixel_values(model):
        made = model.generate(**inputs, **(options | arguments))
    ids, waves = made if speech else (made, [])
    rows = ids[:, prompt_length:]
    texts = [processor.tokenizer.decode(row, skip_special_tokens=True) for row in rows]
    if isinstance(waves, torch.Tensor):
        waves = [waves]
    return LibraryOutput(texts, codes, [wave.reshape(-1) for wave in waves])


@contextmanager
def _codes_of(model: Any) -> Iterator[list[torch.Tensor]]:
    """Codes as they reach the wave decoder, shape (codebooks, frames)."""
    seen: list[torch.Tensor] = []
    decoder = model.token2wav if hasattr(model, "token2wav") else model.code2wav

    def keep(_module: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        codes = inputs[0]
        seen.extend(codes if codes.dim() == 3 else codes[None])

    hook = decoder.register_forward_pre_hook(keep)
    try:
        yield seen
    finally:
        hook.remove()


@contextmanager
def _accept_pixel_values(model: Any) -> Iterator[None]:
    """Qwen2.5's `generate` also passes the pixels to the talker, whose `generate` refuses them as unknown."""
    talker = model.talker
    talker._validate_model_kwargs = lambda _arguments: None
    try:
        yield
    finally:
        del talker._validate_model_kwargs
