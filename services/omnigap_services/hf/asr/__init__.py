"""The `hf-asr` service: ASR models of transformers, for a second opinion on spoken answers."""
