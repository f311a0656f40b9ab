"""Items: questions with gold answers, read from files, validated and selected."""

from omnigap_orchestrator.items.item import Item, ItemError, OwnCarrier, write_items
from omnigap_orchestrator.items.load import load_items, select_items, tasks_of

__all__ = [
    "Item",
    "ItemError",
    "OwnCarrier",
    "load_items",
    "select_items",
    "tasks_of",
    "write_items",
]
