"""Content digests of items: all that is asked and expected, with the bytes of their own media."""

from __future__ import annotations

from collections.abc import Iterable

from omnigap.digest import digest_of, sha256_hex
from omnigap_orchestrator.items.item import Item, OwnCarrier


def carrier_digest(carrier: OwnCarrier) -> str:
    """SHA-256 of a carrier's bytes, read now; where they came from does not matter.

    Raises:
        OSError: where the file can't be read.
    """
    return sha256_hex(carrier.read())


def item_digest(item: Item) -> str:
    """One digest over all fields of an item but its source, which changes neither question nor score.

    Raises:
        OSError: where a medium can't be read.
    """
    return digest_of(
        {
            "id": item.id,
            "task": item.task,
            "language": item.language,
            "question": item.question,
            "choices": list(item.choices),
            "instruction": item.instruction,
            "answers": list(item.answers),
            "answer_type": item.answer_type.value,
            "cluster": item.cluster,
            "carriers": {modality.value: carrier_digest(carrier) for modality, carrier in item.carriers.items()},
            **({"metric": item.metric} if item.metric is not None else {}),
            **({"checks": [[check.kind, check.arguments] for check in item.checks]} if item.checks else {}),
        }
    )


def items_digest(items: Iterable[Item]) -> str:
    """One digest over a set of items, whatever their order."""
    return digest_of(sorted(item_digest(item) for item in items))
