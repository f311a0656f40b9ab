"""LoRA adapters that a model switches on by what it is given, as Phi-4-multimodal has for speech and for images.

Without them such a model still answers, and badly: nobody would notice that it was measured half."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from omnigap.vocabulary import Modality
from omnigap_services.hf.chat.options import SERVICE
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import check_complete

# Folders inside the checkpoint, by model type; the authors' own layout.
_KNOWN: Mapping[str, Mapping[str, str]] = {
    "phi4_multimodal": {Modality.SPEECH: "speech-lora", Modality.IMAGE: "vision-lora"},
}

# The library reports every weight whose name holds the adapter's as one that the adapter should have brought: an
# adapter called "speech" would have `down_proj_for_speech` reported as missing and newly initialised.
_NAME = "omnigap_lora_{}"


class LoraAdapters:
    """The adapters of one loaded model; it may have none."""

    def __init__(self, model: Any, folder: Path, asked: Mapping[str, str], allowed: Collection[str] = ()) -> None:
        """
        Args:
            asked: folders inside the checkpoint, by modality; empty: what is known of the model's type.
            allowed: `allow_missing_weights`.

        Raises:
            OptionsError: for a folder that is not there, or lacks weights, and where peft is not installed.
        """
        self._model = model
        self.folders = dict(asked) or dict(_KNOWN.get(str(model.config.model_type), {}))
        for modality, name in self.folders.items():
            if not (folder / name / "adapter_config.json").is_file():
                raise OptionsError(
                    f"service {SERVICE}: option 'adapters' expects the one for {modality} in {folder / name}, but there"
                    " is no adapter_config.json: fetch the whole checkpoint, or name the folder"
                )
            try:
                found = model.load_adapter(str(folder / name), adapter_name=_NAME.format(modality))
            except ImportError as error:
                raise OptionsError(
                    f"service {SERVICE}: option 'model' has adapters for {', '.join(self.folders)}: pip install peft,"
                    f" which loads them ({error})"
                ) from error
            if found is not None:  # older versions of the library tell nothing
                own = _NAME.format(modality)  # the weights of those before it count as missing too
                gaps = {kind: [key for key in keys if own in str(key)] for kind, keys in found.to_dict().items()}
                check_complete(gaps, f"service {SERVICE}: option 'adapters': {folder / name}", allowed)
        if self.folders:
            model.eval()

    def switch(self, kinds: Collection[Modality]) -> None:
        """Switches on the adapter of these media, or of text where there are none; and every other one off."""
        if not self.folders:
            return
        wanted = next((kind for kind in kinds if kind in self.folders), None)
        if wanted is None and not kinds and Modality.TEXT in self.folders:
            wanted = Modality.TEXT
        if wanted is None:
            self._model.disable_adapters()
        else:
            self._model.enable_adapters()
            self._model.set_adapter(_NAME.format(wanted))
