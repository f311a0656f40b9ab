"""The methods paragraphs and the provenance table, generated from the run and its analysis."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from omnigap.vocabulary import Control, primary_language
from omnigap_orchestrator.analysis import ANALYSIS_VERSION, Analysis
from omnigap_orchestrator.analysis.controls import CONTROLS
from omnigap_orchestrator.analysis.denominators import CONDITION_COUNTS
from omnigap_orchestrator.analysis.equivalence import EQUIVALENCE
from omnigap_orchestrator.analysis.power import POWER
from omnigap_orchestrator.extension import extras
from omnigap_orchestrator.plan import BLANK_TEXT
from omnigap_orchestrator.report import formatting, select
from omnigap_orchestrator.report.run_info import RunInfo, ServiceInfo
from omnigap_orchestrator.scoring import NUMERIC_LANGUAGES


@dataclass(frozen=True, slots=True)
class ProvenanceLine:
    """One line of the provenance table; `code`: show the value in a fixed-width font."""

    name: str
    value: str
    code: bool = False


def methods_paragraphs(results: pl.DataFrame, analysis: Analysis, info: RunInfo) -> tuple[str, ...]:
    """Paragraphs for a paper: design, controls, scoring, extras, statistics. Unknown facts are omitted."""
    paragraphs = (_design(results, analysis, info), controls_paragraph(analysis, info), _scoring(results, info))
    of_extras = (extra.methods(analysis, info) for extra in extras())
    return tuple(text for text in (*paragraphs, *of_extras, _statistics(analysis)) if text)


def _design(results: pl.DataFrame, analysis: Analysis, info: RunInfo) -> str:
    models = select.models_of(analysis)
    items, clusters = results["item_id"].n_unique(), results["cluster"].n_unique()
    conditions = analysis.frame(CONDITION_COUNTS)["condition"].unique(maintain_order=True).to_list()
    replicates = results["replicate"].n_unique()
    # By default each item is its own cluster, and the number of clusters says nothing new.
    grouped = f" ({clusters:,} clusters)" if clusters != items else ""
    tasks = formatting.plural(results["task"].n_unique(), "task")
    verb = "was" if items == 1 else "were"
    design = (
        f"{formatting.plural(items, 'item')} in {tasks}{grouped} {verb} answered by "
        f"{formatting.listed(models)} in {formatting.plural(len(conditions), 'condition')} ({', '.join(conditions)})"
    )
    if info.imported:
        sentences = [f"{design}.", "The answers were made with another tool; omnigap analysed its result files."]
    else:
        names = "the names give input and output modality: t for text, s for speech, i for image"
        sentences = [f"{design}; {names}.", "A spoken or image question replaces the text question entirely."]
    if analysis.random_weights:
        # The paragraph may be copied into a paper.
        random = formatting.listed(list(analysis.random_weights))
        sentences.append(f"The figures of {random} depend on random weights and are not measurements of a model.")
    if replicates > 1:
        sentences.append(f"Each cell was planned {replicates} times; replicates were averaged within the item.")
    if info.voices:
        tts = _service(info.tts, "a text-to-speech service")
        sentences.append(f"Questions were synthesised by {tts}, in {_choices('voice', info.voices)}.")
    if info.fonts:
        sentences.append(f"Question images were rendered in {formatting.listed(list(info.fonts))}.")
    if info.items_source:
        sentences.append(f"Items: {info.items_source}.")
    return " ".join([*sentences, _outcomes(analysis)])


def _choices(noun: str, names: tuple[str, ...]) -> str:
    return f"{formatting.plural(len(names), noun)} ({', '.join(names)})"


def _outcomes(analysis: Analysis) -> str:
    counts = {
        name: int(analysis.frame(CONDITION_COUNTS)[name].sum())
        for name in ("planned", "answered", "failed", "pending", "unsupported")
    }
    text = f"Of {formatting.plural(counts['planned'], 'planned cell')}, {counts['answered']:,} were answered"
    parts = [
        f"{counts[name]:,} {verb}" for name, verb in (("failed", "failed"), ("pending", "are pending")) if counts[name]
    ]
    if parts:
        text += f"; {formatting.listed(parts)}"
    if counts["unsupported"]:
        text += f"; {formatting.plural(counts['unsupported'], 'further cell')} are not supported by the model"
    return text + "."


def controls_paragraph(analysis: Analysis, info: RunInfo) -> str:
    """One sentence for each kind of control of the run; empty if there is none."""
    counts = analysis.frame(CONTROLS)
    controls = {control: _counts(counts, control) for control in Control if control.value in counts["control"]}
    if not controls:
        return ""
    sentences = (_CONTROL_SENTENCES[control](cells, info) for control, cells in controls.items())
    return " ".join(["Control cells were run in addition.", *sentences])


def _counts(counts: pl.DataFrame, control: Control) -> str:
    """`280 cells`, or `278 of 280 cells answered` if some have no answer."""
    rows = counts.filter(pl.col("control") == control.value)
    planned, answered = int(rows["planned"].sum()), int(rows["answered"].sum())
    return formatting.plural(planned, "cell") if answered == planned else f"{answered:,} of {planned:,} cells answered"


def _two_pass(counts: str, info: RunInfo) -> str:
    quoted = formatting.listed([f'"{prompt}"' for prompt in info.prompts])
    prompts = f" ({quoted})" if quoted else ""
    return (
        f"Two-pass ({counts}): the model first wrote down the spoken or image question{prompts}, then answered its own "
        "transcript as a text question; the difference to the original text question is the loss in perception."
    )


def _blank(counts: str, info: RunInfo) -> str:
    return (
        f"Blank ({counts}): the question was replaced by a white image of the same size, by silence of the same "
        f'length, or by an empty line of text ("{BLANK_TEXT}"); a text instruction was kept.'
    )


def _repeat(counts: str, info: RunInfo) -> str:
    return f"Repeat ({counts}): the request of each cell was sent once more under another request id."


_CONTROL_SENTENCES = {Control.TWO_PASS: _two_pass, Control.BLANK: _blank, Control.REPEAT: _repeat}


def _scoring(results: pl.DataFrame, info: RunInfo) -> str:
    metrics = [m.replace("_", " ") for m in results["metric"].drop_nulls().unique().sort().to_list()]
    by = f" by {formatting.listed(metrics)}" if metrics else ""
    if info.imported:
        return f"Scores from 0 to 1 are those of the result files{by}."
    sentences = [f"Answers were scored from 0 to 1{by}; the answer type of the item determines the metric."]
    if info.asr is not None:
        sentences.append(
            f"Spoken answers were transcribed by {_service(info.asr, 'the ASR scorer')}, and the transcripts were "
            "scored with the same metric as text answers. Gaps and effects are on the model's own text where it gives "
            "one with its speech, and the difference of the transcript to it is stated beside them."
        )
    if info.judge is not None:
        judged = results.filter(pl.col("metric") == "judge").height
        sentences.append(
            f"{formatting.plural(judged, 'open answer')} {'was' if judged == 1 else 'were'} rated by the language "
            f"model {_service(info.judge, 'the judge')}, its scale mapped to 0 to 1; an answer without a valid verdict "
            "is missing, not wrong."
        )
    if info.normaliser:
        sentences.append(
            f"Gold answers, text answers and transcripts were normalised alike (normaliser version {info.normaliser})."
        )
    # Results of other tools may have no languages.
    languages = results.filter(pl.col("metric").is_in(["number", "date"]))["language"].drop_nulls().unique().sort()
    if others := [tag for tag in languages.to_list() if primary_language(tag) not in NUMERIC_LANGUAGES]:
        sentences.append(
            f"Numbers and dates in {formatting.listed(others)} were read in digits only, since the normaliser does not "
            "know their words."
        )
    if info.shared_asr_checkpoint:
        names = formatting.listed(list(info.shared_asr_checkpoint))
        verb = "uses" if len(info.shared_asr_checkpoint) == 1 else "use"
        sentences.append(
            f"{names} {verb} the same ASR checkpoint as the ASR scorer, so their errors are not independent."
        )
    return " ".join(sentences)


def _statistics(analysis: Analysis) -> str:
    options = analysis.options
    # The methods that were used, not those that could be: the interval depends on the data of each gap.
    gaps = select.headline_gaps(analysis).filter(pl.col("estimate").is_not_null())
    used = [formatting.method(m) for m in gaps["method"].drop_nulls().unique(maintain_order=True).to_list()]
    tests = [formatting.method(m) for m in gaps["p_method"].drop_nulls().unique(maintain_order=True).to_list()]
    intervals = f"Intervals are at the {select.level_words(analysis)} level" + (
        f", of gaps by {formatting.listed(used)}" if used else ""
    )
    scores = select.headline_accuracy(analysis).filter(pl.col("estimate").is_not_null())["method"].drop_nulls()
    if not scores.is_empty():
        of = formatting.listed([formatting.method(m) for m in scores.unique(maintain_order=True).to_list()])
        intervals += f", of accuracies by {of}"
    if _is_resampled(analysis):
        intervals += f" (resampling with {options.intervals.draws:,} draws and seed {options.intervals.seed})"
    sentences = [
        f"The modality gap is the mean difference of scores to {options.reference}, paired by item.",
        intervals + ".",
    ]
    if tests:
        sentences.append(
            f"P-values are by {formatting.listed(tests)}, adjusted after Holm over the gaps and main effects of one "
            "model, and after Benjamini-Hochberg over the grid of model x task x condition."
        )
    rule = options.missing
    if rule.allow:
        sentences.append("Gaps were computed on answered pairs, however many pairs were missing.")
    else:
        sentences.append(
            f"A gap was refused if more than {100 * rule.share:g} % and more than {rule.pairs} of its planned pairs "
            "lacked a score."
        )
    lacking = int(gaps["lacking"].sum() or 0)
    if lacking:
        pairs = formatting.plural(lacking, "pair")
        sentences.append(f"Over all computed gaps, {pairs} lacked a score; bounds are reported.")
    sentences += _power_and_equivalence(analysis)
    return " ".join([*sentences, f"Analysis version {ANALYSIS_VERSION}."])


def _power_and_equivalence(analysis: Analysis) -> list[str]:
    options, sentences = analysis.options, []
    if not analysis.frame(POWER).is_empty():
        sentences.append(
            f"Sample sizes are for a gap of {formatting.points(options.target_gap, signed=False)} points with "
            f"{100 * options.power:g} % power, from the variances and clusters of this run."
        )
    if not analysis.frame(EQUIVALENCE).is_empty():
        level = analysis.frame(EQUIVALENCE)["alpha"][0]
        sentences.append(
            f"Absence of a gap is claimed only if two one-sided tests at {100 * level:g} % show that it lies within "
            f"{formatting.points(options.margin, signed=False)} points, also with missing answers filled in."
        )
    return sentences


def _is_resampled(analysis: Analysis) -> bool:
    """Whether any interval of any table comes from random draws: a bootstrap, or draws of a posterior."""
    named = [
        table[column]
        for table in analysis.frames.values()
        for column in table.columns
        if column.endswith("method") and table[column].dtype == pl.String
    ]
    # In any table, because the sentence states the seed for the whole analysis.
    return any(names.fill_null("").str.contains("bootstrap|wild|jeffreys").any() for names in named)


def provenance(info: RunInfo, results: pl.DataFrame) -> tuple[ProvenanceLine, ...]:
    """The origin of the numbers: services, versions, command. Lines without a value are omitted."""
    lines = [
        ProvenanceLine("Run", info.name),
        ProvenanceLine("Started", f"{info.started:%Y-%m-%d %H:%M:%S %Z}".strip() if info.started else ""),
        ProvenanceLine("Finished", f"{info.finished:%Y-%m-%d %H:%M:%S %Z}".strip() if info.finished else ""),
        ProvenanceLine("Command", info.command, code=True),
        ProvenanceLine("Machine", info.machine),
        ProvenanceLine("Items", info.items_source),
        *(ProvenanceLine(f"Model {m.name}", _details(m), code=True) for m in info.models),
        *([ProvenanceLine("ASR scorer", f"{info.asr.name}; {_details(info.asr)}", code=True)] if info.asr else []),
        *([ProvenanceLine("Judge", f"{info.judge.name}; {_details(info.judge)}", code=True)] if info.judge else []),
        *(
            [ProvenanceLine("Second scorer", f"{info.second_asr.name}; {_details(info.second_asr)}", code=True)]
            if info.second_asr
            else []
        ),
        *([ProvenanceLine("TTS service", f"{info.tts.name}; {_details(info.tts)}", code=True)] if info.tts else []),
        ProvenanceLine("Voices", ", ".join(info.voices)),
        ProvenanceLine("Fonts", ", ".join(info.fonts)),
        ProvenanceLine("Normaliser", info.normaliser),
        ProvenanceLine("Versions", ", ".join(f"{name} {version}" for name, version in info.versions.items())),
        *(ProvenanceLine("Note", note) for note in info.notes),
    ]
    # A model that was redeployed between two calls of `run`: the journal then holds answers of both versions.
    mixed = (
        results.group_by("model")
        .agg(pl.col("model_digest").drop_nulls().n_unique().alias("digests"))
        .filter(pl.col("digests") > 1)
    )
    lines += [
        ProvenanceLine(
            "Warning", f"answers of {model} come from {n} different digests, so from {n} versions of the model"
        )
        for model, n in mixed.sort("model").iter_rows()
    ]
    return tuple(line for line in lines if line.value)


def _details(service: ServiceInfo) -> str:
    named = (
        # ASR, OCR and TTS services declare no architecture.
        ("", service.architecture),
        ("revision ", service.revision),
        ("digest ", service.digest),
        ("checkpoint ", service.checkpoint),
        ("", service.detail),
        ("", "random weights" * service.random_weights),
    )
    return "; ".join(f"{name}{value}" for name, value in named if value)


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
