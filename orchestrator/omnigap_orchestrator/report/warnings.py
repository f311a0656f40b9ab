"""The warnings of a run: one list, which the report shows above the results and the terminal below them.

Each is a rule over what is known about the run and its tables; the order is that of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from omnigap.errors import NO_AUDIO
from omnigap.vocabulary import Architecture
from omnigap_orchestrator.analysis import Tables
from omnigap_orchestrator.analysis.denominators import ASR, CONDITION_COUNTS, ERRORS
from omnigap_orchestrator.analysis.latency import IDLE_LATENCY, LATENCY
from omnigap_orchestrator.analysis.scorer_errors import CALIBRATION, SCORER_ERRORS, ScorerErrorsRow
from omnigap_orchestrator.report import formatting, select
from omnigap_orchestrator.report.run_info import RunInfo, ServiceInfo
from omnigap_orchestrator.report.statements import NOT_UNDERSTOOD, is_measured, is_mismatch, word_errors_text


@dataclass(frozen=True, slots=True)
class RunWarning:
    """One warning.

    Attributes:
        key: names it, in summary.json and as part of its anchor in the page.
        title: the first sentence; empty for a remark of lower weight.
        text: the rest, without markup.
    """

    key: str
    title: str
    text: str

    def sentence(self) -> str:
        return f"{self.title} {self.text}".strip()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def run_warnings(info: RunInfo, tables: Tables) -> tuple[RunWarning, ...]:
    """All warnings about a run, the most serious first."""
    found = [rule(info, tables) for rule in _RULES]
    return tuple(warning for warning in found if warning is not None)


RANDOM_WEIGHTS = "random-weights"
"""Key of the warning about random weights, which report and terminal show more prominently than any other."""


def _random_weights(info: RunInfo, tables: Tables) -> RunWarning | None:
    """What answered with random weights, and which figures therefore mean nothing."""
    random = [model for model in info.models if model.random_weights]
    used = {"tts": info.tts, "scorer": info.asr, "second": info.second_asr, "judge": info.judge}
    others = [(_USED_FOR[role], each) for role, each in used.items() if each is not None and each.random_weights]
    if not random and not others:
        return None
    parts = [f"{what.format(_with_parts(service))} mean nothing." for what, service in others]
    made = "`omnigap-serve --tiny` made the weights, to test that all services are connected."
    if not random:
        title = "A service of this run has random weights: the figures that depend on it mean nothing."
        return RunWarning(RANDOM_WEIGHTS, title, " ".join([*parts, made, "No advice is derived from them."]))
    named = formatting.listed([_with_parts(model) for model in random])
    if _all_random(info):
        title = "All models of this run have random weights: none of the figures says anything about a model."
        return RunWarning(RANDOM_WEIGHTS, title, " ".join([f"Models: {named}.", *parts, made, "No advice is derived."]))
    real = formatting.listed([model.name for model in info.models if not model.random_weights])
    title = f"{len(random)} of {len(info.models)} models answered with random weights: their figures mean nothing."
    them = "it" if len(random) == 1 else "them"
    rest = f"No advice is derived about {them}. Not random: {real}."
    return RunWarning(RANDOM_WEIGHTS, title, " ".join([f"Random: {named}.", *parts, made, rest]))


_USED_FOR = {
    "tts": "The voice {} has random weights: answers to spoken questions",
    "scorer": "The ASR scorer {} has random weights: transcripts, and scores by transcript,",
    "second": "The second ASR scorer {} has random weights: its transcripts and scores",
    "judge": "The judge {} has random weights: its ratings",
}


def _with_parts(service: ServiceInfo) -> str:
    return f"{service.name} (its {', '.join(service.random_parts)})" if service.random_parts else service.name


def _misfiled(info: RunInfo, tables: Tables) -> RunWarning | None:
    """Rows that an earlier version stored without comparing digests: it is unknown what else that service did."""
    if not info.misfiled:
        return None
    return RunWarning(
        "misfiled",
        "Stored results come from another service than the one that was asked.",
        f"{'; '.join(info.misfiled)}. They are not used, and their cells are open: run the same command again.",
    )


def _scorer_errors(info: RunInfo, tables: Tables) -> RunWarning | None:
    """Models whose speech the scorer misunderstands by measurement, or about which nothing was measured.

    Against the models' own texts where they have them, else by the voices of a calibration.
    """
    # Without a scorer, the results are of another tool.
    rows = tables.rows(SCORER_ERRORS) if info.asr is not None else []
    # No scorer understands the noise of random weights, and another one would not either.
    random = {model.name for model in info.models if model.random_weights}
    rows = [row for row in rows if row.model not in random] if not _scorer_is_random(info) else []
    bad = [row for row in rows if row.model is not None and is_mismatch(row)]
    unknown = [row for row in rows if row.model is not None and not is_measured(row)]
    # A calibration is read only for models whose own texts decide nothing.
    voices = [row for row in rows if row.against == CALIBRATION and row.wer is not None] if unknown else []
    decided = [row for row in voices if is_measured(row)]
    bad += [row for row in decided if is_mismatch(row)]
    if decided:
        unknown = []
    absent = [row for row in unknown if row.wer is None and not voices]
    few = [row for row in (*unknown, *voices) if row not in absent and not is_measured(row)]
    open_parts = [f"Not measured: how well the ASR scorer understands {_listed(absent)}."] * bool(absent)
    if few:
        what = "texts" if voices else "answers"
        open_parts.append(f"Too few {what} to say whether the ASR scorer understands {_listed(few)}.")
    if open_parts:
        how = "`omnigap-orchestrate calibrate` measures the scorer on the voices of the questions"
        open_parts.append(f"{how}{': more items are needed' if voices else ''}.")
    if bad:
        return RunWarning("scorer-mismatch", _misunderstood(bad), " ".join([_remedy(bad), *open_parts]))
    if not open_parts:
        return None
    # Few texts are only a remark.
    title = open_parts.pop(0) if absent else ""
    return RunWarning("scorer-unmeasured", title, " ".join(open_parts))


def _all_random(info: RunInfo) -> bool:
    return bool(info.models) and all(model.random_weights for model in info.models)


def _scorer_is_random(info: RunInfo) -> bool:
    return info.asr is not None and info.asr.random_weights


def _misunderstood(rows: Sequence[ScorerErrorsRow]) -> str:
    by_verb = {
        "does not understand": [row for row in rows if (row.low or 0.0) > NOT_UNDERSTOOD],
        "misunderstands": [row for row in rows if (row.low or 0.0) <= NOT_UNDERSTOOD],
    }
    said = [f"{verb} {_listed(group)}" for verb, group in by_verb.items() if group]
    return f"The ASR scorer {', and '.join(said)}."


def _remedy(rows: Sequence[ScorerErrorsRow]) -> str:
    return (
        f"Measured against {_measured_against(rows)}. Scores by transcript are too low: choose another scorer "
        "([scorer] endpoints, or its table in [fleet.services]) and run `omnigap-orchestrate transcribe "
        "--accept-scorer`; no model is called."
    )


def _listed(rows: Sequence[ScorerErrorsRow]) -> str:
    return formatting.listed([_subject(row) for row in rows])


def _subject(row: ScorerErrorsRow) -> str:
    name = row.model or f"the voice {row.voice or 'of the questions'}"
    return name if row.wer is None else f"{name} ({word_errors_text(row)})"


def _measured_against(rows: Sequence[ScorerErrorsRow]) -> str:
    own = "the model's own text" if sum(row.model is not None for row in rows) == 1 else "the models' own texts"
    parts = [own] * any(row.model for row in rows) + ["the texts of `calibrate`"] * any(not row.model for row in rows)
    return formatting.listed(parts)


def _espeak(info: RunInfo, tables: Tables) -> RunWarning | None:
    if not info.espeak_warning:
        return None
    return RunWarning("espeak-language", "The voice of this run may be misunderstood.", f"{info.espeak_warning}.")


def _no_audio(info: RunInfo, tables: Tables) -> RunWarning | None:
    """Conditions in which no answer has audio: all failed for this reason, or none of the answers was transcribed."""
    # Without a scorer, the results are of another tool.
    if info.asr is None:
        return None
    key = ["model", "condition"]
    counts = tables.frame(CONDITION_COUNTS).filter(select.is_spoken() & (pl.col("planned") > 0))
    heard = tables.frame(ASR).filter((pl.col("transcribed") > 0) | (pl.col("audio_seconds").fill_null(0) > 0))
    answered = counts.filter(pl.col("answered") > 0).join(heard, on=key, how="anti")
    other = tables.frame(ERRORS).filter(~pl.col("example").str.contains(NO_AUDIO, literal=True).fill_null(False))
    failed = counts.filter(pl.col("failed") == pl.col("planned")).join(other, on=key, how="anti")
    lost = set(answered.select(key).iter_rows()) | set(failed.select(key).iter_rows())
    if not lost:
        return None
    by_model: dict[str, list[str]] = {}
    for model, condition in counts.select(key).iter_rows():
        if (model, condition) in lost:
            by_model.setdefault(model, []).append(condition)
    named = "; ".join(f"{model} in {formatting.listed(names)}" for model, names in by_model.items())
    return RunWarning(
        "no-audio",
        f"No answer has audio: {named}.",
        "Check that the server sends speech: was it started with speech output, and does the model have a voice?",
    )


def _embedded(info: RunInfo, tables: Tables) -> RunWarning | None:
    if not info.embedded:
        return None
    text = "They come from the small demo services that ship with omnigap, and only show that the measurement works."
    if info.shared_asr_checkpoint:
        text += f" {_sharing(info)}, so both tend to misrecognise the same words."
    return RunWarning("embedded", "These numbers say nothing about real models.", text)


def _shared_checkpoint(info: RunInfo, tables: Tables) -> RunWarning | None:
    # The demo models share it by design; their warning says so.
    if info.embedded or not info.shared_asr_checkpoint or _all_random(info):
        return None
    return RunWarning("shared-checkpoint", "", f"{_sharing(info)}, so their errors are not independent.")


def _sharing(info: RunInfo) -> str:
    verb = "uses" if len(info.shared_asr_checkpoint) == 1 else "use"
    return f"{', '.join(info.shared_asr_checkpoint)} {verb} the same ASR checkpoint as the ASR scorer"


def _cascade(info: RunInfo, tables: Tables) -> RunWarning | None:
    """What kind of system a cascade of other models is; the warning of the demo models says it for those."""
    cascades = [service for service in info.models if service.architecture == Architecture.CASCADE.value]
    # Of random weights, it would be a statement about noise.
    found = [service for service in cascades if not service.random_weights]
    if info.embedded or not found:
        return None
    named = "; ".join(f"{each.name} ({', '.join(each.parts)})" if each.parts else each.name for each in found)
    verb, article = ("is", "a cascade") if len(found) == 1 else ("are", "cascades")
    return RunWarning(
        "cascade",
        "",
        f"{named} {verb} {article} of separate models and not an omni model: the gaps are what speech recognition, OCR "
        "and speech synthesis lose before and after a language model.",
    )


def _latency(info: RunInfo, tables: Tables) -> RunWarning | None:
    """Latencies of a run that keeps its services busy, if nothing was measured on an idle service."""
    if (
        _all_random(info)
        or tables.frame(LATENCY).is_empty()
        or not tables.frame(IDLE_LATENCY)["seconds"].drop_nulls().is_empty()
    ):
        return None
    return RunWarning(
        "latency",
        "",
        "The latencies of this run include queueing. `omnigap-orchestrate bench latency` measures them on an idle "
        "service; only those are used for routing.",
    )


_RULES: tuple[Callable[[RunInfo, Tables], RunWarning | None], ...] = (
    _random_weights,
    _misfiled,
    _scorer_errors,
    _espeak,
    _no_audio,
    _embedded,
    _shared_checkpoint,
    _cascade,
    _latency,
)
