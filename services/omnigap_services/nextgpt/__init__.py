"""The `nextgpt` service: NExT-GPT, ImageBind in front of Vicuna, with text answers."""
