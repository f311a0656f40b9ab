"""The ASR scorer as an instrument: what it hears of known texts, and a sample of answers for human ears."""
