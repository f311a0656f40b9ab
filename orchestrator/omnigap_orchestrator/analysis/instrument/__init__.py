"""The ASR scorer as an instrument: its error rates, scores corrected for them, and human labels beside it."""
