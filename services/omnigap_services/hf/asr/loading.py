"""Finds the ears' family by the checkpoint's config, and loads it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from omnigap_services.hf.asr.recogniser import SERVICE, HfAsrOptions, Recogniser
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import Weights, find_weights
from omnigap_services.torch_utils.device import Placement, place
from omnigap_services.torch_utils.versions import check_transformers, let_torchvision_import

_log = logging.getLogger(__name__)

# In the library's speech-to-text mapping, but not for this: music, speech out, live streams, prompts of their own.
_OTHERS = (
    *("pop2piano", "dia", "vibevoice", "speecht5", "seamless_m4t", "seamless_m4t_v2", "speech-encoder-decoder"),
    *("kyutai_speech_to_text", "voxtral_realtime", "moonshine_streaming", "granite_speech", "granite_speech_plus"),
    *("voxtral", "vibevoice_asr"),
)


@dataclass(frozen=True, slots=True)
class LoadedRecogniser:
    """Ears, and which ones they are."""

    ears: Recogniser
    weights: Weights
    placement: Placement
    model_type: str


def load_recogniser(options: HfAsrOptions) -> LoadedRecogniser:
    """Loads the ears of the options.

    Raises:
        OptionsError: for weights that are not there, and for a model that transcribes nothing here.
        VersionError: for a version of transformers that the code does not know.
    """
    check_transformers(SERVICE)
    weights = find_weights(SERVICE, "model", options.model, options.revision)
    let_torchvision_import()
    import transformers
    from transformers import AutoConfig
    from transformers.models.auto import modeling_auto as auto

    model_type = str(AutoConfig.from_pretrained(weights.folder).model_type)
    placement = place(options, SERVICE, flash_possible=False)
    ears: Recogniser
    transducers = {
        **dict.fromkeys(getattr(auto, "MODEL_FOR_TDT_MAPPING_NAMES", ()), "AutoModelForTDT"),
        **dict.fromkeys(getattr(auto, "MODEL_FOR_RNNT_MAPPING_NAMES", ()), "AutoModelForRNNT"),
    }
    decoders = {
        "glmasr": "AutoModelForMultimodalLM",
        **dict.fromkeys(auto.MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES, "AutoModelForSpeechSeq2Seq"),
    }
    if model_type == "whisper":
        from omnigap_services.hf.asr.generative import WhisperRecogniser

        ears = WhisperRecogniser(weights, options, placement)
    elif model_type in auto.MODEL_FOR_CTC_MAPPING_NAMES:
        from omnigap_services.hf.asr.ctc_transducer import CtcRecogniser

        ears = CtcRecogniser(weights, options, placement)
    elif model_type in transducers:
        from omnigap_services.hf.asr.ctc_transducer import TransducerRecogniser

        ears = TransducerRecogniser(weights, options, placement, getattr(transformers, transducers[model_type]))
    elif model_type in decoders and model_type not in _OTHERS:
        from omnigap_services.hf.asr.generative import GenerativeRecogniser

        ears = GenerativeRecogniser(weights, options, placement, getattr(transformers, decoders[model_type]))
    else:
        known = sorted({"whisper", *auto.MODEL_FOR_CTC_MAPPING_NAMES, *transducers, *decoders} - set(_OTHERS))
        raise OptionsError(
            f"service {SERVICE}: option 'model' is a {model_type}, which this service has no ears for with transformers"
            f" {transformers.__version__}: one of {', '.join(known)}"
        )
    _log.info("%s is a %s on %s in %s", weights.name, model_type, placement.device, placement.dtype)
    return LoadedRecogniser(ears, weights, placement, model_type)
