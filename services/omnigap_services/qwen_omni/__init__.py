"""Qwen2.5-Omni and Qwen3-Omni through transformers: text, speech and images in, text and speech out."""
