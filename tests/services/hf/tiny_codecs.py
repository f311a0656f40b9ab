"""Builds tiny voices that write codes of a neural codec, token by token: CSM, Dia and Bark, offline."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import (
    BarkConfig,
    BarkModel,
    BarkProcessor,
    CsmConfig,
    CsmForConditionalGeneration,
    CsmProcessor,
    DacConfig,
    DacModel,
    DiaConfig,
    DiaFeatureExtractor,
    DiaForConditionalGeneration,
    DiaProcessor,
    DiaTokenizer,
    EncodecFeatureExtractor,
)
from transformers.models.bark.generation_configuration_bark import (
    BarkCoarseGenerationConfig,
    BarkFineGenerationConfig,
    BarkGenerationConfig,
    BarkSemanticGenerationConfig,
)

from omnigap_services.torch_utils.tiny import fast_tokenizer, spread

_SMALL = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 8,
}


def _give_codes_sounds(codec: torch.nn.Module) -> None:
    """Code embeddings are not initialised randomly: without this all codes would sound the same."""
    with torch.no_grad():
        for name, buffer in codec.named_buffers():
            if name.endswith(("embed_sum", "codebook.embed")):
                buffer.normal_()


def csm(folder: Path) -> Path:
    """CSM: a backbone, a depth decoder for four codebooks, and Mimi."""
    words = fast_tokenizer("<|AUDIO|>", "<|audio_eos|>")
    codec = {
        "model_type": "mimi",
        **_SMALL,
        "num_filters": 4,
        "upsampling_ratios": [8, 6, 5, 4],
        "codebook_size": 64,
        "codebook_dim": 16,
        "vector_quantization_hidden_dimension": 16,
        "num_quantizers": 4,
        "upsample_groups": 16,
        "sliding_window": 20,
    }
    depth = {**_SMALL, "num_codebooks": 4, "backbone_hidden_size": 16, "vocab_size": 33, "max_position_embeddings": 5}
    config = CsmConfig(
        **_SMALL,
        num_codebooks=4,
        vocab_size=33,
        text_vocab_size=len(words),
        max_position_embeddings=512,
        codebook_pad_token_id=32,
        codebook_eos_token_id=0,
        audio_token_id=words.convert_tokens_to_ids("<|AUDIO|>"),
        audio_eos_token_id=words.convert_tokens_to_ids("<|audio_eos|>"),
        depth_decoder_config=depth,
        codec_config=codec,
    )
    model = CsmForConditionalGeneration(config)
    for part in (model.backbone_model, model.depth_decoder, model.lm_head):
        spread(part)
    _give_codes_sounds(model.codec_model)
    for sampled in (model.generation_config, model.depth_decoder.generation_config):
        sampled.do_sample, sampled.temperature, sampled._from_model_config = True, 0.9, False
    model.save_pretrained(folder)
    extractor = EncodecFeatureExtractor(feature_size=1, sampling_rate=24_000)
    CsmProcessor(feature_extractor=extractor, tokenizer=words).save_pretrained(folder)
    return folder


def dia(folder: Path) -> Path:
    """Dia: an encoder of bytes, a decoder of nine delayed codebooks, and DAC in another folder."""
    codec = DacModel(
        DacConfig(
            encoder_hidden_size=8,
            downsampling_ratios=[2, 4],
            decoder_hidden_size=16,
            n_codebooks=9,
            codebook_size=2_048,
            codebook_dim=4,
            sampling_rate=16_000,
        )
    )
    codec.save_pretrained(folder / "codec")
    config = DiaConfig(
        encoder_config={**_SMALL, "max_position_embeddings": 256},
        decoder_config={
            **_SMALL,
            "max_position_embeddings": 256,
            "num_channels": 9,
            "vocab_size": 1_028,
            "cross_num_attention_heads": 2,
            "cross_num_key_value_heads": 2,
            "cross_head_dim": 8,
            "cross_hidden_size": 16,
        },
    )
    model = DiaForConditionalGeneration(config)
    spread(model)
    model.generation_config.do_sample, model.generation_config._from_model_config = True, False
    model.save_pretrained(folder)
    extractor = DiaFeatureExtractor(sampling_rate=16_000, hop_length=8)
    DiaProcessor(
        feature_extractor=extractor,
        tokenizer=DiaTokenizer(),
        audio_tokenizer=DacModel.from_pretrained(folder / "codec"),
    ).save_pretrained(folder)
    return folder


def bark(folder: Path) -> Path:
    """Bark: three models and EnCodec."""
    small = {"num_layers": 1, "num_heads": 2, "hidden_size": 16, "block_size": 1_024}
    config = BarkConfig(
        semantic_config={**small, "input_vocab_size": 129_600, "output_vocab_size": 10_048},
        coarse_acoustics_config={**small, "input_vocab_size": 12_096, "output_vocab_size": 12_096},
        fine_acoustics_config={**small, "input_vocab_size": 1_056, "output_vocab_size": 1_056, "n_codes_total": 8},
        codec_config={
            "model_type": "encodec",
            "num_filters": 4,
            "hidden_size": 16,
            "codebook_dim": 16,
            "num_lstm_layers": 1,
        },
    )
    model = BarkModel(config)
    for part in (model.semantic, model.coarse_acoustics, model.fine_acoustics):
        for _ in range(3):
            spread(part)
    _give_codes_sounds(model.codec_model)
    generation = BarkGenerationConfig.from_sub_model_configs(
        BarkSemanticGenerationConfig(max_new_tokens=12, do_sample=True),
        BarkCoarseGenerationConfig(
            do_sample=True, max_coarse_input_length=64, max_coarse_history=32, sliding_window_len=24
        ),
        BarkFineGenerationConfig(max_fine_history_length=64, max_fine_input_length=128),
    )
    model.save_pretrained(folder)
    (folder / "generation_config.json").write_text(json.dumps(generation.to_dict()))
    BarkProcessor(tokenizer=fast_tokenizer()).save_pretrained(folder)
    return folder
