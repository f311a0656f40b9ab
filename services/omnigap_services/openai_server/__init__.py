"""Proxies of OpenAI-compatible servers: `openai` (chat completions), `openai-asr` and `openai-speech`."""
