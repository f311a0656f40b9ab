"""The tiny random checkpoints of `hf-asr --tiny`: Whisper, and a wav2vec 2.0 with a CTC head."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from transformers import (
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

from omnigap_services.hf.asr.recogniser import SERVICE, HfAsrOptions
from omnigap_services.options import read_options
from omnigap_services.torch_utils.tiny import (
    Kind,
    chosen,
    letters_tokenizer,
    spread,
    tiny_options,
    write,
    write_only,
)


def build(options: Mapping[str, object], folder: Path) -> dict[str, object]:
    """Writes the checkpoint that the option `model` means, and returns the options that serve it."""
    given = read_options(HfAsrOptions, SERVICE, {"model": KINDS[0].model_type, **options})
    write(chosen(KINDS, SERVICE, "model", given.model), folder)
    return tiny_options(options, {"model": str(folder)}, {"max_new_tokens": 12})


def whisper(folder: Path) -> Path:
    """A multilingual Whisper of two languages, with OpenAI's special tokens."""
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
    config.suppress_tokens = [*(ids[name] for name in names[1:]), vocabulary["Ċ"]]
    config.do_sample, config.temperature = True, 3.0
    config._from_model_config = False  # else it is derived from the model's config again
    model.save_pretrained(folder)
    extractor = WhisperFeatureExtractor(feature_size=16, chunk_length=30)
    WhisperProcessor(feature_extractor=extractor, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def wav2vec2(folder: Path, norm: str = "layer") -> Path:
    """A wav2vec 2.0 that was trained with masks (layer norm), or without (group norm)."""
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
    # With the full weight of the blank, which is the padding token, some transcripts would be empty.
    write_only(model.lm_head.weight, range(5, len(letters)), end=0, end_factor=0.5)
    model.save_pretrained(folder)
    Wav2Vec2Processor(feature_extractor=extractor, tokenizer=tokenizer).save_pretrained(folder)
    return folder


KINDS = (
    Kind("whisper", "openai/whisper-large-v3", "whisper", whisper),
    Kind("wav2vec2", "facebook/wav2vec2-base-960h", r"wav2vec2(?!.*(bert|conformer))", wav2vec2),
)
