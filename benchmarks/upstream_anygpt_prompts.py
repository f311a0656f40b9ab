"""Writes the ids of prompts that the authors' code and their version of transformers make, for the tests.

    python benchmarks/upstream_anygpt_prompts.py CHECKOUT TOKENIZER_MODEL OUTPUT

CHECKOUT is a checkout of OpenMOSS/AnyGPT, TOKENIZER_MODEL a sentencepiece model such as the tiny checkpoint's. To be
run in an environment with transformers 4.34.1, sentencepiece and click; omnigap is not needed in it.
"""

from __future__ import annotations

import base64
import importlib
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

VERSION = "4.34.1"

# Name, task of the authors' Prompter, typed text, codes of pictures, codes of clips, written answer to read aloud.
Case = tuple[str, str, str, list[list[int]], list[list[int]], str | None]
CASES: list[Case] = [
    ("question", "interleaved", "What is the capital of France?", [], [], None),
    ("two lines", "interleaved", "What is it?\nAnswer with one word.", [], [], None),
    ("spaces", "interleaved", "  A  question  with   spaces ", [], [], None),
    ("not ascii", "interleaved", "Où est-ce? 北京 \U0001f5e3 done", [], [], None),
    ("speech", "Speech-Instruction", "", [], [[0, 1, 1023, 7, 7]], None),
    ("speech and text", "interleaved", "Answer with one word.", [], [[5, 1000]], None),
    ("two clips", "interleaved", "Answer with one word.", [], [[5, 1000]] * 2, None),
    ("picture", "Image Conversation", "What is this?", [[0, 8191, *range(30)]], [], None),
    ("picture, one word", "Image QA", "What is this?", [[*range(32)]], [], None),
    ("two pictures", "interleaved", "Which one?", [[*range(32)]] * 2, [], None),
    ("read aloud", "interleaved", "Who was it?", [], [], "It was Marie Curie."),
    ("picture read aloud", "Image Conversation", "Who is it?", [[*range(100, 132)]], [], "a b c"),
]


@click.command()
@click.argument("checkout", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("tokenizer_model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
def main(checkout: Path, tokenizer_model: Path, output: Path) -> None:
    if (installed := importlib.metadata.version("transformers")) != VERSION:
        raise click.ClickException(f"transformers {installed} is installed: pip install transformers=={VERSION}")
    sys.path.insert(0, str(checkout / "anygpt" / "src"))
    prompter: Any = importlib.import_module("m_utils.prompter")
    tokens: Any = importlib.import_module("m_utils.anything2token")
    conversation: Any = importlib.import_module("m_utils.conversation")
    tokenizer: Any = importlib.import_module("transformers").LlamaTokenizer(str(tokenizer_model))
    # In the order of the two training stages.
    runs = [
        name
        for kind in tokens.modal_special_str.values()
        for name in (*(f"<{kind['prefix']}{code}>" for code in range(kind["vocab_size"])), kind["sos"], kind["eos"])
    ]
    # In one call: this version builds its index of added tokens again at each.
    tokenizer.add_tokens([*prompter.special_tokens[:4], *runs, *prompter.special_tokens[4:]])
    found: list[dict[str, Any]] = []
    for name, task, text, images, clips, answer in CASES:
        made = prompter.Prompter().generate_insturction_prompt(
            task,
            text,
            [tokens.modality_tokens_to_string(codes, "image") for codes in images],
            [tokens.modality_tokens_to_string(codes, "speech") for codes in clips],
            [],
        )
        turn = conversation.get_conv_template("MMGPT")
        turn.append_message(turn.roles[0], made.strip())
        forced = {} if answer is None else {"force_res_prefix": answer, "force_speech_generation": True}
        ids = tokenizer(turn.get_prompt(**forced)).input_ids
        case = {"name": name, "task": task, "text": text, "images": images, "speech": clips, "answer": answer}
        found.append({**case, "ids": ids})
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    made_with = (
        f"transformers {VERSION}, the slow LlamaTokenizer in its legacy mode; prompts of OpenMOSS/AnyGPT {commit}"
        " (Prompter and Conversation)"
    )
    encoded = base64.b64encode(tokenizer_model.read_bytes()).decode()
    cases = ",\n".join(f"  {json.dumps(case)}" for case in found)
    head = f' "made_with": {json.dumps(made_with)},\n "tokenizer_model": {json.dumps(encoded)}'
    output.write_text(f'{{\n{head},\n "cases": [\n{cases}\n ]\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
