"""The small look-up model that a run without a configuration measures. It needs no GPU, no download and no network."""
