"""Accuracies, and their differences between conditions, models and architecture types."""
