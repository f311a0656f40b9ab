"""The `hf-chat` service: chat models of transformers that answer in text."""
