"""LoRA adapters that a model needs for one kind of input, such as Phi-4-multimodal's for speech and for images.

Without them such a model still answers, only badly, and nothing would show that it was measured without them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from omnigap.vocabulary import Modality
from omnigap_services.hf.chat.options import SERVICE
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import check_complete

# Folders inside the checkpoint, by model type, as in the authors' checkpoints.
_KNOWN: Mapping[str, Mapping[str, str]] = {
    "phi4_multimodal": {Modality.SPEECH: "speech-lora", Modality.IMAGE: "vision-lora"},
}

# transformers reports as missing every weight whose name contains the adapter's name: an adapter called "speech" would
# have `down_proj_for_speech` reported. No weight contains this name.
_NAME = "omnigap_lora_{}"


class LoraAdapters:
    """The LoRA adapters of one loaded model; it may have none."""

    def __init__(self, model: Any, folder: Path, requested: Mapping[str, str], allowed: Collection[str] = ()) -> None:
        """Loads the adapters; `switch` chooses one before each batch.

        Args:
            folder: of the checkpoint.
            requested: folders inside the checkpoint, by modality; empty: the known ones of the model's type.
            allowed: `allow_missing_weights`.

        Raises:
            OptionsError: an adapter's folder does not exist or lacks weights, or peft is not installed.
        """
        self._model = model
        self.folders = dict(requested) or dict(_KNOWN.get(str(model.config.model_type), {}))
        for modality, name in self.folders.items():
            if not (folder / name / "adapter_config.json").is_file():
                raise OptionsError(
                    f"service {SERVICE}: option 'adapters' expects the one for {modality} in {folder / name}, which has"
                    " no adapter_config.json: download the whole checkpoint, or name the folder"
                )
            try:
                found = model.load_adapter(str(folder / name), adapter_name=_NAME.format(modality))
            except ImportError as error:
                raise OptionsError(
                    f"service {SERVICE}: option 'model' has adapters for {', '.join(self.folders)}: pip install peft,"
                    f" which loads them ({error})"
                ) from error
            if found is not None:  # older versions of transformers return no loading info
                # The info also lists the weights of adapters that were loaded before this one.
                own = _NAME.format(modality)
                info = {kind: [key for key in keys if own in str(key)] for kind, keys in found.to_dict().items()}
                check_complete(info, f"service {SERVICE}: option 'adapters': {folder / name}", allowed)
        if self.folders:
            # Turns off dropout in the new modules as well.
            model.eval()

    def switch(self, media: Collection[Modality]) -> None:
        """Activates the adapter for these media (for text if there are none), and deactivates all others."""
        if not self.folders:
            return
        wanted = next((kind for kind in media if kind in self.folders), None)
        if wanted is None and not media and Modality.TEXT in self.folders:
            wanted = Modality.TEXT
        if wanted is None:
            self._model.disable_adapters()
        else:
            # set_adapter only chooses one; it does not undo disable_adapters.
            self._model.enable_adapters()
            self._model.set_adapter(_NAME.format(wanted))
