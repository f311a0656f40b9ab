"""Loads a GGUF file with transformers: everything from the file, unpacked, and with no part of it silently left out.

transformers builds config, tokenizer and weights from the file. What it would drop silently is checked or added
here: tensors that it does not map, frequency factors of the position encoding, and the marks that end an answer.
"""

from __future__ import annotations

import importlib.util
import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from omnigap.errors import OmnigapError
from omnigap_services.failures import is_out_of_memory
from omnigap_services.hf.chat.gguf_header import GgufError, GgufHeader, join
from omnigap_services.hf.chat.options import SERVICE
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import Weights, matches, shortened

_log = logging.getLogger(__name__)

_FILE = "model.gguf"
# Factors by which frequencies of the position encoding are divided (Llama 3.1 and later).
_FREQUENCIES = "rope_freqs.weight"
_INSTEAD = "serve the file with llama-server and the service openai (preset llama-cpp)"


@dataclass(frozen=True, slots=True)
class GgufSource:
    """A GGUF file that transformers can load; exists inside the block of `open_gguf` only.

    Attributes:
        folder: holds the file only, so that a tokenizer or config next to it can't be mixed in.
        arguments: keyword arguments of every `from_pretrained`.
        quantisation: such as Q4_1.
    """

    folder: Path
    header: GgufHeader = field(repr=False)
    arguments: Mapping[str, Any]
    quantisation: str

    @property
    def end_ids(self) -> frozenset[int]:
        """Ids that end an answer, by the metadata."""
        keys = (f"tokenizer.ggml.{name}_token_id" for name in ("eos", "eot", "eom"))
        return frozenset(self.header.metadata[key] for key in keys if key in self.header.metadata)


@contextmanager
def open_gguf(weights: Weights) -> Iterator[GgufSource]:
    """Checks the file, and yields it in the form that transformers loads; the parts of a split one are joined.

    Raises:
        OptionsError: the package gguf is not installed, the file is not whole, or transformers cannot load it.
    """
    if importlib.util.find_spec("gguf") is None:
        raise _wrong(weights, "needs the package gguf: pip install -c constraints.txt '.[hf]', or pip install gguf")
    headers = [_header(weights, part) for part in weights.gguf]
    _check_loadable(weights, headers[0], {tensor.type for header in headers for tensor in header.tensors})
    with TemporaryDirectory(prefix="omnigap-gguf-") as name:
        path = Path(name) / _FILE
        if len(headers) == 1:
            path.symlink_to((weights.folder / weights.gguf[0]).resolve())
            header = headers[0]
        else:
            join(headers, path)
            header = GgufHeader.read(path)
        try:
            yield GgufSource(path.parent, header, {"gguf_file": _FILE}, _quantisation(header))
        except OmnigapError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            import transformers

            detail = " ".join(str(error).split())[:300]
            raise _wrong(
                weights,
                f"is not a file that transformers {transformers.__version__} can load"
                f" ({type(error).__name__}: {detail}): {_INSTEAD}",
            ) from error


def _header(weights: Weights, part: str) -> GgufHeader:
    try:
        return GgufHeader.read(weights.folder / part)
    except GgufError as error:
        raise _wrong(weights, f"can't be read: {error}: download it again", part) from error


def _check_loadable(weights: Weights, header: GgufHeader, types: Collection[int]) -> None:
    """Refuses, before anything large is read, what transformers can't load or loads wrongly."""
    import numpy as np
    import transformers
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, dequantize

    architecture = header.metadata.get("general.architecture")
    if not isinstance(architecture, str):
        raise _wrong(weights, "has no general.architecture in its metadata, so it holds no model")
    if architecture not in _architectures():
        raise _wrong(
            weights,
            f"has the architecture {architecture!r}, which transformers {transformers.__version__} does not read from"
            f" GGUF files: {_INSTEAD}",
        )
    for kind in sorted(types):
        quantisation = GGMLQuantizationType(kind)
        try:
            dequantize(np.zeros((1, GGML_QUANT_SIZES[quantisation][1]), np.uint8), quantisation)
        except NotImplementedError as error:
            raise _wrong(
                weights, f"has tensors of type {quantisation.name}, which the package gguf can't unpack: {_INSTEAD}"
            ) from error


def _architectures() -> Collection[str]:
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    found = set(GGUF_SUPPORTED_ARCHITECTURES)
    # Names of transformers for architectures that the file names in another way.
    found |= {name.replace("_", "") for name in found} | {name.replace("_", "-") for name in found}
    try:
        from transformers.integrations.gguf import GGUF_CONFIG_ARCHS  # from 5.20 on or so
    except ImportError:
        return found
    return found | set(GGUF_CONFIG_ARCHS)


def load_arguments(source: GgufSource) -> dict[str, Any]:
    """Keyword arguments of the model's `from_pretrained`."""
    arguments = dict(source.arguments)
    try:
        from transformers import GgufConfig
    except ImportError:  # older versions always unpack
        return arguments
    # Unpacked at the start: packed weights need kernels that are downloaded, and compute with other rounding.
    return {**arguments, "quantization_config": GgufConfig(dequantize=True)}


def check_whole(model: Any, source: GgufSource, weights: Weights, unexpected: Collection[str], allowed: Any) -> None:
    """Applies frequency factors, and checks that the model uses every tensor of the file.

    Args:
        unexpected: names that the loading info calls unexpected.
        allowed: `allow_missing_weights`.

    Raises:
        OptionsError: the model lacks tensors of the file, or its position encoding.
    """
    tensors = {tensor.name: tensor for tensor in source.header.tensors}
    if _FREQUENCIES in tensors:
        _divide_frequencies(model, source.header, weights)
    scaling = source.header.metadata.get(f"{source.header.metadata['general.architecture']}.rope.scaling.type", "none")
    rope = getattr(model.config, "rope_parameters", None) or {}
    if scaling != "none" and rope.get("rope_type", "default") == "default":
        raise _wrong(weights, f"scales its position encoding ({scaling}), which transformers drops: {_INSTEAD}")
    used = sum(weight.numel() for weight in model.parameters())  # a tied weight counts once
    stored = sum(tensor.elements for tensor in tensors.values() if tensor.name != _FREQUENCIES)
    left_out = sorted(unexpected) or (_unmapped(model, tensors) if stored > used else [])
    refused = [name for name in left_out if not matches(name, allowed)]
    if refused:
        raise _wrong(
            weights,
            f"has {len(refused)} tensors that {type(model).__name__} does not use ({shortened(refused)}): {_INSTEAD},"
            " or list them in allow_missing_weights if no answer depends on them",
        )


def _divide_frequencies(model: Any, header: GgufHeader, weights: Weights) -> None:
    """Divides the frequencies of the position encoding by the file's factors, as ggml does; transformers skips them."""
    import torch

    factors = torch.frombuffer(bytearray(header.tensor_bytes(_FREQUENCIES)), dtype=torch.float32)
    found = [module for module in model.modules() if getattr(module, "inv_freq", None) is not None]
    if not found or any(module.inv_freq.shape != factors.shape for module in found):
        raise _wrong(weights, f"has {_FREQUENCIES}, which fits no part of {type(model).__name__}: {_INSTEAD}")
    for module in found:
        module.inv_freq = module.inv_freq / factors.to(module.inv_freq)
        if hasattr(module, "original_inv_freq"):
            module.original_inv_freq = module.inv_freq.clone()


def _unmapped(model: Any, names: Collection[str]) -> list[str]:
    """Tensors that transformers gives no place in the model."""
    from transformers import modeling_gguf_pytorch_utils as legacy

    mapping = legacy.get_gguf_hf_weights_map(model, legacy.TensorProcessor())
    return sorted(name for name in names if name not in mapping and name != _FREQUENCIES)


def template_end_ids(tokenizer: Any, special: Collection[int]) -> frozenset[int]:
    """The special token that the chat template writes after an answer.

    The metadata of some files name only the end of a document, which chat models do not write.
    """
    mark = "omnigap-answer-mark"
    messages = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": mark}]
    try:
        text = str(tokenizer.apply_chat_template(messages, tokenize=False))
    except Exception as error:  # a TemplateError, or any error that the template's own code raises
        _log.info("the chat template does not render an answer (%s): only the metadata's end marks are used", error)
        return frozenset()
    _, found, after = text.partition(mark)
    ids = tokenizer(after, add_special_tokens=False)["input_ids"] if found else []
    return frozenset([ids[0]]) if ids and ids[0] in special else frozenset()


def _quantisation(header: GgufHeader) -> str:
    """The name of the quantisation: the file's own, or the type of most weights."""
    from gguf import GGMLQuantizationType, LlamaFileType

    number = header.metadata.get("general.file_type")
    if number is not None:
        try:
            return LlamaFileType(number).name.removeprefix("MOSTLY_").removeprefix("ALL_")
        except ValueError:
            _log.info("general.file_type is %r, which the package gguf does not have", number)
    counts: Counter[int] = Counter()
    for tensor in header.tensors:
        counts[tensor.type] += tensor.elements
    return GGMLQuantizationType(counts.most_common(1)[0][0]).name if counts else "none"


def _wrong(weights: Weights, text: str, part: str = "") -> OptionsError:
    path = weights.folder / (part or weights.gguf[0])
    return OptionsError(f"service {SERVICE}: option 'gguf_file': {path} {text}")
