"""The `hf-asr` service: other scorers for a second opinion, through transformers."""
