"""Package data: the built-in items, one JSON Lines file per task family."""
