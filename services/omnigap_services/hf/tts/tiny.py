"""The tiny random checkpoints of `hf-tts --tiny`: a VITS as MMS-TTS has it, and SpeechT5 with a vocoder."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import sentencepiece
import torch
from transformers import (
    SpeechT5Config,
    SpeechT5FeatureExtractor,
    SpeechT5ForTextToSpeech,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
    SpeechT5Processor,
    SpeechT5Tokenizer,
    VitsConfig,
    VitsModel,
    VitsTokenizer,
)

from omnigap_services.hf.tts.voice import SERVICE, TtsOptions
from omnigap_services.options import read_options
from omnigap_services.torch_utils.tiny import Kind, chosen, spread, tiny_options, write

EMBEDDING = 8
"""Numbers of a speaker's embedding; 512 in real checkpoints."""

ALPHABET = "".join(character for character in map(chr, range(0x180)) if character.isprintable())
"""ASCII and the letters of Western and Central Europe. Real voices have fewer characters and refuse a text with
any other: a cascade of tiny models could then not speak its answers, which consist of random characters."""

# The token between letters, id 0: for private use, so texts do not contain it.
_BLANK = "\ue000"

# Over the largest real voices, and a number of speakers that fits into memory.
_MAX_SPEAKERS = 10_000


def build(options: Mapping[str, object], folder: Path) -> dict[str, object]:
    """Writes the checkpoint that the option `model` means, and returns the options that serve it."""
    given = read_options(TtsOptions, SERVICE, {"model": KINDS[0].model_type, **options})
    kind = chosen(KINDS, SERVICE, "model", given.model)
    checkpoint: dict[str, object] = {"model": str(folder)}
    if kind.model_type == "speecht5":
        write(kind, folder)
        # Files of embeddings belong to the real weights: each named voice gets a random one.
        voices = {name: str(folder / f"voice-{number}.npy") for number, name in enumerate(given.voices or ["tiny"])}
        for number, path in enumerate(voices.values()):
            np.save(path, np.random.default_rng(number).standard_normal(EMBEDDING).astype(np.float32))
        checkpoint |= {"vocoder": str(folder / "vocoder"), "voices": voices}
    else:
        write(replace(kind, build=partial(vits, speakers=_speakers(given.voices))), folder)
    return tiny_options(options, checkpoint, {}, ("revision", "vocoder_revision"))


def _speakers(voices: Mapping[str, str]) -> int:
    """As many as the option `voices` numbers; at least two with named voices, since a VITS of one speaker has none."""
    if not voices:
        return 1
    numbers = (int(speaker) for speaker in voices.values() if speaker.isdecimal() and len(speaker) < 10)
    return min(max((2, *(number + 1 for number in numbers))), _MAX_SPEAKERS)


def vits(folder: Path, speakers: int = 1, alphabet: str = ALPHABET, **reading: bool) -> Path:
    """A VITS of the layout of MMS-TTS, which reads letters."""
    letters = [_BLANK, *alphabet]
    vocabulary = folder / "letters.json"
    vocabulary.write_text(json.dumps({letter: number for number, letter in enumerate(letters)}))
    reads = {"normalize": True, "phonemize": False, "is_uroman": False, **reading}
    tokenizer = VitsTokenizer(str(vocabulary), pad_token=_BLANK, unk_token=_BLANK, language="eng", **reads)
    config = VitsConfig(
        vocab_size=len(letters),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        ffn_dim=16,
        flow_size=16,
        spectrogram_bins=9,
        duration_predictor_num_flows=1,
        duration_predictor_filter_channels=16,
        depth_separable_num_layers=1,
        prior_encoder_num_flows=1,
        prior_encoder_num_wavenet_layers=1,
        posterior_encoder_num_wavenet_layers=1,
        wavenet_dilation_rate=1,
        upsample_initial_channel=16,
        upsample_rates=[8, 8, 2, 2],
        upsample_kernel_sizes=[16, 16, 4, 4],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1, 3]],
        num_speakers=speakers,
        speaker_embedding_size=8 if speakers > 1 else 0,
        sampling_rate=16_000,
    )
    model = VitsModel(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "duration_predictor" not in name:
                weight.mul_(1.3)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    vocabulary.unlink()
    return folder


def speecht5(folder: Path) -> Path:
    """SpeechT5, and its vocoder in a folder below."""
    spoken = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(ALPHABET)]),
        model_writer=spoken,
        model_type="char",
        vocab_size=len(ALPHABET) + 5,
        hard_vocab_limit=False,
        bos_id=0,
        pad_id=1,
        eos_id=2,
        unk_id=3,
        character_coverage=1.0,
        minloglevel=2,
    )
    (folder / "letters.model").write_bytes(spoken.getvalue())
    tokenizer = SpeechT5Tokenizer(str(folder / "letters.model"))
    config = SpeechT5Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        encoder_layers=1,
        encoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=16,
        num_mel_bins=8,
        speech_decoder_prenet_units=16,
        speaker_embedding_dim=EMBEDDING,
        speech_decoder_postnet_layers=1,
        speech_decoder_postnet_units=16,
        max_text_positions=600,
        reduction_factor=2,
    )
    model = SpeechT5ForTextToSpeech(config)
    spread(model)
    with torch.no_grad():
        model.speech_decoder_postnet.prob_out.bias.fill_(-1.5)  # with 0 it would end at once
    model.save_pretrained(folder)
    extractor = SpeechT5FeatureExtractor(num_mel_bins=8)
    SpeechT5Processor(feature_extractor=extractor, tokenizer=tokenizer).save_pretrained(folder)
    vocoder = SpeechT5HifiGanConfig(
        model_in_dim=8,
        sampling_rate=16_000,
        upsample_initial_channel=16,
        upsample_rates=[8, 8, 4],
        upsample_kernel_sizes=[16, 16, 8],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1, 3]],
    )
    made = SpeechT5HifiGan(vocoder)
    with torch.no_grad():
        for weight in made.parameters():
            weight.normal_(0.0, 0.3)
    made.save_pretrained(folder / "vocoder")
    return folder


KINDS = (
    Kind("vits", "facebook/mms-tts-eng", r"mms-tts|(?<!style)vits", vits),
    Kind("speecht5", "microsoft/speecht5_tts", "speecht5", speecht5),
)
