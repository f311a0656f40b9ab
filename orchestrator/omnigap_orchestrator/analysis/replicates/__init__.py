"""Voices and fonts as random factors: what of a gap is the modality's, and what its carrier's."""
