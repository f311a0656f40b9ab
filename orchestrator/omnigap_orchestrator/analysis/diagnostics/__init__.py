"""What stands beside the scores: answer shapes, metrics, the ASR's measures, flags, errors, latency."""
