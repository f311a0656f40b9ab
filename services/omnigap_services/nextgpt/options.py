"""Options of the `nextgpt` service."""

from __future__ import annotations

from pydantic import Field

from omnigap_services.torch_utils.decoding import GenerationOptions

SERVICE = "nextgpt"


class NextgptOptions(GenerationOptions):
    """Options of the `nextgpt` service; extends `GenerationOptions`.

    Attributes:
        vicuna: the merged Vicuna 7B v0: a folder or a hub name.
        vicuna_revision: the full commit of a hub name.
        delta: NExT-GPT's own weights and tokenizer (`pytorch_model.pt`): a folder, the file, or a hub name.
        delta_revision: the full commit of a hub name.
        imagebind: the file `imagebind_huge.pth`, its folder, or a hub name.
        imagebind_revision: the full commit of a hub name.
        lora_alpha: of the LoRA weights in the delta; unset: that of an `adapter_config.json` beside it, else 32.
        letterbox: an image is padded to a square, so that all of it is used; `false` cuts off the ends of its longer
            side, as the authors do.
        audio_control: answer spoken questions with the audio branch of ImageBind, as a control at chance level.
        name: in reports; empty: the delta's.
        max_new_tokens: the authors' limit by default.
        max_batch_size: questions in one pass of the model.
        max_queue: requests that may wait.
        max_audio_seconds: longest clip of a question; used with `audio_control` only.
        max_image_pixels: largest image of a question.
    """

    vicuna: str = Field(min_length=1)
    vicuna_revision: str = ""
    delta: str = Field(min_length=1)
    delta_revision: str = ""
    imagebind: str = Field(min_length=1)
    imagebind_revision: str = ""
    lora_alpha: float | None = Field(default=None, gt=0, le=10_000)
    letterbox: bool = True
    audio_control: bool = False
    name: str = ""
    max_new_tokens: int = Field(default=246, ge=1, le=131_072)
    max_batch_size: int = Field(default=8, ge=1, le=1_024)
    max_queue: int = Field(default=64, ge=0)
    max_audio_seconds: float = Field(default=120.0, gt=0, le=3_600)
    max_image_pixels: int = Field(default=16_000_000, gt=0)
