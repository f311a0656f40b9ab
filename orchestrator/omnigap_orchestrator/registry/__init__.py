"""Known any-to-any systems: architecture, conditions, licence, memory, and how to run them."""

from omnigap_orchestrator.registry.registry import System, load_registry

__all__ = ["System", "load_registry"]
