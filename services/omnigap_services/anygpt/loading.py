"""Loads an AnyGPT: the language model, and the codec, SoundStorm and image encoder that the options ask for."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnigap_services.anygpt.generation import Engine
from omnigap_services.anygpt.options import SERVICE, AnygptOptions
from omnigap_services.anygpt.prompt import PromptBuilder
from omnigap_services.anygpt.seed_encoder import SeedEncoder, load_seed_encoder
from omnigap_services.anygpt.soundstorm import load_soundstorm
from omnigap_services.anygpt.speech import Speaker, read_voice
from omnigap_services.anygpt.speech_tokenizer import FILES, SpeechTokenizer, load_speech_tokenizer
from omnigap_services.anygpt.vocabulary import Run, Vocabulary, read_vocabulary
from omnigap_services.torch_utils.checkpoint import (
    Weights,
    check_not_offloaded,
    file_revision,
    find_weights,
    load_whole,
)
from omnigap_services.torch_utils.device import Placement, place
from omnigap_services.torch_utils.raw_checkpoint import find_files, only_file, wrong
from omnigap_services.torch_utils.versions import check_transformers, let_torchvision_import

_log = logging.getLogger(__name__)

_CODEC_FOLDER = "speechtokenizer"
_SEED_FILE = "seed_quantizer.pt"
_VISION_FILE = "eva_vit_g.pth"

SAMPLE_RATE = 16_000
"""Hz of spoken questions and answers."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that is ready to answer.

    Attributes:
        files: revisions of everything beside the language model, by option.
        max_audio_s: longest clip that the context can hold, and the options allow.
    """

    engine: Engine
    prompts: PromptBuilder
    weights: Weights
    placement: Placement
    files: dict[str, str]
    max_audio_s: float


def load(options: AnygptOptions) -> Loaded:
    """Loads everything that the options name.

    Raises:
        VersionError: an unsupported version of transformers.
        OptionsError: a file is missing or damaged, or its sizes do not fit the checkpoint's tokens.
    """
    version = check_transformers(SERVICE)
    weights = find_weights(SERVICE, "checkpoint", options.checkpoint, options.revision)
    vocabulary = read_vocabulary(SERVICE, "checkpoint", weights.folder)
    # Found before anything is loaded: a missing file is reported in seconds, not after the language model.
    files = _files(options)
    let_torchvision_import()
    placement = place(options, SERVICE)
    _log.info("transformers %s, %s on %s in %s", version, weights.revision, placement.device, placement.dtype)
    speech_tokenizer, speaker = _load_speech(options, files, vocabulary, placement)
    image_encoder = _load_image(options, files, vocabulary, placement)
    model = _load_model(options, weights, vocabulary, placement)
    prompts = PromptBuilder(vocabulary, options, speech_tokenizer, image_encoder)
    revisions = {option: found.revision for option, found in files.items()}
    if options.voice_clip:
        revisions["voice_clip"] = file_revision(Path(options.voice_clip).expanduser())
    engine = Engine(model, vocabulary, prompts, speaker)
    return Loaded(engine, prompts, weights, placement, revisions, _longest_clip(options, engine, speech_tokenizer))


def settings(loaded: Loaded, options: AnygptOptions) -> dict[str, str]:
    """Everything that changes answers, except the checkpoint and the versions of libraries, in readable form."""
    shown = options.shown_without(
        {
            *("checkpoint", "revision", "name", "speech_modules", "speech_modules_revision", "soundstorm_file"),
            *("image_tokenizer", "image_tokenizer_revision", "vision_encoder", "voice_clip"),
            *("device", "device_map", "dtype", "attention", "cpu_threads"),
            *("max_batch_size", "max_queue", "max_audio_seconds"),
        }
    )
    return {
        **shown,
        **loaded.placement.settings(),
        **{f"{option}.revision": revision for option, revision in loaded.files.items()},
        "image_preprocessing": "the whole picture, squeezed to 224x224 without keeping its aspect ratio",
        "precision_of_codecs": "float32",
    }


def _files(options: AnygptOptions) -> dict[str, Weights]:
    """The files of each option that is needed; raises OptionsError for a missing one."""
    found: dict[str, Weights] = {}
    if options.speech:
        codec = [f"{_CODEC_FOLDER}/{name}" for name in FILES]
        name, revision = options.speech_modules, options.speech_modules_revision
        found["speech_modules"] = _found(
            "speech_modules", "speech", name, revision, [*codec, options.soundstorm_file], options.soundstorm_file
        )
    if options.image:
        name, revision = options.image_tokenizer, options.image_tokenizer_revision
        found["image_tokenizer"] = _found("image_tokenizer", "image", name, revision, [_SEED_FILE], _SEED_FILE)
    if options.image and options.vision_encoder:
        found["vision_encoder"] = find_files(SERVICE, "vision_encoder", options.vision_encoder, "", [_VISION_FILE])
    return found


def _found(option: str, switch: str, name: str, revision: str, files: list[str], beside: str) -> Weights:
    if not name:
        raise wrong(
            SERVICE, option, f"is not set: name a folder, or a hub name with its revision, or set {switch} to false"
        )
    # Tiny checkpoints have their sizes in a config, published ones have none.
    return find_files(SERVICE, option, name, revision, files, [str(Path(beside).with_name("config.json"))])


def _load_speech(
    options: AnygptOptions, files: dict[str, Weights], vocabulary: Vocabulary, placement: Placement
) -> tuple[SpeechTokenizer | None, Speaker | None]:
    if "speech_modules" not in files:
        return None, None
    option, folder = "speech_modules", files["speech_modules"].folder
    codec = load_speech_tokenizer(SERVICE, option, folder / _CODEC_FOLDER, placement)
    soundstorm = load_soundstorm(SERVICE, option, folder / options.soundstorm_file, placement)
    run = _check_run(vocabulary.speech, "speech", codec.codebook_size, option)
    if soundstorm.semantic_size != run.size or soundstorm.levels + 1 != codec.levels:
        raise wrong(
            SERVICE,
            option,
            f"has a SoundStorm for {soundstorm.semantic_size} semantic codes and {soundstorm.levels} acoustic levels,"
            f" but the codec has {codec.codebook_size} codes in {codec.levels} levels: take both from one repository",
        )
    if codec.sample_rate != SAMPLE_RATE:
        raise wrong(SERVICE, option, f"has a codec of {codec.sample_rate} Hz, but AnyGPT's is one of {SAMPLE_RATE} Hz")
    clip = Path(options.voice_clip).expanduser()
    voice = read_voice(SERVICE, "voice_clip", clip) if options.voice_clip else None
    return codec, Speaker(codec, soundstorm, options.vc_steps, voice)


def _load_image(
    options: AnygptOptions, files: dict[str, Weights], vocabulary: Vocabulary, placement: Placement
) -> SeedEncoder | None:
    if "image_tokenizer" not in files:
        return None
    option = "image_tokenizer"
    eva = files.get("vision_encoder")
    vision = only_file(options.vision_encoder, eva, _VISION_FILE) if eva else None
    path = only_file(options.image_tokenizer, files[option], _SEED_FILE)
    encoder = load_seed_encoder(SERVICE, option, path, placement, vision, "vision_encoder")
    _check_run(vocabulary.image, "image", encoder.codebook_size, option)
    return encoder


def _check_run(run: Run | None, kind: str, codes: int, option: str) -> Run:
    """The checkpoint's tokens of a kind; raises OptionsError if they are not those of the codec."""
    if run is None:
        raise wrong(
            SERVICE, "checkpoint", f"has no {kind} tokens: name AnyGPT's language model, or set {kind} to false"
        )
    if run.size != codes:
        raise wrong(SERVICE, option, f"has {codes} codes, but the checkpoint has {run.size} {kind} tokens")
    return run


def _load_model(options: AnygptOptions, weights: Weights, vocabulary: Vocabulary, placement: Placement) -> Any:
    kind = json.loads((weights.folder / "config.json").read_text(encoding="utf-8")).get("model_type", "")
    if kind != "llama":
        raise wrong(SERVICE, "checkpoint", f"is a {kind or 'checkpoint without a model_type'}, but AnyGPT is a llama")
    from transformers import GenerationConfig, LlamaForCausalLM

    try:
        model = load_whole(
            LlamaForCausalLM.from_pretrained,
            weights,
            SERVICE,
            "checkpoint",
            options.allow_missing_weights,
            local_files_only=True,
            **placement.load_arguments(),
        )
    except OSError as error:
        # No weights, or a file that the index names is missing.
        text = " ".join(str(error).split())
        raise wrong(SERVICE, "checkpoint", f"can't be loaded ({text}): download the whole checkpoint") from error
    check_not_offloaded(model, weights, SERVICE)
    rows = model.get_input_embeddings().weight.shape[0]
    if rows < vocabulary.size:
        raise wrong(
            SERVICE,
            "checkpoint",
            f"has embeddings for {rows} tokens, but its tokenizer has {vocabulary.size}: download it again",
        )
    # LLaMA-2's own settings sample, and every generation here sets its own.
    model.generation_config = GenerationConfig(eos_token_id=sorted(vocabulary.ends), pad_token_id=0)
    return model.eval()


def _longest_clip(options: AnygptOptions, engine: Engine, codec: SpeechTokenizer | None) -> float:
    if codec is None:
        return options.max_audio_seconds
    return min(options.max_audio_seconds, engine.context * codec.hop_length / codec.sample_rate)
