"""Which prompts go through the model together: those of similar length, as many as fit."""

from __future__ import annotations

from collections.abc import Sequence


def batches(lengths: Sequence[int], largest: int, most_tokens: int) -> list[tuple[int, ...]]:
    """Cuts prompts, by number, into batches in the order of their length; every prompt in exactly one.

    Decoding is bound by reading the weights, so a batch is only cut where its prompts, padded to the longest, would
    pass `most_tokens`; a single prompt that does so goes alone.

    Args:
        lengths: tokens of each prompt.
        largest: prompts in a batch.
        most_tokens: tokens in a batch, padding included.
    """
    cut: list[tuple[int, ...]] = []
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda number: lengths[number]):
        # In ascending order, so the newest is the longest of the batch.
        if batch and (len(batch) == largest or (len(batch) + 1) * lengths[number] > most_tokens):
            cut.append(tuple(batch))
            batch = []
        batch.append(number)
    return [*cut, tuple(batch)] if batch else cut
