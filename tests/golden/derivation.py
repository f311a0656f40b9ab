"""The derivation of keys of stored work; the only file of these tests that imports that code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import AnswerType, Control, Modality
from omnigap_orchestrator import carriers
from omnigap_orchestrator.carriers import ImageStyle
from omnigap_orchestrator.config.sections import JudgeConfig
from omnigap_orchestrator.config.services import DecodingConfig
from omnigap_orchestrator.extras.readback.readers import Reader, ReadOptions
from omnigap_orchestrator.items.item import Item, OwnCarrier
from omnigap_orchestrator.judge import judge_setup, read_rubric, rubric_of
from omnigap_orchestrator.pipeline.make_carriers import own_carrier_key
from omnigap_orchestrator.plan import FIRST_PASS, AnswerKeys, ModelSpec, scorer_key, transcript_key
from omnigap_orchestrator.plan import score_key as key_of_score

MARKS = {
    "first pass": FIRST_PASS,
    "two-pass": Control.TWO_PASS.value,
    "blank": Control.BLANK.value,
    "repeat": Control.REPEAT.value,
}
"""Names of marks in keys.json -> value in the key; other marks are digests and are used unchanged."""


def answer(
    digest: str,
    carrier: str,
    instruction: str,
    output: str,
    replicate: int,
    *,
    language: str = "en",
    system_prompt: str = "",
    decoding: Mapping[str, Any] | None = None,
    voice: str | None = None,
    marks: Sequence[str] = (),
) -> str:
    spec = ModelSpec(
        "any name", system_prompt=system_prompt, decoding=DecodingConfig.model_validate(decoding or {}), voice=voice
    )
    named = [MARKS.get(mark, mark) for mark in marks]
    return AnswerKeys(spec, digest).key(carrier, instruction, language, Modality(output).value, replicate, *named)


def scorer(digest: str, decoding: Mapping[str, Any]) -> str:
    return scorer_key(digest, DecodingConfig.model_validate(decoding))


def transcript(audio: str, scorer: str, language: str) -> str:
    return transcript_key(audio, scorer, language)


def score(text: str, own_text: str, golds: str, answer_type: str, rules: str) -> str:
    return key_of_score(text, own_text, golds, answer_type, rules)


def speech(text: str, voice: str | None, words_per_minute: float | None, tts: str) -> str:
    return carriers.speech_carrier_key(text, voice, words_per_minute, tts)


def image(text: str, style: Mapping[str, Any], font_bytes: str, folder: Path) -> str:
    """Only the bytes of a font are part of the key, so the path does not matter."""
    font = folder / "font.ttf"
    font.write_bytes(bytes.fromhex(font_bytes))
    return carriers.image_carrier_key(text, ImageStyle(font=str(font), **style))


def blank(medium: str) -> str:
    return carriers.blank_carrier_key(medium)


def own_bytes(data: str, mime_type: str) -> str:
    return own_carrier_key(OwnCarrier(data=bytes.fromhex(data), mime_type=mime_type))


def own_file(path: Path, mime_type: str) -> str:
    return own_carrier_key(OwnCarrier(path=path, mime_type=mime_type))


def rubric(name: str) -> str:
    """Digest of a shipped rubric."""
    return read_rubric(name).digest


def votes(
    judge: str, decoding: Mapping[str, Any], count: int, rubrics: Sequence[str], answers: Sequence[str], answer: str
) -> list[str]:
    """Keys of all votes on one answer to a fixed question, followed by the judge digest of its score.

    Args:
        rubrics: sources of the two rubrics, for items without and with gold answers.
    """
    config = JudgeConfig(votes=count, decoding=DecodingConfig.model_validate(decoding))
    plain, reference = (rubric_of(f"rubric {n}", source, ".toml") for n, source in enumerate(rubrics))
    setup = judge_setup(config, judge, (plain, reference))
    item = Item("q1", "open", "en", "Why is the sky blue?", tuple(answers), AnswerType.OPEN, instruction="Be brief.")
    return [*(prompt.key for prompt in setup.prompts(item, answer)), setup.key(item)]


def reader(digest: str, decoding: Mapping[str, Any], instruction: str) -> str:
    """The key of a reader of `verify`."""
    card = pb.DescribeResponse(name="reader", digest=digest)
    return Reader.of(Modality.IMAGE, card, ReadOptions(DecodingConfig.model_validate(decoding), instruction)).asked


DERIVE: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (answer, scorer, transcript, score, speech, image, blank, own_bytes, rubric, votes, reader)
}
"""Function by kind in keys.json, whose inputs are its arguments."""
