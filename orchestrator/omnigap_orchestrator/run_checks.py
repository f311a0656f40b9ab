"""What the items ask of a configuration: a font that has their letters, ears that know their language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence

from omnigap.errors import OmnigapError
from omnigap.v1 import model_service_pb2 as pb
from omnigap.vocabulary import Modality, primary_language
from omnigap_orchestrator.carriers import image_styles
from omnigap_orchestrator.carriers.carrier_set import CarrierSet
from omnigap_orchestrator.carriers.fonts import font_with, load_font
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.config.services import ServiceRole as Role
from omnigap_orchestrator.fleet.choose import services_of
from omnigap_orchestrator.items import Item, ItemError
from omnigap_orchestrator.pipeline.scope import metric_rules
from omnigap_orchestrator.scoring import JUDGE, metric_of
from omnigap_orchestrator.scoring.needs import lacks

SHIPPED_LANGUAGES = frozenset({"en"})
"""What the checkpoint that the asr service ships was trained on."""


class LanguageError(OmnigapError):
    """The scorer cannot hear the language of the items; the message names the keys that mend it."""


def fitted(config: Config, items: Sequence[Item], on_note: Callable[[str], None] = lambda _: None) -> Config:
    """The configuration with a font of this machine, where it names none and the default lacks the items' letters.

    A font that was named is taken as it is: where it lacks a letter, drawing says so.

    Raises:
        ItemError: where a metric has nothing to look at in an item that it is to score.
    """
    check_metrics(config, items)
    image = config.carriers.image
    if "font" in image.model_fields_set or not draws(config, items):
        return config
    text = "".join(sorted({sign for item in items if Modality.IMAGE not in item.carriers for sign in item.typed}))
    found = font_with(text)
    if found is None or found in image.font:
        return config
    on_note(
        f"the items have letters that {image.font[0]} lacks: drawn in {found}; [carriers.image] font chooses another"
    )
    image = image.model_copy(update={"font": (found,)})
    return config.model_copy(update={"carriers": config.carriers.model_copy(update={"image": image})})


def draws(config: Config, items: Iterable[Item]) -> bool:
    """Whether any question is to be drawn: items may all bring images of their own."""
    shown = any(condition.input is Modality.IMAGE for condition in config.run.conditions)
    return shown and any(Modality.IMAGE not in item.carriers for item in items)


def check_fonts(config: Config, items: Iterable[Item]) -> None:
    """Raises CarrierError where questions are to be drawn in a font that is not there or can't be opened."""
    if draws(config, items):
        for style in image_styles(config.carriers.image):
            load_font(style.font, style.size)


def check_metrics(config: Config, items: Iterable[Item]) -> None:
    """Raises ItemError where a metric, the item's own or the configuration's, has nothing to look at in an item."""
    rules = metric_rules(config)
    unfit = [(item, metric, why) for item in items if (why := lacks(item, metric := metric_of(item, rules)))]
    if unfit:
        item, metric, why = unfit[0]
        raise ItemError(
            f"{metric} can't score {len(unfit)} items: {item.id!r} of task {item.task} {why}. Mend the items, or "
            "choose another metric in the items' `metric` or [scoring]"
        )


def unjudged(config: Config, items: Iterable[Item]) -> str:
    """That items have a judge for their metric and there is none; empty where there is, or none is wanted."""
    rules = metric_rules(config)
    judged = sum(metric_of(item, rules) == JUDGE for item in items)
    if config.judge is not None or not judged:
        return ""
    return f"items whose metric is a judge: {judged}, and none is configured: write a [judge] section"


def unused_variants(config: Config) -> str:
    """Which renderings of the configuration no replicate comes to, and what mends it; empty where all are used."""
    carriers, replicates = CarrierSet(config), config.run.replicates
    inputs = {condition.input for condition in config.run.conditions}
    left = [
        f"{replicates} of {carriers.variants(modality)} {what}"
        for modality, what in ((Modality.IMAGE, "looks of the image"), (Modality.SPEECH, "readings aloud"))
        if modality in inputs and carriers.variants(modality) > replicates
    ]
    if not left:
        return ""
    return f"only the first {' and '.join(left)} are asked: raise --replicates to ask all combinations"


def unknown_languages(wanted: Iterable[str], known: Collection[str]) -> Counter[str]:
    """How often each language is wanted that is none of those known; none where nobody says what is known."""
    tags = {primary_language(tag) for tag in known}
    return Counter(language for language in map(primary_language, wanted) if tags and language not in tags)


def told_languages(known: Collection[str]) -> str:
    """The languages by name, or how many where they are many."""
    tags = {primary_language(tag) for tag in known}
    return ", ".join(sorted(tags)) if len(tags) < 8 else f"{len(tags)} languages"


def unheard(config: Config, items: Iterable[Item], known: Collection[str]) -> str:
    """Why a scorer of these languages cannot score the items' spoken answers, and what mends it; empty where it can.

    Args:
        known: BCP-47 tags that it says it knows; none: it does not say, and is believed.
    """
    if not any(c.output is Modality.SPEECH for c in config.run.conditions):
        return ""
    foreign = unknown_languages((config.scorer.language or item.language for item in items), known)
    if not foreign:
        return ""
    which = ", ".join(f"{language} ({count})" for language, count in sorted(foreign.items()))
    text = ",".join(c.name for c in config.run.conditions if c.output is Modality.TEXT)
    alone = f", or ask for written answers alone (--conditions {text})" if text else ""
    return (
        f"the ASR scorer knows {told_languages(known)}, and items come in {which}: their spoken answers need a "
        "multilingual Whisper, at [scorer] endpoints or as the option checkpoint of asr in [fleet.services] "
        f"(docs/korean.md){alone}"
    )


def check_scorer(config: Config, items: Iterable[Item], card: pb.DescribeResponse) -> None:
    """Raises LanguageError where the scorer that answers now does not know a language of the items."""
    if why := unheard(config, items, card.languages):
        raise LanguageError(why)


def foreign_voices(config: Config, items: Iterable[Item], card: pb.DescribeResponse) -> str:
    """Which voices of the configuration read the items in another language than theirs, and what mends it; or nothing.

    A voice that the service does not list is not judged.
    """
    speaks = {voice.name: primary_language(voice.language) for voice in card.voices}
    named = [voice for voice in config.carriers.speech.voices if voice in speaks]
    languages = {primary_language(item.language) for item in items if Modality.SPEECH not in item.carriers}
    foreign = [f"{voice} ({speaks[voice]})" for voice in named if languages - {speaks[voice]}]
    if not foreign:
        return ""
    return (
        f"{', '.join(foreign)} read aloud items in {', '.join(sorted(languages))}: leave [carriers.speech] voices out, "
        f"and {card.name} takes a voice of each item's language, or name one of its own"
    )


def foreign_items(name: str, items: Iterable[Item], card: pb.DescribeResponse) -> str:
    """That a model says it knows none of the languages of some items; empty where it does, or does not say."""
    unknown = unknown_languages((item.language for item in items), card.languages)
    if not unknown:
        return ""
    foreign = ", ".join(f"{language} ({count})" for language, count in sorted(unknown.items()))
    known = ", ".join(sorted({primary_language(tag) for tag in card.languages}))
    return f"model {name} says that it knows {known}, and items come in {foreign}"


def shipped_unheard(config: Config, items: Iterable[Item]) -> str:
    """The same without asking: where the scorer would be the asr service with the checkpoint that it ships."""
    specs = [spec for spec in services_of(config) if spec.role is Role.SCORER and spec.service == "asr"]
    if config.scorer.endpoints or not specs or any(spec.options.get("checkpoint") for spec in specs):
        return ""
    return unheard(config, items, SHIPPED_LANGUAGES)
