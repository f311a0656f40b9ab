"""Builds tiny ASR models of other architectures than those of `hf-asr --tiny`, with random weights, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Processor,
)

from omnigap_services.hf.asr.tiny import wav2vec2
from omnigap_services.torch_utils.tiny import BOS, EOS, PAD, fast_tokenizer, llama_sizes, spread

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


def wav2vec2_without_mask(folder: Path) -> Path:
    """A wav2vec 2.0 that was trained without masks."""
    return wav2vec2(folder, "group")


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
    words = fast_tokenizer()
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
    words = fast_tokenizer("<|startofcontext|>", "<|en|>", "<|de|>")
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
    words = fast_tokenizer("<|audio_pad|>", "<|audio_start|>", "<|audio_end|>", "<asr_text>")
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
        text_config={"model_type": "qwen3", **llama_sizes(len(words)), "head_dim": 8},
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
