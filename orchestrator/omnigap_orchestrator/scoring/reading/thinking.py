r"""Removes thinking that a server left in the content of an answer.

    <think>Maybe Paris.</think>Lyon.                        -> Lyon.
    Maybe Paris.</think>Lyon.                               -> Lyon.     (the opening mark was part of the prompt)
    <think>It could be Paris, but let me                    -> nothing   (cut off while thinking)
    <|channel|>analysis<|message|>Maybe Paris.<|end|>
      <|start|>assistant<|channel|>final<|message|>Lyon.    -> Lyon.

An answer is what follows the last closing mark. Text behind an opening mark that is never closed is thinking, whether
or not the token limit cut it off: which of its candidates the model would have chosen is unknown.
"""

from __future__ import annotations

import re

# Tag names that models use: DeepSeek and Qwen (think), prompts for other models (thinking, scratchpad), Seed-OSS
# (seed:think), Sky-T1 (begin_of_thought), Kimi (◁think▷), Magistral ([THINK]), MedGemma (unused94).
_NAMES = r"(?:[a-z]{2,12}:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|scratchpad|analysis|inner_monologue)"
_OPEN = rf"<{_NAMES}(?:\s[^<>]*)?>|\[think(?:ing)?\]|◁think▷|<\|begin_of_thought\|>|<\|thinking\|>|<unused94>"
_CLOSE = rf"</{_NAMES}\s*>|\[/think(?:ing)?\]|◁/think▷|<\|end_of_thought\|>|<\|/thinking\|>|<unused95>"
_MARK = re.compile(rf"(?P<open>{_OPEN})|(?P<close>{_CLOSE})", re.IGNORECASE)

# OpenAI's harmony format: each message names its channel. Gemma writes <|channel>thought ... <channel|>.
_CHANNEL = re.compile(
    r"<\|channel\|>\s*(?P<name>\w+)[^<]*<\|message\|>(?P<body>.*?)(?=<\|(?:end|return|start|channel|call)\|>|$)", re.S
)
_GEMMA = re.compile(r"<\|channel>\s*(?P<name>\w*)\s*\n?(?P<body>.*?)(?:<channel\|>|$)", re.S)
# The same format after a tokenizer has dropped the special tokens.
_FLAT_CHANNELS = re.compile(r"^\s*analysis(?=[A-Z\s]).*?assistant\s*final(?=\W|[A-Z0-9])", re.S)
_FLAT_ANALYSIS = re.compile(r"^\s*analysis(?=[A-Z][a-z])")

# Marks around the answer itself, and tokens that end a turn.
_TOKENS = re.compile(
    r"<\|(?:im_end|im_start|endoftext|end_of_text|eot_id|end|return|start|message|assistant|begin_of_solution|"
    r"end_of_solution|"
    r"end_of_turn|eom_id)\|>|</?s>|<(?:start|end)_of_turn>|<eos>|<bos>|<pad>",
    re.IGNORECASE,
)


def remove_thinking(text: str) -> str:
    """The answer without thinking and without the tokens of a chat template; empty if there is only thinking.

    The function is idempotent.
    """
    # Every mark has one of these characters: most answers have none.
    if not any(c in text for c in "<[◁") and not text.lstrip().startswith("analysis"):
        return text
    text = _final_channel(text)
    kept: list[str] = []
    at, thinking = 0, False
    for mark in _MARK.finditer(text):
        if not thinking:
            kept.append(text[at : mark.start()])
        if mark["close"]:
            if not thinking:
                # A closing mark without an opening one: everything before it was thinking.
                kept.clear()
            thinking = False
        else:
            thinking = True
        at = mark.end()
    if not thinking:
        kept.append(text[at:])
    return _TOKENS.sub("", "".join(kept)).strip() if at or _TOKENS.search(text) else text


def _final_channel(text: str) -> str:
    """The text of the last final channel, or everything outside channels if there is none."""
    if "<|channel|>" in text:
        messages = list(_CHANNEL.finditer(text))
        final = [message["body"] for message in messages if message["name"].lower() == "final"]
        return final[-1] if final else text[: text.index("<|channel|>")]
    if "<|channel>" in text:
        return _GEMMA.sub(lambda match: match["body"] if match["name"].lower() == "final" else "", text)
    if _FLAT_ANALYSIS.match(text) or _FLAT_CHANNELS.match(text):
        whole = _FLAT_CHANNELS.match(text)
        return text[whole.end() :] if whole else ""
    return text
