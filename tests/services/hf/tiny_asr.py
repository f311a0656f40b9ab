"""Builds tiny ASR models with random weights in real architectures, with tokenizers and feature extractors, offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CanaryConfig,
    CanaryForConditionalGeneration,
    CanaryProcessor,
    MoonshineConfig,
    MoonshineForConditionalGeneration,
    ParakeetCTCConfig,
    ParakeetFeatureExtractor,
    ParakeetForCTC,
    ParakeetForTDT,
    ParakeetProcessor,
    ParakeetTDTConfig,
    ParakeetTokenizer,
    Qwen3ASRConfig,
    Qwen3ASRFeatureExtractor,
    Qwen3ASRForConditionalGeneration,
    Qwen3ASRProcessor,
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2Processor,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizerFast,
)

from tests.services.hf.tiny_chat import letters_tokenizer, spread

_QWEN3_ASR_TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {% for c in m['content'] %}"
    "{% if c['type'] == 'audio' %}<|audio_start|><|audio_pad|><|audio_end|>{% else %}{{ c['text'] }}{% endif %}"
    "{% endfor %}\n{% endfor %}"
)
_CANARY_TEMPLATE = (
    "{% for m in messages %}{% for c in m['content'] %}{% if c['type'] == 'text' %}"
    "<|startofcontext|><|{{ c['source_language'] }}|><|{{ c['target_language'] }}|>"
    "{% endif %}{% endfor %}{% endfor %}"
)


def whisper(folder: Path) -> Path:
    """A multilingual Whisper of two languages, with OpenAI's special tokens."""
    torch.manual_seed(0)
    names = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>", "<|transcribe|>"]
    names += ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    made, vocabulary = letters_tokenizer(names)
    tokenizer = WhisperTokenizerFast(
        tokenizer_object=made,
        unk_token="<|endoftext|>",
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        additional_special_tokens=names,
    )
    ids = {name: vocabulary[name] for name in names}
    config = WhisperConfig(
        vocab_size=len(vocabulary),
        num_mel_bins=16,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_target_positions=64,
        decoder_start_token_id=ids["<|startoftranscript|>"],
        pad_token_id=ids["<|endoftext|>"],
        bos_token_id=ids["<|endoftext|>"],
        eos_token_id=ids["<|endoftext|>"],
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    model = WhisperForConditionalGeneration(config)
    spread(model)
    config = model.generation_config
    config.is_multilingual = True
    config.lang_to_id = {"<|en|>": ids["<|en|>"], "<|de|>": ids["<|de|>"]}
    config.task_to_id = {"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]}
    config.no_timestamps_token_id = ids["<|notimestamps|>"]
    config.decoder_start_token_id = ids["<|startoftranscript|>"]
    config.suppress_tokens = [ids[name] for name in names[1:]]
    config.do_sample, config.temperature = True, 3.0
    config._from_model_config = False  # else it is derived from the model's config again
    model.save_pretrained(folder)
    extractor = WhisperFeatureExtractor(feature_size=16, chunk_length=30)
    WhisperProcessor(feature_extractor=extractor, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def _wav2vec2(folder: Path, norm: str) -> Path:
    torch.manual_seed(0)
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'"]
    (folder / "letters.json").write_text(json.dumps({letter: number for number, letter in enumerate(letters)}))
    tokenizer = Wav2Vec2CTCTokenizer(str(folder / "letters.json"))
    extractor = Wav2Vec2FeatureExtractor(return_attention_mask=norm == "layer", do_normalize=True)
    config = Wav2Vec2Config(
        vocab_size=len(letters),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        conv_dim=[8, 8, 8],
        conv_kernel=[10, 8, 4],
        conv_stride=[10, 8, 4],
        num_feat_extract_layers=3,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        feat_extract_norm=norm,
        do_stable_layer_norm=norm == "layer",
        pad_token_id=0,
    )
    model = Wav2Vec2ForCTC(config)
    spread(model)
    model.save_pretrained(folder)
    Wav2Vec2Processor(feature_extractor=extractor, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def wav2vec2(folder: Path) -> Path:
    """A wav2vec 2.0 that was trained with masks (layer norm)."""
    return _wav2vec2(folder, "layer")


def wav2vec2_without_mask(folder: Path) -> Path:
    """A wav2vec 2.0 that was trained without (group norm)."""
    return _wav2vec2(folder, "group")


_CONFORMER: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_kernel_size": 5,
    "subsampling_conv_channels": 8,
    "num_mel_bins": 16,
}


def _parakeet_tokenizer(*special: str) -> tuple[Any, dict[str, int]]:
    vocabulary = {
        token: number for number, token in enumerate(["<unk>", *special, "▁", *"abcdefghijklmnopqrstuvwxyz'"])
    }
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    return ParakeetTokenizer(tokenizer_object=made, pad_token="<pad>", unk_token="<unk>"), vocabulary


def parakeet_ctc(folder: Path) -> Path:
    """Parakeet with a CTC head; its blank is the padding token."""
    torch.manual_seed(0)
    tokenizer, vocabulary = _parakeet_tokenizer("<pad>")
    config = ParakeetCTCConfig(
        vocab_size=len(vocabulary), pad_token_id=vocabulary["<pad>"], encoder_config=dict(_CONFORMER)
    )
    model = ParakeetForCTC(config)
    spread(model)
    model.save_pretrained(folder)
    extractor = ParakeetFeatureExtractor(feature_size=16)
    ParakeetProcessor(feature_extractor=extractor, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def parakeet_tdt(folder: Path) -> Path:
    """Parakeet with a token-and-duration transducer."""
    torch.manual_seed(0)
    tokenizer, vocabulary = _parakeet_tokenizer("<pad>", "<blank>")
    config = ParakeetTDTConfig(
        vocab_size=len(vocabulary),
        pad_token_id=vocabulary["<pad>"],
        blank_token_id=vocabulary["<blank>"],
        decoder_hidden_size=16,
        num_decoder_layers=1,
        encoder_config=dict(_CONFORMER),
    )
    model = ParakeetForTDT(config)
    spread(model)
    model.generation_config.decoder_start_token_id = vocabulary["<blank>"]
    # The logits of the durations follow those of the tokens.
    model.generation_config.suppress_tokens = [len(vocabulary) + step for step in range(len(config.durations))]
    model.generation_config._from_model_config = False
    model.save_pretrained(folder)
    extractor = ParakeetFeatureExtractor(feature_size=16)
    processor = ParakeetProcessor(feature_extractor=extractor, tokenizer=tokenizer, decoder_type="tdt")
    processor.save_pretrained(folder)
    return folder


def moonshine(folder: Path) -> Path:
    """Moonshine, which takes samples instead of a spectrogram."""
    torch.manual_seed(0)
    from tests.services.hf.tiny_chat import BOS, EOS, tokenizer

    words = tokenizer()
    config = MoonshineConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=16,
        encoder_num_hidden_layers=1,
        decoder_num_hidden_layers=1,
        encoder_num_attention_heads=2,
        decoder_num_attention_heads=2,
        max_position_embeddings=64,
        bos_token_id=BOS,
        eos_token_id=EOS,
        decoder_start_token_id=BOS,
    )
    model = MoonshineForConditionalGeneration(config)
    spread(model)
    model.save_pretrained(folder)
    extractor = Wav2Vec2FeatureExtractor(return_attention_mask=True, do_normalize=False)
    Wav2Vec2Processor(feature_extractor=extractor, tokenizer=words).save_pretrained(folder)
    return folder


def canary(folder: Path) -> Path:
    """Canary, whose prompt says the languages."""
    torch.manual_seed(0)
    from tests.services.hf.tiny_chat import BOS, EOS, PAD, tokenizer

    words = tokenizer("<|startofcontext|>", "<|en|>", "<|de|>")
    config = CanaryConfig(
        vocab_size=len(words),
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
        decoder_start_token_id=words.convert_tokens_to_ids("<|startofcontext|>"),
        encoder_config={"model_type": "parakeet_encoder", **_CONFORMER, "scale_input": False},
        decoder_config={
            "vocab_size": len(words),
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "max_position_embeddings": 256,
            "pad_token_id": PAD,
            "bos_token_id": BOS,
            "eos_token_id": EOS,
        },
    )
    model = CanaryForConditionalGeneration(config)
    spread(model)
    model.save_pretrained(folder)
    processor = CanaryProcessor(
        feature_extractor=ParakeetFeatureExtractor(feature_size=16), tokenizer=words, chat_template=_CANARY_TEMPLATE
    )
    processor.save_pretrained(folder)
    return folder


def qwen3_asr(folder: Path) -> Path:
    """Qwen3-ASR, a speech language model; it writes the language before the text."""
    torch.manual_seed(0)
    from tests.services.hf.tiny_chat import EOS, PAD, text_sizes, tokenizer

    words = tokenizer("<|audio_pad|>", "<|audio_start|>", "<|audio_end|>", "<asr_text>")
    words.init_kwargs["extra_special_tokens"] = names = {
        "audio_token": "<|audio_pad|>",
        "audio_bos_token": "<|audio_start|>",
        "audio_eos_token": "<|audio_end|>",
    }
    words._set_model_specific_special_tokens(names)
    audio = {
        "model_type": "qwen3_asr_encoder",
        "num_mel_bins": 16,
        "encoder_layers": 1,
        "encoder_attention_heads": 2,
        "encoder_ffn_dim": 16,
        "d_model": 16,
        "output_dim": 32,
        "downsample_hidden_size": 8,
    }
    config = Qwen3ASRConfig(
        audio_config=audio,
        text_config={"model_type": "qwen3", **text_sizes(words), "head_dim": 8},
        audio_token_id=words.convert_tokens_to_ids("<|audio_pad|>"),
        timestamp_token_id=PAD,
        pad_token_id=PAD,
        eos_token_id=EOS,
    )
    model = Qwen3ASRForConditionalGeneration(config)
    spread(model)
    model.save_pretrained(folder)
    extractor = Qwen3ASRFeatureExtractor(feature_size=16)
    Qwen3ASRProcessor(feature_extractor=extractor, tokenizer=words, chat_template=_QWEN3_ASR_TEMPLATE).save_pretrained(
        folder
    )
    return folder
