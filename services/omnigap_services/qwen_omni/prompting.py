"""From requests to the model's inputs: chat template, media features, and one left-padded batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap.vocabulary import Reason
from omnigap_services.adapter import Request
from omnigap_services.qwen_omni.family import Family


@dataclass(frozen=True, slots=True)
class Prompt:
    """The inputs of one request, processed on its own, so that they do not depend on the batch.

    Attributes:
        ids: int64, shape (tokens,); media are runs of their placeholder token.
        audio: log-mel features, float32, shape (clips, mel bins, frames); None without audio.
        audio_frames: int64, shape (clips,): frames of each clip without padding.
        pixels: image patches, float32, shape (patches, values); None without images.
        image_grids: int64, shape (images, 3): patches of each image in time, height and width.
        audio_tokens, image_tokens: number of placeholder tokens in `ids`.
    """

    ids: torch.Tensor
    audio: torch.Tensor | None = None
    audio_frames: torch.Tensor | None = None
    pixels: torch.Tensor | None = None
    image_grids: torch.Tensor | None = None
    audio_tokens: int = 0
    image_tokens: int = 0

    def __len__(self) -> int:
        return int(self.ids.shape[0])


class PromptBuilder:
    """Builds prompts with the checkpoint's processor, one request at a time."""

    def __init__(self, processor: Any, family: Family, system_prompt: str | None) -> None:
        self._processor = processor
        self._family = family
        marks = [processor.audio_token, processor.image_token]
        self._audio_id, self._image_id = processor.tokenizer.convert_tokens_to_ids(marks)
        self.system_prompt = family.system_prompt if system_prompt is None else system_prompt

    def prompt(self, request: Request) -> Prompt:
        """The prompt of a request.

        Raises:
            ContractError: BAD_MEDIA if the processor refuses the media, such as an image with an aspect ratio of 200.
        """
        text = self.text(request)
        clips = [part.samples for part in request.parts if isinstance(part, AudioClip)]
        images = [part for part in request.parts if isinstance(part, Image.Image)]
        try:
            # `use_audio_in_video` must not be passed to the processor.
            inputs = self._processor(text=[text], audio=clips or None, images=images or None, return_tensors="pt")
        except ValueError as error:
            if not (clips or images):
                raise
            raise ContractError(Reason.BAD_MEDIA, f"the checkpoint's processor refuses the media: {error}") from error
        # The processor has expanded each placeholder to as many tokens as the medium takes.
        ids = inputs["input_ids"][0]
        return Prompt(
            ids,
            inputs["input_features"] if clips else None,
            inputs["feature_attention_mask"].sum(-1) if clips else None,
            inputs["pixel_values"] if images else None,
            inputs["image_grid_thw"] if images else None,
            int((ids == self._audio_id).sum()),
            int((ids == self._image_id).sum()),
        )

    def text(self, request: Request) -> str:
        """The prompt as rendered by the chat template, with one placeholder for each clip and image."""
        system, requested = self.system_prompt, request.system_prompt
        parts: list[dict[str, str]] = []
        if requested and system and self._family.fixed_system_turn:
            parts.append({"type": "text", "text": requested + "\n"})
        elif requested:
            system = requested
        for part in request.parts:
            if isinstance(part, AudioClip):
                parts.append({"type": "audio"})
            elif isinstance(part, Image.Image):
                parts.append({"type": "image"})
            else:
                # The template joins texts without a separator: the instruction starts a new line.
                follows_text = parts and parts[-1]["type"] == "text" and not parts[-1]["text"].endswith("\n")
                parts.append({"type": "text", "text": f"\n{part}" if follows_text else part})
        messages: list[dict[str, Any]] = [{"role": "user", "content": parts}]
        if system:
            messages.insert(0, {"role": "system", "content": [{"type": "text", "text": system}]})
        written: str = self._processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return written


def thinker_inputs(prompts: Sequence[Prompt], pad_id: int, device: Any, dtype: torch.dtype) -> dict[str, Any]:
    """Keyword arguments of the thinker's `generate`: left-padded ids, and the media of all prompts concatenated.

    Args:
        device, dtype: of the thinker; ids and masks stay int64.
    """
    # Generation continues each row at its right end, so padding is on the left.
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.full((len(prompts), longest), pad_id, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = prompt.ids
        mask[row, longest - len(prompt) :] = 1
    inputs: dict[str, Any] = {"input_ids": ids, "attention_mask": mask}
    clips = [(p.audio, p.audio_frames) for p in prompts if p.audio is not None and p.audio_frames is not None]
    if clips:
        lengths = torch.cat([frames for _, frames in clips])
        # Cut to the longest clip: Qwen2.5's feature extractor pads every clip to its window of five minutes.
        longest_clip = int(lengths.max())
        inputs["input_features"] = torch.cat([_to_width(audio, longest_clip) for audio, _ in clips]).to(dtype)
        inputs["feature_attention_mask"] = (torch.arange(longest_clip)[None] < lengths[:, None]).long()
    pixels = [p.pixels for p in prompts if p.pixels is not None]
    if pixels:
        inputs["pixel_values"] = torch.cat(pixels).to(dtype)
        inputs["image_grid_thw"] = torch.cat([p.image_grids for p in prompts if p.image_grids is not None])
    return {name: tensor.to(device) for name, tensor in inputs.items()}


def talker_media(prompts: Sequence[Prompt], device: Any) -> dict[str, Any]:
    """Keyword arguments of a talker's `generate` from which it computes the media's position ids."""
    media: dict[str, Any] = {}
    frames = [p.audio_frames for p in prompts if p.audio_frames is not None]
    if frames:
        media["audio_feature_lengths"] = torch.cat(frames).to(device)
    grids = [p.image_grids for p in prompts if p.image_grids is not None]
    if grids:
        media["image_grid_thw"] = torch.cat(grids).to(device)
    return media


def _to_width(features: torch.Tensor, frames: int) -> torch.Tensor:
    """Features of shape (clips, bins, n), cut or padded with zeros to `frames`."""
    missing = frames - features.shape[-1]
    return torch.nn.functional.pad(features, (0, missing)) if missing > 0 else features[..., :frames]
