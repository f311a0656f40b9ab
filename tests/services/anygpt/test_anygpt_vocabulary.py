"""Ids equal those of the authors' tokenizer; runs with a gap are refused; a question's text never becomes a mark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnigap.vocabulary import Modality
from omnigap_services.adapter import InputPart, Request
from omnigap_services.anygpt.tiny import PIECES
from omnigap_services.anygpt.vocabulary import IMAGE_PREFIX, SPEECH_PREFIX, Vocabulary, read_vocabulary
from omnigap_services.options import OptionsError
from tests.services.anygpt.recorded import picture, tone
from tests.services.anygpt.scripted import ADDED, GOLDEN, MODEL, SENTENCEPIECE, WORDS, builder

# Reading the 17,420 added tokens takes part of a second.
few = settings(max_examples=12, deadline=None)


def vocabulary(added: dict[str, int]) -> Vocabulary:
    return Vocabulary(SENTENCEPIECE, added, "option 'checkpoint': it")


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_prompts_have_the_ids_of_the_authors_tokenizer(case: dict[str, Any]) -> None:
    # Several carriers of a case have the same codes.
    speech, image = (next(iter(case[kind]), None) for kind in ("speech", "images"))
    form = "{image} {text} Please provide an accurate answer consisting of only one word or phrase."
    changed = {"image_template": form} if case["task"] == "Image QA" else {}
    made = builder(speech, image, **changed)
    carrier: list[InputPart] = [tone(1.0)] * len(case["speech"]) + [picture()] * len(case["images"])
    text = [case["text"]] if case["text"] else []
    prompt = made.prompt(Request((*carrier, *text), Modality.TEXT))
    ids = list(prompt.ids) if case["answer"] is None else made.continued(prompt, case["answer"])
    assert ids == case["ids"]
    assert (prompt.speech_tokens, prompt.image_tokens) == (sum(map(len, case["speech"])), sum(map(len, case["images"])))


def test_a_carrier_and_an_instruction_are_two_lines_and_a_request_may_set_the_system_prompt() -> None:
    made = builder(system_prompt="")
    texts = [
        WORDS.text(made.prompt(Request(("a", "b"), Modality.TEXT, system)).ids[1:]) for system in ("", "Be brief.")
    ]
    assert texts[0].startswith("[Human]")
    assert texts[1].startswith("Be brief.\n[Human]")
    assert all(text.endswith("[Human]: a\nb<eoh>\n[MMGPT]:") for text in texts)


@few
@given(st.lists(st.sampled_from(["<eoh>", "<sosp>", f"<{SPEECH_PREFIX}7>", "[MMGPT]", "</s>", "<-Res->", " a "])))
def test_a_questions_text_never_becomes_a_mark(words: list[str]) -> None:
    made, added = builder(), set(ADDED.values()) | {2}
    empty = [token for token in made.prompt(Request(("x",), Modality.TEXT)).ids if token in added]
    found = [token for token in made.prompt(Request(("x" + "".join(words),), Modality.TEXT)).ids if token in added]
    assert found == empty
    # The assistant's own text is the user's turn of the second generation in the same way.
    prompt = made.prompt(Request(("x",), Modality.TEXT))
    again = [token for token in made.continued(prompt, "".join(words)) if token in added]
    assert again == [*empty, ADDED["<sosp>"]]


@few
@given(st.lists(st.integers(0, 1023)), st.text(max_size=20))
def test_ids_are_written_as_they_were_read(codes: list[int], text: str) -> None:
    words = WORDS
    assert words.speech is not None
    assert words.speech.codes(words.speech.ids(codes)) == codes
    assert words.text(words.speech.ids(codes)) == "".join(
        ["<sosp>", *(f"<{SPEECH_PREFIX}{code}>" for code in codes), "<eosp>"]
    )
    # U+2581 is sentencepiece's space, and NUL ends its input.
    plain = text.replace("\u2581", "").replace("\0", "")
    assert words.text(words.ids([plain])[1:]) == plain


@few
@given(st.data())
def test_a_run_with_a_gap_is_refused(data: st.DataObject) -> None:
    prefix = data.draw(st.sampled_from([SPEECH_PREFIX, IMAGE_PREFIX]))
    size = 1024 if prefix == SPEECH_PREFIX else 8192
    name = f"<{prefix}{data.draw(st.integers(0, size - 2))}>"
    changed = dict(ADDED)
    if data.draw(st.booleans()):
        del changed[name]
    else:
        changed[name] = max(ADDED.values()) + data.draw(st.integers(1, 9))
    with pytest.raises(OptionsError, match="token <"):
        vocabulary(changed)


@pytest.mark.parametrize("name", ["[Human]", "[MMGPT]", "<eoh>", "<eos>", "<sosp>", "<eosp>", "<soim>", "<eoim>"])
def test_a_missing_mark_is_named(name: str) -> None:
    with pytest.raises(OptionsError) as refused:
        vocabulary({token: number for token, number in ADDED.items() if token != name})
    assert name in str(refused.value)


def test_speech_tokens_without_the_variation_selector_are_no_speech_tokens() -> None:
    assert vocabulary({token.replace("\ufe0f", ""): number for token, number in ADDED.items()}).speech is None


def test_two_tokens_of_one_id_are_refused() -> None:
    with pytest.raises(OptionsError, match="one id"):
        vocabulary({**ADDED, "<extra>": PIECES})


def write(folder: Path, **files: object) -> Path:
    (folder / "tokenizer.model").write_bytes(MODEL)
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "files",
    [
        {"added_tokens": ADDED},
        {"tokenizer_config": {"added_tokens_decoder": {str(n): {"content": t} for t, n in ADDED.items()}}},
        {"tokenizer": {"added_tokens": [{"id": n, "content": t} for t, n in ADDED.items()]}},
        {"added_tokens": ADDED, "tokenizer": {"added_tokens": []}, "tokenizer_config": {"legacy": True}},
    ],
    ids=["added_tokens.json", "tokenizer_config.json", "tokenizer.json", "several"],
)
def test_added_tokens_are_read_from_each_of_their_files(tmp_path: Path, files: dict[str, object]) -> None:
    found = read_vocabulary("anygpt", "checkpoint", write(tmp_path, **files))
    assert found.speech == WORDS.speech
    assert found.ends == {2, *(ADDED[name] for name in ("[Human]", "[MMGPT]", "<eoh>", "<eos>"))}
    assert found.size == PIECES + len(ADDED)


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({}, "no added tokens"),
        ({"added_tokens": "{"}, "added_tokens.json can't be read"),
        ({"added_tokens": [1]}, "added_tokens.json can't be read"),
        ({"added_tokens": {"<sosp>": None}}, "added_tokens.json can't be read"),
        ({"tokenizer_config": {"added_tokens_decoder": {"7": {}}}}, "tokenizer_config.json can't be read"),
        ({"tokenizer": {"added_tokens": ["<eos>"]}}, "tokenizer.json can't be read"),
        ({"added_tokens": ADDED, "tokenizer": {"added_tokens": [{"id": 7, "content": "<eos>"}]}}, "<eos> has id"),
    ],
)
def test_unusable_token_files_are_named(tmp_path: Path, files: dict[str, object], named: str) -> None:
    with pytest.raises(OptionsError, match=named):
        read_vocabulary("anygpt", "checkpoint", write(tmp_path, **files))


@pytest.mark.parametrize("content", [None, b"", b"nonsense", b"version https://git-lfs.github.com/spec/v1\n"])
def test_a_missing_or_damaged_sentencepiece_model_is_named(tmp_path: Path, content: bytes | None) -> None:
    write(tmp_path, added_tokens=ADDED)
    (tmp_path / "tokenizer.model").unlink()
    if content is not None:
        (tmp_path / "tokenizer.model").write_bytes(content)
    with pytest.raises(OptionsError, match=r"tokenizer\.model"):
        read_vocabulary("anygpt", "checkpoint", tmp_path)
