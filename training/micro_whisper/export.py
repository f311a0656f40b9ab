"""Turn a training state into the shipped CTranslate2 folder."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import click
import torch
from ctranslate2.converters import TransformersConverter
from tokenizers import Tokenizer
from transformers import GenerationConfig, PreTrainedTokenizerFast, WhisperConfig, WhisperForConditionalGeneration

from .settings import AUDIO, MODEL, PADDING_SECONDS, TRAINED_SECONDS

__all__ = ["export"]

_FILES = ["tokenizer.json", "preprocessor_config.json"]


def export(state: Path, tokenizer_file: Path, folder: Path, quantization: str) -> None:
    """Write model.bin and its JSON files into `folder`; the CTC head is left out."""
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    network = WhisperForConditionalGeneration(_config(tokenizer))
    weights = torch.load(state, weights_only=True)["network"]
    weights = {
        f"model.{name.removeprefix('model.')}": value for name, value in weights.items() if not name.startswith("ctc.")
    }
    # Timestamps were never trained: they get the row of a token that training made improbable.
    embedding = weights["model.decoder.embed_tokens.weight"]
    embedding[MODEL.vocabulary + MODEL.special_tokens :] = embedding[tokenizer.token_to_id("<|translate|>")]
    weights["proj_out.weight"] = weights["model.decoder.embed_tokens.weight"]
    network.load_state_dict(weights, strict=True)
    end, start, silent = (
        tokenizer.token_to_id(token) for token in ("<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>")
    )
    network.generation_config = GenerationConfig(
        suppress_tokens=[],
        begin_suppress_tokens=[tokenizer.token_to_id("Ġ"), end],
        no_timestamps_token_id=silent,
        alignment_heads=[[MODEL.decoder_layers - 1, head] for head in range(MODEL.heads)],
        decoder_start_token_id=start,
        eos_token_id=end,
        pad_token_id=end,
    )
    with tempfile.TemporaryDirectory() as scratch:
        network.save_pretrained(scratch)
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>").save_pretrained(scratch)
        tokenizer.save(f"{scratch}/tokenizer.json")
        Path(scratch, "preprocessor_config.json").write_text(
            json.dumps(
                {
                    "feature_extractor_type": "WhisperFeatureExtractor",
                    **AUDIO.arguments(),
                    "padding_seconds": PADDING_SECONDS,
                    "trained_seconds": TRAINED_SECONDS,
                },
                indent=2,
            )
            + "\n"
        )
        converter = TransformersConverter(scratch, copy_files=_FILES)
        converter.convert(f"{scratch}/out", quantization=quantization)
        folder.mkdir(parents=True, exist_ok=True)
        for path in Path(scratch, "out").iterdir():
            shutil.copyfile(path, folder / path.name)


def _config(tokenizer: Tokenizer) -> WhisperConfig:
    end, start = tokenizer.token_to_id("<|endoftext|>"), tokenizer.token_to_id("<|startoftranscript|>")
    return WhisperConfig(
        vocab_size=tokenizer.get_vocab_size(),
        num_mel_bins=AUDIO.feature_size,
        d_model=MODEL.width,
        encoder_layers=MODEL.encoder_layers,
        decoder_layers=MODEL.decoder_layers,
        encoder_attention_heads=MODEL.heads,
        decoder_attention_heads=MODEL.heads,
        encoder_ffn_dim=4 * MODEL.width,
        decoder_ffn_dim=4 * MODEL.width,
        max_source_positions=MODEL.source_positions,
        max_target_positions=MODEL.target_positions,
        decoder_start_token_id=start,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        suppress_tokens=[],
        begin_suppress_tokens=[tokenizer.token_to_id("Ġ"), end],
    )


@click.command()
@click.option("--work", default="training-work", show_default=True, type=click.Path(path_type=Path))
@click.option("--name", default="run", show_default=True, help="The state is WORK/NAME.pt.")
@click.option("--into", required=True, type=click.Path(path_type=Path))
@click.option("--quantization", default="int8", show_default=True)
def main(work: Path, name: str, into: Path, quantization: str) -> None:
    """Export WORK/NAME.pt and print its size."""
    export(work / f"{name}.pt", work / "tokenizer.json", into, quantization)
    size = sum(path.stat().st_size for path in into.iterdir())
    click.echo(f"{into}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
