"""The `hf-chat` service: text answers from any causal, image-text or audio-text model of transformers."""
