"""A minimal Whisper for 99 languages in CTranslate2 format, with random weights and real token ids."""

from __future__ import annotations

from pathlib import Path

import torch
from ctranslate2.converters import TransformersConverter
from faster_whisper.tokenizer import _LANGUAGE_CODES
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizerFast,
)

_WORDS = 50_257
_LANGUAGES = [code for code in _LANGUAGE_CODES if code != "yue"]  # added by large-v3


def multilingual(folder: Path) -> Path:
    """The folder of the converted checkpoint.

    faster-whisper needs the full vocabulary of OpenAI's multilingual models, and CTranslate2 recognises such a model
    by the empty token.
    """
    torch.manual_seed(0)
    words = sorted(pre_tokenizers.ByteLevel.alphabet())
    words += [f"w{number}" for number in range(_WORDS - len(words) - 1)] + [""]
    special = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in _LANGUAGES)]
    special += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"]
    special += ["<|notimestamps|>", *(f"<|{step * 0.02:.2f}|>" for step in range(1_501))]
    ids = {token: number for number, token in enumerate([*words, *special])}
    raw = Tokenizer(models.BPE(vocab=ids, merges=[]))
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    raw.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    end = "<|endoftext|>"
    tokenizer = WhisperTokenizerFast(tokenizer_object=raw, unk_token=end, bos_token=end, eos_token=end)
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=len(ids),
            num_mel_bins=80,
            d_model=16,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=16,
            decoder_ffn_dim=16,
            decoder_start_token_id=ids["<|startoftranscript|>"],
            pad_token_id=ids[end],
            bos_token_id=ids[end],
            eos_token_id=ids[end],
            suppress_tokens=None,
            begin_suppress_tokens=None,
        )
    )
    for parameter in model.parameters():  # wide enough that the text depends on the audio
        torch.nn.init.normal_(parameter, std=0.5)
    generation = model.generation_config
    generation.is_multilingual = True
    generation.lang_to_id = {f"<|{code}|>": ids[f"<|{code}|>"] for code in _LANGUAGES}
    generation.task_to_id = {"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]}
    generation.no_timestamps_token_id = ids["<|notimestamps|>"]
    generation.alignment_heads = [[0, 0]]
    generation._from_model_config = False  # else it is derived again from the model config
    made = folder / "transformers"
    model.save_pretrained(made)
    WhisperProcessor(feature_extractor=WhisperFeatureExtractor(), tokenizer=tokenizer).save_pretrained(made)
    TransformersConverter(str(made), copy_files=["tokenizer.json"]).convert(str(folder / "ctranslate2"))
    return folder / "ctranslate2"
