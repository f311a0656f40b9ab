"""Checks of a configuration and its items that need no service."""

from __future__ import annotations

import difflib
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from omnigap.vocabulary import Modality, primary_language
from omnigap_orchestrator.carriers import CarrierError, ImageStyle, image_styles, render_text
from omnigap_orchestrator.carriers.carrier_set import speech_variants
from omnigap_orchestrator.carriers.render import check_drawable, font_with, load_font
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import FleetKind, ModelConfig
from omnigap_orchestrator.config.services import ServiceRole as Role
from omnigap_orchestrator.extension import extras
from omnigap_orchestrator.fleet.choose import lists_role, models_of_fleet, services_of
from omnigap_orchestrator.items import Item, ItemError, load_items
from omnigap_orchestrator.judge import RubricError, read_rubric
from omnigap_orchestrator.plan import metric_rules
from omnigap_orchestrator.preflight.espeak_voice import planned_warning
from omnigap_orchestrator.preflight.findings import FULL_SCOPE, Finding, PreflightScope, enforce, softened
from omnigap_orchestrator.preflight.random_weights import planned_finding
from omnigap_orchestrator.preflight.services import SCORER_LANGUAGE, unknown_to_scorer
from omnigap_orchestrator.scoring import JUDGE, NUMERIC_LANGUAGES, metric_of
from omnigap_orchestrator.scoring.gold import gold_letters
from omnigap_orchestrator.scoring.score import lacks

FONT = "font"
LETTERS = "letters"


def resolve_fonts(
    config: Config, items: Sequence[Item], scope: PreflightScope = FULL_SCOPE
) -> tuple[Config, list[Finding]]:
    """Chooses an installed font if the default font lacks letters of the items.

    A configured font is never replaced; `check_letters` reports what it lacks.

    Returns:
        The configuration and, if a font was chosen and `scope` makes carriers, a warning that names it.
    """
    image = config.carriers.image
    drawn = scope.drawn(config, items)
    # `model_fields_set` distinguishes a configured font from the default of the same name.
    if "font" in image.model_fields_set or not drawn:
        return config, []
    found = font_with(_letters(drawn))
    if found is None or found in image.font:
        return config, []
    text = f"{image.font[0]} lacks letters of the items; using {found} ([carriers.image] font sets another)"
    image = image.model_copy(update={"font": (found,)})
    resolved = config.model_copy(update={"carriers": config.carriers.model_copy(update={"image": image})})
    return resolved, [Finding.warning(FONT, text)] if scope.makes_carriers else []


def check_fonts(config: Config, items: Sequence[Item], scope: PreflightScope) -> list[Finding]:
    """Whether every configured font can be opened, if questions are drawn."""
    if not scope.drawn(config, items):
        return []
    return [_check_font(style) for style in image_styles(config.carriers.image)]


def _check_font(style: ImageStyle) -> Finding:
    try:
        load_font(style.font, style.size)
    except CarrierError as error:
        return Finding.failed(FONT, str(error))
    return Finding.ok(FONT, f"{Path(style.font).name} at {style.size} pixels")


def check_letters(config: Config, items: Sequence[Item], scope: PreflightScope) -> list[Finding]:
    """Whether the fonts have all letters of the items, and the longest question fits in an image."""
    drawn = scope.drawn(config, items)
    if not drawn:
        return []
    letters, longest = _letters(drawn), max((item.typed for item in drawn), key=len)
    found = [_why_not_drawable(letters, longest, style) for style in image_styles(config.carriers.image)]
    # Styles that differ only in size or colour give the same reason.
    return [Finding.failed(LETTERS, why) for why in dict.fromkeys(found) if why]


def _why_not_drawable(letters: str, longest: str, style: ImageStyle) -> str:
    """Why a style can't draw the items; empty if it can, or if its font can't be opened (see `check_fonts`)."""
    try:
        load_font(style.font, style.size)
    except CarrierError:
        return ""
    try:
        check_drawable(letters, style.font)
        # The longest question, not all letters at once: those could exceed a size limit that no question reaches.
        render_text(longest, style)
    except CarrierError as error:
        return str(error)
    return ""


def _letters(items: Iterable[Item]) -> str:
    """Every character of the questions once, NFC-composed as in `render_text`."""
    return "".join(sorted({sign for item in items for sign in unicodedata.normalize("NFC", item.typed)}))


LOW_DISK_BYTES = 2 * 2**30
"""Free space below which a warning is given: about 12 hours of speech at 24 kHz."""
SHIPPED_LANGUAGES = frozenset({"en"})
"""Languages of the ASR checkpoint that ships with the asr service."""
METRICS = "metrics"
CHOICES = "choices"


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of a check.

    Attributes:
        folder: folder of the run; need not exist.
    """

    config: Config
    items: Sequence[Item]
    scope: PreflightScope
    folder: Path


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        find: returns its findings; may be empty.
        needed: whether a scope uses what is checked. If not, a failed finding becomes a warning.
    """

    find: Callable[[Inputs], list[Finding]]
    needed: Callable[[PreflightScope], bool] = lambda _: True


def check_plan(
    config: Config, items: Sequence[Item], scope: PreflightScope, folder: Path, checks: Sequence[Check] | None = None
) -> list[Finding]:
    """The findings of all checks that need no service, in the order of the checks. Changes nothing.

    Args:
        folder: folder of the run; need not exist.
        checks: None means all of `CHECKS`, and those of extras.
    """
    inputs = Inputs(config, items, scope, folder)
    found: list[Finding] = []
    for check in CHECKS if checks is None else checks:
        each = check.find(inputs)
        found += each if check.needed(scope) else softened(each)
    if checks is None:
        found += [finding for extra in extras() for finding in extra.findings(inputs)]
    return found


def run_preflight(
    config: Config, items: Sequence[Item], scope: PreflightScope, folder: Path, note: Callable[[str], None]
) -> Config:
    """The first step of a command: chooses fonts, stops on a failed finding, and notes each warning.

    Returns:
        The configuration with the chosen fonts.

    Raises:
        PreflightError: a finding is failed.
    """
    config, chosen = resolve_fonts(config, items, scope)
    enforce([*chosen, *check_plan(config, items, scope, folder)], note)
    return config


def read_items(config: Config) -> tuple[tuple[Item, ...], list[Finding]]:
    """The items of a configuration; if they can't be read, no items and a failed finding."""
    try:
        return load_items(config.items), []
    except ItemError as error:
        return (), [Finding.failed("items", str(error))]


def check_items(inputs: Inputs) -> list[Finding]:
    """The number of items. Nothing if there are none: `read_items` has reported why."""
    tasks = {item.task for item in inputs.items}
    return [Finding.ok("items", f"{len(inputs.items)} items in {len(tasks)} tasks")] if inputs.items else []


def check_folder(inputs: Inputs) -> list[Finding]:
    """Whether the folder of the run can be created and written to; checks the nearest parent that exists."""
    place = _nearest_existing(inputs.folder)
    try:
        # Permission bits do not show whether a mount is read-only, so a file is written.
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        reason = error.strerror or error
        text = f"{inputs.folder} can't be written ({reason}): choose another folder with --run-dir"
        return [Finding.failed("run folder", text)]
    return [Finding.ok("run folder", f"{inputs.folder} is writable")]


def check_disk(inputs: Inputs) -> list[Finding]:
    """Whether there is disk space for speech answers."""
    place = _nearest_existing(inputs.folder)
    free = shutil.disk_usage(place).free
    text = f"{free / 2**30:.1f} GiB free at {place}"
    if free < LOW_DISK_BYTES:
        return [Finding.warning("disk", f"{text}: speech answers may fill the disk, choose another --run-dir")]
    return [Finding.ok("disk", text)]


def _nearest_existing(folder: Path) -> Path:
    """A folder, or the nearest of its parents that exists."""
    return next((place for place in (folder, *folder.absolute().parents) if place.exists()), folder)


def check_metrics(inputs: Inputs) -> list[Finding]:
    """Whether each item has what its metric needs, such as gold answers or choices."""
    rules = metric_rules(inputs.config)
    unfit = [(item, metric, why) for item in inputs.items if (why := lacks(item, metric := metric_of(item, rules)))]
    if not unfit:
        return []
    # One example is enough: items of a task usually lack the same thing.
    item, metric, why = unfit[0]
    text = (
        f"{metric} can't score {len(unfit)} items: {item.id!r} of task {item.task} {why}. Fix the items, or "
        "choose another metric in the items' `metric` or [scoring]"
    )
    return [Finding.failed(METRICS, text)]


def check_letters_of_choices(inputs: Inputs) -> list[Finding]:
    """Items whose choices brought letters, and items with several right letters, of which any one counts as right."""
    rules = metric_rules(inputs.config)
    brought = [item for item in inputs.items if item.brought_letters]
    several = [
        item
        for item in inputs.items
        if item.metric is None and metric_of(item, rules) in ("letter", "letters") and len(gold_letters(item)) > 1
    ]
    found = []
    if brought:
        text = (
            f"{_items(brought)}: the choices begin with their letters (A., B., ...), which were removed, since every "
            "prompt letters its choices"
        )
        found.append(Finding.warning(CHOICES, text))
    if several:
        text = (
            f"{_items(several)}: answers holds several letters; metric {metric_of(several[0], rules)!r} is used, set "
            'metric = "letters" if all must be chosen, or "letter" if any one of them is right'
        )
        found.append(Finding.warning(CHOICES, text))
    return found


def check_numeric_languages(inputs: Inputs) -> list[Finding]:
    """Items of numbers and dates in a language whose number words and dates are not read."""
    rules = metric_rules(inputs.config)
    numeric = [
        item
        for item in inputs.items
        if metric_of(item, rules) in ("number", "date") and primary_language(item.language) not in NUMERIC_LANGUAGES
    ]
    if not numeric:
        return []
    tags = sorted({primary_language(item.language) for item in numeric})
    text = f"{_items(numeric)} in {', '.join(tags)}: numbers and dates of these languages are read in digits only"
    return [Finding.warning(METRICS, text)]


def _items(items: Sequence[Item]) -> str:
    """The number of items and the first one's id."""
    count = f"{len(items)} item" + ("s" if len(items) != 1 else "")
    return f"{count} ({items[0].id!r}{' and others' if len(items) > 1 else ''})"


def check_scorer_language(inputs: Inputs) -> list[Finding]:
    """Whether the shipped ASR checkpoint, if it is the scorer, knows the languages of the items."""
    config = inputs.config
    specs = [spec for spec in services_of(config) if spec.role is Role.SCORER and spec.service == "asr"]
    if config.scorer.endpoints or not specs or any(spec.options.get("checkpoint") for spec in specs):
        return []
    why = unknown_to_scorer(config, inputs.items, SHIPPED_LANGUAGES, inputs.scope)
    found = [Finding.failed(SCORER_LANGUAGE, why)] if why else []
    # Compose's scorer may answer instead; services of [fleet.services] are never Compose's. A command that connects
    # checks the languages of the scorer then.
    kind = config.fleet.kind
    certain = kind is FleetKind.EMBEDDED or (config.fleet.services and kind is not FleetKind.COMPOSE)
    return found if certain or not inputs.scope.connects else softened(found)


def check_voice(inputs: Inputs) -> list[Finding]:
    """Whether espeak, if the fleet has it, would speak to a real model or for one."""
    # A command that connects knows the services by their cards, and checks them then.
    text = "" if inputs.scope.connects else planned_warning(inputs.config, inputs.items, inputs.scope)
    return [Finding.warning("voice", text)] if text else []


def check_random_weights(inputs: Inputs) -> list[Finding]:
    """Services that the fleet would start with random weights."""
    config = inputs.config
    models = inputs.scope.models or [model.name for model in config.models] or models_of_fleet(config)
    # As for the voice: a command that connects knows it from the cards.
    return [] if inputs.scope.connects else planned_finding(config, models)


def check_judge(inputs: Inputs) -> list[Finding]:
    """Whether the rubrics can be read, and whether the items that need a judge have one."""
    config, rules = inputs.config, metric_rules(inputs.config)
    judged = sum(metric_of(item, rules) == JUDGE for item in inputs.items)
    if config.judge is None:
        text = f"{judged} items need a judge, and none is configured: add a [judge] section"
        return [Finding.warning("judge", text)] if judged else []
    try:
        rubrics = [read_rubric(name) for name in (config.judge.rubric, config.judge.reference_rubric)]
    except RubricError as error:
        return [Finding.failed("judge", str(error))]
    if not config.judge.endpoints and not lists_role(config, Role.JUDGE):
        text = "[judge] has no endpoints, and no service of the fleet has the role judge: add one of the two"
        # Only a warning for a run: it continues without a judge, and the judged cells stay pending.
        fails = judged and not inputs.scope.connects
        return [Finding.failed("judge", text) if fails else Finding.warning("judge", text)]
    named = ", ".join(f"{rubric.name} ({rubric.scale})" for rubric in rubrics)
    return [Finding.ok("judge", f"{judged} items are judged; rubrics: {named}")]


def check_models(inputs: Inputs) -> list[Finding]:
    """Models that can never answer: they have no endpoints, and no service of the fleet has their name."""
    config, chosen = inputs.config, inputs.scope.models
    known = models_of_fleet(config)
    embedded = config.fleet.kind is FleetKind.EMBEDDED
    # Endpoints that do not answer are not checked here: the service may be started later, and its cells wait.
    return [
        Finding.failed("models", _why_unserved(model, known))
        for model in config.models
        if (embedded or not model.endpoints) and model.name not in known and (not chosen or model.name in chosen)
    ]


def _why_unserved(model: ModelConfig, known: Sequence[str]) -> str:
    why = "no service of the fleet has its name"
    if model.endpoints:
        return f"model {model.name!r}: an embedded fleet does not use its endpoints, and {why}: use --fleet auto"
    near = difflib.get_close_matches(model.name.lower(), known, n=1)
    hint = f": did you mean {near[0]!r}?" if near else f" (it has {', '.join(known) or 'none'})."
    fix = f"Otherwise set its endpoints, or add [fleet.services.{model.name}]"
    return f"model {model.name!r} has no endpoints, and {why}{hint} {fix}"


def check_variants(inputs: Inputs) -> list[Finding]:
    """Image styles and speech variants that no replicate uses."""
    config, replicates = inputs.config, inputs.config.run.replicates
    used = {condition.input for condition in inputs.scope.conditions_of(config)}
    speech = config.carriers.speech
    variants = (
        (Modality.IMAGE, "image styles", len(image_styles(config.carriers.image))),
        (Modality.SPEECH, "speech variants", len(speech_variants(speech.voices, speech.words_per_minute))),
    )
    left = [f"{replicates} of {count} {what}" for form, what, count in variants if form in used and count > replicates]
    if not left:
        return []
    text = f"only the first {' and '.join(left)} are used: raise --replicates to use all"
    return [Finding.warning("variants", text)]


CHECKS = (
    Check(check_items),
    Check(check_folder),
    Check(check_disk),
    Check(check_metrics, lambda scope: scope.plans_cells),
    Check(check_letters_of_choices),
    Check(check_numeric_languages),
    Check(lambda i: check_fonts(i.config, i.items, i.scope), lambda scope: scope.finds_carriers),
    Check(lambda i: check_letters(i.config, i.items, i.scope), lambda scope: scope.makes_carriers),
    Check(check_scorer_language, lambda scope: scope.transcribes),
    Check(check_voice, lambda scope: scope.generates),
    Check(check_random_weights),
    Check(check_judge, lambda scope: scope.judges),
    Check(check_models, lambda scope: scope.generates),
    Check(check_variants, lambda scope: scope.generates),
)
"""The checks of the core in the order of their report; the findings of extras follow."""
