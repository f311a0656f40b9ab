"""The item files that ship with omnigap, one JSON Lines file per task family (package data, no code to import)."""
