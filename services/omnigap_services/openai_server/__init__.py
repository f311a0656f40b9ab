"""The `openai` service: any model behind a server that speaks OpenAI's chat completions, with audio where it can."""
