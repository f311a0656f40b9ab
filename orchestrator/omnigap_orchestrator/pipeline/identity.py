"""Which service a stored card belongs to: one that the configuration no longer names must not fill results.

The results of scorers and judges are looked up by the digest of the card that was seen last. While the configured
service is unavailable, that card may be the one of another service, which an earlier configuration named.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from omnigap.v1 import model_service_pb2 as pb
from omnigap_orchestrator.config import Config
from omnigap_orchestrator.fleet import Role
from omnigap_orchestrator.fleet.choose import services_of
from omnigap_orchestrator.journal import Journal, Records
from omnigap_orchestrator.journal.tables import MetaRow

SECOND_SCORER = "second_scorer"
"""Name of the second scorer's card in the journal; the first is stored under its role."""


# Not models and TTS services: their endpoints often change while the service stays the same.
_WITH_SOURCE = frozenset({Role.SCORER, Role.JUDGE})
_FLEET = "fleet "
_TITLES = {Role.SCORER.value: "ASR scorer", SECOND_SCORER: "second scorer", Role.JUDGE.value: "judge"}


def source_of(config: Config, role: Role, name: str) -> str:
    """Where the configuration has a scorer or judge: its endpoints, else the fleet's services of its role.

    Empty if it has none.

    Args:
        name: of the card in the journal.
    """
    sections = {Role.SCORER: config.scorer, Role.JUDGE: config.judge}
    section = config.second_scorer if name == SECOND_SCORER else sections[role]
    if section is None:
        return ""
    if section.endpoints:
        return " ".join(sorted(section.endpoints))
    # Not the kind of the fleet: the same service may be started embedded or by Compose.
    of_role = [(spec.service or spec.name, spec.options) for spec in services_of(config) if spec.role is role]
    return f"{_FLEET}{json.dumps(of_role, sort_keys=True, default=str)}"


def source_row(config: Config, role: Role, name: str) -> MetaRow | None:
    """The row with the place where the service of a new card was found; None for a role without such a row."""
    return MetaRow(_key(role, name), source_of(config, role, name)) if role in _WITH_SOURCE else None


def is_configured(journal: Journal, config: Config, role: str, name: str) -> bool:
    """Whether the stored card is that of the configured service; true where the journal does not say where it was.

    Args:
        role: as in the journal, which may hold roles of earlier versions.
    """
    if role not in _WITH_SOURCE:
        return True
    seen = journal.meta(_key(role, name))
    # What is not configured at all is not looked up either.
    return seen is None or source_of(config, Role(role), name) in ("", seen)


def moved_scorer(journal: Journal, config: Config) -> bool:
    """Whether the configuration has the scorer at another place than the one whose results are stored.

    A command that transcribes nothing connects to it too then: if it has the same digest, the results stay in use.
    """
    return not is_configured(journal, config, Role.SCORER, Role.SCORER)


def outdated_cards(records: Records, config: Config) -> list[str]:
    """Names of the stored cards that are not those of the configured services."""
    return [name for role, name in records.services if not is_configured(records.journal, config, role, name)]


def outdated_notes(outdated: Mapping[str, str], config: Config) -> Iterator[str]:
    """What is not used, because it comes from a scorer or judge that the configuration no longer names.

    Args:
        outdated: name of the service that was seen last, by the name of its card in the journal.
    """
    for name, before in outdated.items():
        where = source_of(config, Role.JUDGE if name == Role.JUDGE.value else Role.SCORER, name)
        yield (
            f"the configured {_TITLES[name]} ({'the one of the fleet' if where.startswith(_FLEET) else where}) was not "
            f"reached yet: results of the one before it ({before}) are not used, and cells that need it stay pending"
        )


# A plan that uses no results of an instrument may replace it without a flag. A later plan may use these results again.
_INSTRUMENTS = (Role.SCORER.value, SECOND_SCORER, Role.TTS.value, Role.JUDGE.value)


def replaced_instruments(journal: Journal, name: str) -> dict[str, str]:
    """The instruments that were replaced without a flag: digest -> name of the service.

    Args:
        name: of the card in the journal.
    """
    return dict(json.loads(journal.meta(_replaced_key(name)) or "{}"))


def replaced_row(
    journal: Journal, name: str, before: pb.DescribeResponse | None, now: pb.DescribeResponse, *, accepted: bool
) -> MetaRow | None:
    """The row for the instruments that count as replaced once `now` is stored; None if it stays as it is.

    Args:
        accepted: whether a flag accepts that results of others are replaced.
    """
    if name not in _INSTRUMENTS:
        return None
    known = replaced_instruments(journal, name)
    replaced = {} if accepted else {digest: title for digest, title in known.items() if digest != now.digest}
    if not accepted and before is not None and before.digest != now.digest:
        replaced[before.digest] = before.name
    return None if replaced == known else MetaRow(_replaced_key(name), json.dumps(replaced))


def _replaced_key(name: str) -> str:
    return f"replaced {name}"


def _key(role: str, name: str) -> str:
    return f"source {role} {name}"
