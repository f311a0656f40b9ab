"""Intervals and tests of one mean: which one the data allow, and how each is computed."""
