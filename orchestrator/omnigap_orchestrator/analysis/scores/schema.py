"""The table of what became of the planned cells: its columns, in order, with their types."""

from __future__ import annotations

import polars as pl

CONDITIONS_SCHEMA = pl.Schema(
    {
        "model": pl.String,
        "architecture": pl.String,
        "condition": pl.String,
        "support": pl.String,
        "items": pl.Int64,
        "cells": pl.Int64,
        "planned": pl.Int64,
        "answered": pl.Int64,
        "scored": pl.Int64,
        "unscored": pl.Int64,
        "unsupported": pl.Int64,
        "failed": pl.Int64,
        "pending": pl.Int64,
    }
)
"""Per model and condition: cells = planned + unsupported, planned = answered + failed + pending,
answered = scored + unscored."""
