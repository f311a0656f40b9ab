"""Loads a checkpoint whole: what it lacks the library would make up, other weights at every start, without a word."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any

from omnigap_services.options import OptionsError
from omnigap_services.torch_models.device import DeviceOptions
from omnigap_services.torch_models.revision import Weights

_log = logging.getLogger(__name__)

# Read in training alone: the stand-in for masked sound, which facebook/wav2vec2-base-960h and its kin lack, and the
# step counters of batch norms.
_NEVER_READ = ("*masked_spec_embed", "*num_batches_tracked")

_SHOWN = 3


class CheckpointOptions(DeviceOptions):
    """Base of the options of services that load a checkpoint with transformers, beside those of `DeviceOptions`.

    Attributes:
        allow_missing_weights: names, with * and ?, of weights that the checkpoint may lack since no answer depends on
            them, as "posterior_encoder.*" of a VITS. They are random, and others that it lacks are still refused.
    """

    allow_missing_weights: tuple[str, ...] = ()


def load_whole(
    load: Callable[..., Any],
    weights: Weights,
    service: str,
    option: str,
    allowed: Collection[str],
    advice: str = "",
    **arguments: Any,
) -> Any:
    """The model that transformers makes of a checkpoint, with every weight out of that.

    Tied weights, and what the class itself ignores on loading, are not missed; keys that older versions of torch and
    transformers wrote otherwise are renamed by the library.

    Args:
        load: the `from_pretrained` of a transformers class, which is given `arguments`.
        option: the option that names the checkpoint, for messages.
        allowed: `allow_missing_weights`.
        advice: what else may mend it, for the message.

    Raises:
        OptionsError: for weights that the checkpoint lacks, or has in another shape.
    """
    model, found = load(
        str(weights.folder),
        output_loading_info=True,
        # Not ignored but told below: the library's own error names no key.
        ignore_mismatched_sizes=True,
        **arguments,
    )
    refuse_gaps(found, f"service {service}: option {option!r}: the checkpoint {weights.name}", allowed, advice)
    return model


def refuse_gaps(found: Mapping[str, Any], who: str, allowed: Collection[str] = (), advice: str = "") -> None:
    """Looks through what the library says about a load.

    Args:
        found: `missing_keys`, and `mismatched_keys` with the shapes in the checkpoint and in the model.
        who: the beginning of messages.

    Raises:
        OptionsError: see `load_whole`.
    """
    if others := sorted(found["mismatched_keys"]):
        shown = _some([f"{name} {_shape(here)} for {_shape(wanted)}" for name, here, wanted in others])
        raise OptionsError(
            f"{who} has {_weights(len(others))} in another shape than its config says ({shown}): fetch it anew"
        )
    missing = sorted(name for name in found["missing_keys"] if not _fits(name, _NEVER_READ))
    if refused := [name for name in missing if not _fits(name, allowed)]:
        raise OptionsError(
            f"{who} lacks {_weights(len(refused))} of this kind of model ({_some(refused)}), which would be random:"
            f" fetch the whole of it{advice}; where no answer depends on them, name them in allow_missing_weights"
        )
    if missing:
        _log.warning(
            "%s lacks %s (%s), which allow_missing_weights lets pass", who, _weights(len(missing)), _some(missing)
        )


def _fits(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _weights(count: int) -> str:
    return f"{count} weight{'' if count == 1 else 's'}"


def _shape(shape: Collection[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
