"""What the methods say of the control cells: which were run, and how."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from omnigap.vocabulary import Control
from omnigap_orchestrator.analysis import ANALYSIS_VERSION, Analysis
from omnigap_orchestrator.analysis.controls import CONTROLS
from omnigap_orchestrator.analysis.denominators import CONDITION_COUNTS
from omnigap_orchestrator.analysis.equivalence import EQUIVALENCE
from omnigap_orchestrator.analysis.power import POWER
from omnigap_orchestrator.extension import extras
from omnigap_orchestrator.plan import BLANK_TEXT
from omnigap_orchestrator.report import formatting, select
from omnigap_orchestrator.report.run_info import RunInfo, ServiceInfo


def controls_paragraph(analysis: Analysis, info: RunInfo) -> str:
    """A sentence or two for each kind of control that was asked; empty where none was."""
    counts = analysis.frame(CONTROLS)
    asked = {control: _counts(counts, control) for control in Control if control.value in counts["control"]}
    if not asked:
        return ""
    return " ".join(["Beside these cells, controls were asked.", *(_HOW[c](n, info) for c, n in asked.items())])


def _counts(counts: pl.DataFrame, control: Control) -> str:
    """`280 cells`, or `278 of 280 cells answered`."""
    rows = counts.filter(pl.col("control") == control.value)
    planned, answered = int(rows["planned"].sum()), int(rows["answered"].sum())
    return formatting.plural(planned, "cell") if answered == planned else f"{answered:,} of {planned:,} cells answered"


def _two_pass(counts: str, info: RunInfo) -> str:
    quoted = formatting.listed([f'"{prompt}"' for prompt in info.prompts])
    prompts = f" ({quoted})" if quoted else ""
    return (
        f"Two-pass ({counts}): the model first wrote down the spoken or shown question{prompts}, then answered its own "
        "words as a typed question; the difference to the typed question itself is the loss in perceiving."
    )


def _blank(counts: str, info: RunInfo) -> str:
    return (
        f"Blank ({counts}): the question was replaced by a white image of the same size, by silence of the same "
        f'length, or by a typed empty line ("{BLANK_TEXT}"), and a typed instruction was kept.'
    )


def _repeat(counts: str, info: RunInfo) -> str:
    return f"Repeat ({counts}): each cell was asked once more, with the same request under another id."


_HOW = {Control.TWO_PASS: _two_pass, Control.BLANK: _blank, Control.REPEAT: _repeat}


# The methods paragraph and the provenance table, from what was actually done in this run and analysis.


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the provenance table."""

    name: str
    value: str
    code: bool = False


def methods_paragraphs(results: pl.DataFrame, analysis: Analysis, info: RunInfo) -> tuple[str, ...]:
    """Sentences that can stand in a paper. What is not known is left out, not guessed."""
    told = (_asked(results, analysis, info), controls_paragraph(analysis, info), _scored(results, info))
    of_extras = (extra.methods(analysis, info) for extra in extras())
    return tuple(text for text in (*told, *of_extras, _analysed(analysis)) if text)


def _asked(results: pl.DataFrame, analysis: Analysis, info: RunInfo) -> str:
    models = select.models_of(analysis)
    items, clusters = results["item_id"].n_unique(), results["cluster"].n_unique()
    conditions = analysis.frame(CONDITION_COUNTS)["condition"].unique(maintain_order=True).to_list()
    replicates = results["replicate"].n_unique()
    grouped = f" ({clusters:,} clusters)" if clusters != items else ""
    tasks = formatting.plural(results["task"].n_unique(), "task")
    asked = (
        f"{formatting.plural(items, 'item')} in {tasks}{grouped} were asked of "
        f"{formatting.listed(models)} in {formatting.plural(len(conditions), 'condition')} ({', '.join(conditions)}), where a "
        "name gives input and output modality: t for text, s for speech, i for image."
    )
    sentences = [asked, "A spoken or shown question replaces the typed one entirely."]
    if replicates > 1:
        sentences.append(f"Each cell was planned {replicates} times; replicates were averaged within the item.")
    if info.voices:
        voice = _service(info.tts, "a synthetic voice")
        sentences.append(f"Questions were spoken by {voice}, in {_choices('voice', info.voices)}.")
    if info.fonts:
        sentences.append(f"Question images were drawn in {formatting.listed(list(info.fonts))}.")
    if info.items_source:
        sentences.append(f"Items: {info.items_source}.")
    return " ".join([*sentences, _came_back(analysis)])


def _choices(noun: str, names: tuple[str, ...]) -> str:
    return f"{formatting.plural(len(names), noun)} ({', '.join(names)})"


def _came_back(analysis: Analysis) -> str:
    counts = {
        name: int(analysis.frame(CONDITION_COUNTS)[name].sum())
        for name in ("planned", "answered", "failed", "pending", "unsupported")
    }
    text = f"Of {formatting.plural(counts['planned'], 'planned cell')}, {counts['answered']:,} were answered"
    parts = [f"{counts[name]:,} {word}" for name, word in (("failed", "failed"), ("pending", "are pending"))]
    parts = [part for part in parts if not part.startswith("0 ")]
    if parts:
        text += f"; {formatting.listed(parts)}"
    if counts["unsupported"]:
        text += f"; {formatting.plural(counts['unsupported'], 'further cell')} are unsupported by their model"
    return text + "."


def _scored(results: pl.DataFrame, info: RunInfo) -> str:
    metrics = [m.replace("_", " ") for m in results["metric"].drop_nulls().unique().sort().to_list()]
    by = f" by {formatting.listed(metrics)}" if metrics else ""
    sentences = [f"Answers were scored from 0 to 1{by}, the metric following from the item's answer type."]
    if info.asr is not None:
        sentences.append(
            f"Spoken answers were transcribed by {_service(info.asr, 'the ASR scorer')} and scored as heard, with the "
            "same metric as text answers."
        )
    if info.judge is not None:
        judged = results.filter(pl.col("metric") == "judge").height
        sentences.append(
            f"{formatting.plural(judged, 'open answer')} {'was' if judged == 1 else 'were'} rated by the language model "
            f"{_service(info.judge, 'the judge')}, its scale mapped to 0 to 1; an answer without a readable verdict "
            "is missing, not wrong."
        )
    if info.normaliser:
        sentences.append(
            f"Gold answers, texts and transcripts went through the same normaliser (version {info.normaliser})."
        )
    if info.shared_hearing:
        hears = "hears" if len(info.shared_hearing) == 1 else "hear"
        sentences.append(
            f"The model {formatting.listed(list(info.shared_hearing))} {hears} with the same checkpoint as the ASR scorer, "
            "so their errors are not independent."
        )
    return " ".join(sentences)


def _analysed(analysis: Analysis) -> str:
    options = analysis.options
    gaps = select.headline_gaps(analysis).filter(pl.col("estimate").is_not_null())
    used = [formatting.method(m) for m in gaps["method"].drop_nulls().unique(maintain_order=True).to_list()]
    tests = [formatting.method(m) for m in gaps["p_method"].drop_nulls().unique(maintain_order=True).to_list()]
    intervals = f"Intervals are at {select.level_words(analysis)}" + (
        f", of gaps by {formatting.listed(used)}" if used else ""
    )
    scores = select.headline_accuracy(analysis).filter(pl.col("estimate").is_not_null())["method"].drop_nulls()
    if not scores.is_empty():
        of = formatting.listed([formatting.method(m) for m in scores.unique(maintain_order=True).to_list()])
        intervals += f", of accuracies by {of}"
    if _bootstrapped(analysis):
        intervals += f" ({options.intervals.draws:,} draws and seed {options.intervals.seed} where drawn)"
    sentences = [
        f"The modality gap is the mean difference of scores against {options.reference}, paired by item.",
        intervals + ".",
    ]
    if tests:
        sentences.append(
            f"P-values are by {formatting.listed(tests)}, adjusted after Holm within one model's gaps and within its "
            "effects of one kind, and after Benjamini-Hochberg over the grid of model x task x condition."
        )
    rule = options.missing
    if rule.allow:
        sentences.append("Gaps were computed on answered pairs however many were missing.")
    else:
        sentences.append(
            f"A gap was refused when more than {100 * rule.share:g} % and more than {rule.pairs} of its planned pairs "
            "lacked a score."
        )
    lacking = int(gaps["lacking"].sum() or 0)
    if lacking:
        sentences.append(f"Over all gaps given, {formatting.plural(lacking, 'pair')} lacked a score; bounds are given.")
    sentences += _studied(analysis)
    return " ".join([*sentences, f"Analysis version {ANALYSIS_VERSION}."])


def _studied(analysis: Analysis) -> list[str]:
    """What else was computed: power and equivalence."""
    options, sentences = analysis.options, []
    if not analysis.frame(POWER).is_empty():
        sentences.append(
            f"Sample sizes are those that show a gap of {formatting.points(options.target_gap, signed=False)} points with "
            f"{100 * options.power:g} % power, from this run's own variances and clusters."
        )
    if not analysis.frame(EQUIVALENCE).is_empty():
        level = analysis.frame(EQUIVALENCE)["alpha"][0]
        sentences.append(
            f"That there is no gap is claimed only where two one-sided tests at {100 * level:g} % keep it within "
            f"{formatting.points(options.margin, signed=False)} points."
        )
    return sentences


def _bootstrapped(analysis: Analysis) -> bool:
    """Whether any interval was drawn, from resampled clusters or from a posterior, in whatever table."""
    named = [
        table[column]
        for table in analysis.frames.values()
        for column in table.columns
        if column.endswith("method") and table[column].dtype == pl.String
    ]
    return any(names.fill_null("").str.contains("bootstrap|wild|jeffreys").any() for names in named)


def _service(service: ServiceInfo | None, otherwise: str) -> str:
    if service is None:
        return otherwise
    parts = [
        p
        for p in (
            formatting.short(service.revision),
            service.detail,
            service.digest and f"digest {formatting.short(service.digest)}",
        )
        if p
    ]
    return f"{service.name} ({'; '.join(parts)})" if parts else service.name


def provenance(info: RunInfo, results: pl.DataFrame) -> tuple[Fact, ...]:
    """Where the numbers come from, line by line; lines without a value are left out."""
    lines = [
        Fact("Run", info.name),
        Fact("Started", f"{info.started:%Y-%m-%d %H:%M:%S %Z}".strip() if info.started else ""),
        Fact("Finished", f"{info.finished:%Y-%m-%d %H:%M:%S %Z}".strip() if info.finished else ""),
        Fact("Command", info.command, code=True),
        Fact("Machine", info.machine),
        Fact("Items", info.items_source),
        *(Fact(f"Model {m.name}", _details(m), code=True) for m in info.models),
        *([Fact("ASR scorer", f"{info.asr.name}; {_details(info.asr)}", code=True)] if info.asr else []),
        *([Fact("Judge", f"{info.judge.name}; {_details(info.judge)}", code=True)] if info.judge else []),
        *(
            [Fact("Second scorer", f"{info.second_asr.name}; {_details(info.second_asr)}", code=True)]
            if info.second_asr
            else []
        ),
        *([Fact("Voice service", f"{info.tts.name}; {_details(info.tts)}", code=True)] if info.tts else []),
        Fact("Voices", ", ".join(info.voices)),
        Fact("Fonts", ", ".join(info.fonts)),
        Fact("Normaliser", info.normaliser),
        Fact("Versions", ", ".join(f"{name} {version}" for name, version in info.versions.items())),
        *(Fact("Note", note) for note in info.notes),
    ]
    stale = (
        results.group_by("model")
        .agg(pl.col("model_digest").drop_nulls().n_unique().alias("digests"))
        .filter(pl.col("digests") > 1)
    )
    lines += [
        Fact("Warning", f"answers of {model} come from {n} different digests: not one and the same model")
        for model, n in stale.sort("model").iter_rows()
    ]
    return tuple(line for line in lines if line.value)


def _details(service: ServiceInfo) -> str:
    named = (
        ("", "" if service.architecture == "unspecified" else service.architecture),
        ("revision ", service.revision),
        ("digest ", service.digest),
        ("checkpoint ", service.checkpoint),
        ("", service.detail),
    )
    return "; ".join(f"{name}{value}" for name, value in named if value)
