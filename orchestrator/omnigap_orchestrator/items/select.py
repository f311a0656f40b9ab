"""Which items of a set are asked: by task, and so many of them, the tasks taking turns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from omnigap_orchestrator.items.errors import ItemError
from omnigap_orchestrator.items.item import Item
from omnigap_orchestrator.validation import unknown_key


def tasks_of(items: Iterable[Item]) -> tuple[str, ...]:
    """The tasks, in the order in which the items name them."""
    return tuple(dict.fromkeys(item.task for item in items))


def select_items(items: Sequence[Item], *, limit: int | None = None, tasks: Sequence[str] = ()) -> tuple[Item, ...]:
    """Items of the named tasks (none named: all), one of each task in turn, each task in file order.

    The first n of a larger selection are the selection of n, so a raised limit only adds items.

    Args:
        limit: items in all; None: every one.

    Raises:
        ItemError: for a task that no item has, and for a limit below 1.
    """
    if limit is not None and limit < 1:
        raise ItemError(f"--limit is {limit}: it counts items, so give at least 1")
    known = tasks_of(items)
    unknown = [task for task in tasks if task not in known]
    if unknown:
        listed = ", ".join(known)
        raise ItemError(*(f"--task: {unknown_key(task, known, 'task')} (the items have: {listed})" for task in unknown))
    queues = {task: [item for item in items if item.task == task] for task in known if not tasks or task in tasks}
    longest = max((len(queue) for queue in queues.values()), default=0)
    turns = [queue[turn] for turn in range(longest) for queue in queues.values() if turn < len(queue)]
    return tuple(turns[:limit])
