"""PANDA's classifier as a run scores by it: read from the user's files, and told apart in keys by their digest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from omnigap.digest import digest_of
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.journal import Journal
from omnigap_orchestrator.plan import metric_rules
from omnigap_orchestrator.scoring import PANDA, metric_of
from omnigap_orchestrator.scoring.panda import Panda, PandaError, panda_digest

PANDA_META = "panda"
"""The journal's note of the classifier that its scores follow from."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """What scores the items whose metric is PANDA, where `[scoring]` names its files.

    Attributes:
        digest: of the files.
        panda: None where a stored run is only looked at: what was scored stays so, whatever became of the files.
    """

    digest: str
    panda: Panda | None = None


def classifier_of(config: Config, items: Sequence[Item]) -> Classifier | None:
    """The classifier as its files are now; None where none is configured, or no item is scored by it.

    Raises:
        PandaError: for files that can't be used, and without the packages that they need.
    """
    folder = config.scoring.panda
    if folder is None or not _scores_any(config, items):
        return None
    panda = read_panda(folder)
    return Classifier(panda.digest, panda)


def read_panda(folder: Path) -> Panda:
    """The classifier of a folder.

    Raises:
        PandaError: naming the key, as `Panda.load`.
    """
    try:
        return _loaded(folder, panda_digest(folder))
    except PandaError as error:
        raise PandaError(f"scoring.panda: {error}") from error


def keep_classifier(journal: Journal, classifier: Classifier | None) -> None:
    """Writes the classifier of this call into the journal: the report looks scores up by it."""
    digest = "" if classifier is None else classifier.digest
    if (journal.meta(PANDA_META) or "") != digest:
        journal.set_meta(PANDA_META, digest)


def kept_classifier(journal: Journal, config: Config) -> Classifier | None:
    """The classifier of the last call; itself only where a second scorer's transcripts are to be scored by it."""
    digest = journal.meta(PANDA_META)
    if not digest:
        return None
    folder = config.scoring.panda
    if config.second_scorer is None or folder is None or digest_now(config) != digest:
        return Classifier(digest)
    try:
        return Classifier(digest, _loaded(folder, digest))
    except PandaError:
        return Classifier(digest)


def digest_now(config: Config) -> str | None:
    """The digest of the files as they are now; None where they, or what they need, are no longer there."""
    try:
        return None if config.scoring.panda is None else panda_digest(config.scoring.panda)
    except PandaError:
        return None


def rules_version(scoring: str, classifier: str | None) -> str:
    """One word for all that a score follows from beside the texts: the rules' version, and the classifier's digest."""
    return digest_of([scoring, classifier]) if classifier else scoring


def _scores_any(config: Config, items: Sequence[Item]) -> bool:
    rules = metric_rules(config)
    return any(metric_of(item, rules) == PANDA for item in items)


@lru_cache(maxsize=2)
def _loaded(folder: Path, digest: str) -> Panda:
    """Read once a process, while the files stay as they are."""
    return Panda.load(folder)
