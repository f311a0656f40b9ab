"""Writes the public files of a run: results, controls, summary, report and manifest."""
