"""Ids and embeddings of prompts. The golden ids were made by transformers 4.29 on the prompts that upstream writes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from omnigap.media import AudioClip
from omnigap.vocabulary import Modality
from omnigap_services.adapter import InputPart, Request
from omnigap_services.nextgpt.prompt import ADDED_TOKENS, Vocabulary, embedded, segments_of
from omnigap_services.options import OptionsError

GOLDEN = Path(__file__).with_name("golden")
ROWS = json.loads((GOLDEN / "prompt_ids.json").read_text())["rows"]
MEDIA: dict[str, InputPart] = {
    "<image>": Image.new("RGB", (4, 4)),
    "<audio>": AudioClip(np.zeros(100, np.float32), 16_000),
}


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(GOLDEN, "delta")


def asked(*parts: InputPart, system_prompt: str = "") -> Request:
    return Request(parts, Modality.TEXT, system_prompt=system_prompt)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row["parts"])[:30])
def test_prompts_have_the_ids_of_the_authors_tokenizer(row: dict[str, Any], vocabulary: Vocabulary) -> None:
    parts = [MEDIA.get(part, part) for part in row["parts"]]
    found = segments_of(asked(*parts), vocabulary)
    assert ["media" if not isinstance(one, list) else one for one in found] == row["segments"]
    assert [one for one in found if not isinstance(one, list)] == [part for part in parts if not isinstance(part, str)]


def test_the_tokens_that_the_tokenizer_saved_are_read(vocabulary: Vocabulary) -> None:
    """Behind the 400 pieces follows Vicuna's token for padding, which moves all others by one."""
    assert list(vocabulary.added.items())[:3] == [("[PAD]", 400), ("<Img>", 401), ("</Img>", 402)]
    assert len(vocabulary) == 400 + 1 + len(ADDED_TOKENS)


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["[IMG0]", "</s>", "<s>", "<Img>", "</Img>", " < ", "> ", "###", "a", " ", "\n", "é", "\0"]),
        max_size=12,
    )
)
def test_a_question_is_text_whatever_it_holds(pieces: list[str]) -> None:
    """No mark in a question becomes a token that asks for a picture or ends the prompt, and none is dropped."""
    words = Vocabulary(GOLDEN, "delta")
    text = "".join(pieces)
    (ids,) = segments_of(asked(text), words)
    assert isinstance(ids, list)
    assert ids[0] == words.bos
    assert not words.hidden & set(ids[1:])
    assert words.decode(ids[1:]) == " ".join(part for part in ("### Human:", text) if part) + "\n### Assistant:"


def test_text_on_each_side_of_an_image_is_a_segment(vocabulary: Vocabulary) -> None:
    picture = MEDIA["<image>"]
    found = segments_of(asked(picture, "Why?", system_prompt="Be brief."), vocabulary)
    texts = [vocabulary.decode(one[1:]) for one in found if isinstance(one, list) and len(one) > 1]
    assert texts == ["### Human: Be brief.", "Why?\n### Assistant:"]
    two = segments_of(asked(picture, picture), vocabulary)
    assert [isinstance(one, list) for one in two].count(False) == 2
    (only,) = segments_of(asked("Why?", "In one word.", system_prompt="Be brief."), vocabulary)
    assert isinstance(only, list)
    assert vocabulary.decode(only[1:]) == "### Human: Be brief.\n\nWhy?\n\nIn one word.\n### Assistant:"


def test_tokens_that_no_file_lists_are_appended_in_the_authors_order(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "tokenizer.model", tmp_path)
    words = Vocabulary(tmp_path, "delta")
    assert words.added == {token: 400 + number for number, token in enumerate(ADDED_TOKENS)}
    assert len(ADDED_TOKENS) == 38
    assert words.bos == 1


@pytest.mark.parametrize("name", ["special_tokens_map.json", "tokenizer_config.json"])
@pytest.mark.parametrize("bos", ["</s>", {"content": "</s>", "lstrip": False}])
def test_the_first_token_is_the_checkpoints(name: str, bos: object, tmp_path: Path) -> None:
    """Vicuna v0 names `</s>` as its first token."""
    shutil.copy(GOLDEN / "tokenizer.model", tmp_path)
    (tmp_path / name).write_text(json.dumps({"bos_token": bos}))
    words = Vocabulary(tmp_path, "delta")
    assert words.text_ids("x")[0] == 2


def test_the_newer_list_of_added_tokens_is_read(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "tokenizer.model", tmp_path)
    tokens = {"0": "<unk>", "1": "<s>", "2": "</s>", **{str(400 + n): token for n, token in enumerate(ADDED_TOKENS)}}
    decoder = {number: {"content": token, "special": False} for number, token in tokens.items()}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": decoder}))
    assert list(Vocabulary(tmp_path, "delta").added) == list(ADDED_TOKENS)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("added_tokens.json", '{"<Img>": 500}', "ids 500 to 500.*the 400 of tokenizer.model"),
        ("added_tokens.json", '{"<Img>": 400, "</Img>": 402}', "without gaps"),
        ("added_tokens.json", "[1]", "holds no object"),
        ("added_tokens.json", '{"<Img>": null}', "can't be read"),
        ("tokenizer_config.json", '{"added_tokens_decoder": [400]}', "can't be read"),
        ("tokenizer_config.json", '{"added_tokens_decoder": {"400": {}}}', "can't be read"),
        ("added_tokens.json", "{", "can't be read"),
        ("tokenizer.model", "nothing", "can't be read"),
    ],
)
def test_a_damaged_tokenizer_is_refused(name: str, text: str, message: str, tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "tokenizer.model", tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(OptionsError, match=f"'delta'.*{message}"):
        Vocabulary(tmp_path, "delta")


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), min_size=1, max_size=5))
def test_shorter_prompts_are_padded_on_the_left(rows: list[list[int]]) -> None:
    table = torch.arange(1.0, 31.0).reshape(10, 3)
    batch = embedded([[row] for row in rows], lambda ids: table[ids], lambda media: torch.zeros(len(media), 3))
    inputs, mask = batch.inputs["inputs_embeds"], batch.inputs["attention_mask"]
    for number, row in enumerate(rows):
        assert batch.tokens(number) == len(row) == int(mask[number].sum())
        assert mask[number].tolist() == sorted(mask[number].tolist())
        torch.testing.assert_close(inputs[number, -len(row) :], table[row])
        assert not inputs[number, : inputs.shape[1] - len(row)].any()


def test_a_vector_takes_the_place_of_its_medium() -> None:
    table = torch.zeros(10, 2)
    first, second = MEDIA["<image>"], MEDIA["<audio>"]
    assert not isinstance(first, str)
    assert not isinstance(second, str)
    prompts = [[[1], first, [2]], [[3]], [[4], second]]
    batch = embedded(prompts, lambda ids: table[ids], lambda media: torch.tensor([[1.0, 1.0], [2.0, 2.0]]))
    assert batch.inputs["inputs_embeds"][..., 0].tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 2]]
