"""Chooses the family of an ASR model by the checkpoint's config, and loads it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from omnigap_services.hf.asr.recogniser import SERVICE, HfAsrOptions, Recogniser
from omnigap_services.options import OptionsError
from omnigap_services.torch_utils.checkpoint import Weights, find_weights
from omnigap_services.torch_utils.device import Placement, place
from omnigap_services.torch_utils.versions import check_transformers, let_torchvision_import

_log = logging.getLogger(__name__)

# In the library's speech-to-text mappings, but not usable here: they write music or speech, transcribe live streams, or
# need a special prompt.
_UNSUPPORTED = (
    *("pop2piano", "dia", "vibevoice", "speecht5", "seamless_m4t", "seamless_m4t_v2", "speech-encoder-decoder"),
    *("kyutai_speech_to_text", "voxtral_realtime", "moonshine_streaming", "granite_speech", "granite_speech_plus"),
    *("voxtral", "vibevoice_asr"),
)


@dataclass(frozen=True, slots=True)
class LoadedRecogniser:
    """A recogniser with its weights' revision and its placement."""

    recogniser: Recogniser
    weights: Weights
    placement: Placement
    model_type: str


def load_recogniser(options: HfAsrOptions) -> LoadedRecogniser:
    """Loads the model of the options.

    Raises:
        OptionsError: the weights are missing, or the model is not an ASR model that this service supports.
        VersionError: an unsupported version of transformers.
    """
    check_transformers(SERVICE)
    weights = find_weights(SERVICE, "model", options.model, options.revision)
    # Before transformers: processors that import torchvision would fail on a machine with a CPU build of torch.
    let_torchvision_import()
    import transformers
    from transformers import AutoConfig
    from transformers.models.auto import modeling_auto as auto

    model_type = str(AutoConfig.from_pretrained(weights.folder).model_type)
    placement = place(options, SERVICE, flash_possible=False)
    recogniser: Recogniser
    # Not every supported version of transformers has these two mappings.
    transducers = {
        **dict.fromkeys(getattr(auto, "MODEL_FOR_TDT_MAPPING_NAMES", ()), "AutoModelForTDT"),
        **dict.fromkeys(getattr(auto, "MODEL_FOR_RNNT_MAPPING_NAMES", ()), "AutoModelForRNNT"),
    }
    decoders = {
        # Not in the library's speech-to-text mapping.
        "glmasr": "AutoModelForMultimodalLM",
        **dict.fromkeys(auto.MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES, "AutoModelForSpeechSeq2Seq"),
    }
    if model_type == "whisper":
        from omnigap_services.hf.asr.generative import WhisperRecogniser

        recogniser = WhisperRecogniser(weights, options, placement)
    elif model_type in auto.MODEL_FOR_CTC_MAPPING_NAMES:
        from omnigap_services.hf.asr.ctc_transducer import CtcRecogniser

        recogniser = CtcRecogniser(weights, options, placement)
    elif model_type in transducers:
        from omnigap_services.hf.asr.ctc_transducer import TransducerRecogniser

        recogniser = TransducerRecogniser(weights, options, placement, getattr(transformers, transducers[model_type]))
    elif model_type in decoders and model_type not in _UNSUPPORTED:
        from omnigap_services.hf.asr.generative import GenerativeRecogniser

        recogniser = GenerativeRecogniser(weights, options, placement, getattr(transformers, decoders[model_type]))
    else:
        known = sorted({"whisper", *auto.MODEL_FOR_CTC_MAPPING_NAMES, *transducers, *decoders} - set(_UNSUPPORTED))
        raise OptionsError(
            f"service {SERVICE}: option 'model' is a {model_type}, which transformers {transformers.__version__} cannot"
            f" transcribe with here: use one of {', '.join(known)}"
        )
    _log.info("%s is a %s on %s in %s", weights.name, model_type, placement.device, placement.dtype)
    return LoadedRecogniser(recogniser, weights, placement, model_type)
