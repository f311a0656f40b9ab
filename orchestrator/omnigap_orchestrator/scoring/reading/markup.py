r"""Turns Markdown, LaTeX and HTML into plain text, and finds the answers that markup marks.

    **Lyon**                    -> Lyon
    \frac{1}{2}                 -> 1/2
    3 \times 10^{8}\,\text{m}   -> 3 × 10^8 m
    1{,}200                     -> 1,200
    ### Answer\n- `B`           -> Answer\nB

`marked_answers` lists what `\boxed{}`, `####`, `<answer>` or the answer key of a JSON object holds.
"""

from __future__ import annotations

import html
import json
import re

from omnigap_orchestrator.scoring.normalise.numbers import listed

# Every construct below needs one of these characters.
_ANY = re.compile(r"[*_`#~\\${}<&|>\[•]|^[^\S\n]*[-+] ", re.M)

_BRACED = r"\{((?:[^{}]|\{[^{}]*\})*)\}"
_FRACTION = re.compile(rf"\\[dtc]?frac\s*{_BRACED}\s*{_BRACED}")
_SHORT_FRACTION = re.compile(r"\\[dtc]?frac\s*(\d)\s*(\d)")
_MIXED = re.compile(r"(?<=\d)(?=\\[dtc]?frac)")
_ROOT = re.compile(rf"\\sqrt\s*{_BRACED}")
_WRAPPED = re.compile(
    rf"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|operatorname|boldsymbol|bf|emph|mbox|underline|"
    rf"fbox)"
    rf"\s*\*?\s*{_BRACED}"
)
_EXPONENT = re.compile(r"\^\s*\{\s*([^{}]*?)\s*\}")
_LATEX = (
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\[,;:> ]|\\quad|\\qquad|(?<!\\)~(?!~)"), " "),
    (re.compile(r"\\!"), ""),
    (re.compile(r"\\(?:left|right|bigl?|bigr|Bigl?|Bigr|displaystyle|limits)(?![A-Za-z])"), ""),
    (re.compile(r"\\(?:times|cdot)(?![A-Za-z])"), " × "),
    (re.compile(r"\\div(?![A-Za-z])"), " ÷ "),
    (re.compile(r"\^?\\(?:circ|degree)(?![A-Za-z])"), "°"),
    (re.compile(r"\\(?:approx|sim|simeq)(?![A-Za-z])"), " ≈ "),
    (re.compile(r"\\(?:implies|Rightarrow|Longrightarrow|rightarrow|to|therefore)(?![A-Za-z])"), " → "),
    (re.compile(r"\\(?:ge|geq)(?![A-Za-z])"), " ≥ "),
    (re.compile(r"\\(?:le|leq)(?![A-Za-z])"), " ≤ "),
    (re.compile(r"\\(?:neq|ne)(?![A-Za-z])"), " ≠ "),
    (re.compile(r"\\pm(?![A-Za-z])"), " ± "),
    (re.compile(r"\\pi(?![A-Za-z])"), "π"),
    (re.compile(r"\\(?:ldots|dots|cdots)(?![A-Za-z])"), "..."),
    (re.compile(r"\\[()\[\]]|\$\$"), " "),
    (re.compile(r"\\([%$#&_{}])"), r"\1"),
    (re.compile(r"\\\\"), "\n"),
    (re.compile(r"\\(?:begin|end)\{[^{}]*\}"), " "),
    (re.compile(r"\\([A-Za-z]+)"), r"\1"),
)
# "$12$" is mathematics, "$12" and "$5 and $6" are money: a closing $ follows a non-space and precedes no digit.
_DOLLARS = re.compile(r"(?<![\\\w$])\$(?=[^\s$])([^$\n]{1,120}?)(?<=[^\s$\\])\$(?![\w$])")
_BOXED = re.compile(rf"\\(?:boxed|fbox|framebox)\s*{_BRACED}")
_BOXED_BARE = re.compile(r"\\boxed\s+(\S+)")

_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[\w+-]*[ \t]*$", re.M)
_LINK = re.compile(r"!?\[([^\[\]]+)\]\([^()\s]+\)")
_HEADING = re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$", re.M)
_QUOTE = re.compile(r"^[ \t]*>[ \t]?", re.M)
_BULLET = re.compile(r"^[ \t]*(?:[*•]|[-+](?![ \t]+\d))[ \t]+", re.M)
# "- 3" alone is a negative number; two such lines are a list.
_NUMBER_BULLETS = re.compile(r"^[ \t]*[-+][ \t]+(?=\d)", re.M)
_RULE = re.compile(r"^[ \t]*(?:[-*_=][ \t]*){3,}$", re.M)
_EMPHASIS = (
    re.compile(r"(\*{1,3}|_{2,3})(?=\S)([^*\n]+?)(?<=\S)\1"),
    # One underscore only around whole words: snake_case is a name.
    re.compile(r"(?<!\w)(_)(?=\S)([^_\n]+?)(?<=\S)_(?!\w)"),
    re.compile(r"(~~)(?=\S)([^~\n]+?)(?<=\S)~~"),
    re.compile(r"(?<!`)(`{1,3})(?!`)(?=\S)([^`\n]+?)(?<=\S)\1"),
)
# "3*5*2" is a product, and "3 * 5" is never emphasis.
_PRODUCT = re.compile(r"(?<=\d)\*(?=\d)")
_SUPERSCRIPT = re.compile(r"<sup>\s*([^<>]*?)\s*</sup>", re.I)
_BREAK = re.compile(r"<(?:br|/p|/li|/div|/h\d)\s*/?>", re.I)
_TAG = re.compile(
    r"</?(?:b|i|u|em|strong|span|p|li|ul|ol|div|sub|code|pre|h\d|mark|small|font|center|answer|final|final_answer)"
    r"(?:\s[^<>]*)?>",
    re.I,
)


def plain_text(text: str) -> str:
    """The text without markup. Mathematics keeps its signs: `10^{2}` becomes 10^2."""
    if not _ANY.search(text):
        return text
    text = _SUPERSCRIPT.sub(r"^\1", text)
    text = _TAG.sub("", _BREAK.sub("\n", text))
    if "&" in text:
        text = html.unescape(text)
    text = _BOXED_BARE.sub(r"\1", _BOXED.sub(r" \1 ", text))
    if "\\" in text or "{" in text:
        text = _latex(text)
    text = _EXPONENT.sub(r"^\1", _DOLLARS.sub(r"\1", text))
    text = _FENCE.sub("", text)
    text = _LINK.sub(r"\1", _RULE.sub("", text))
    text = _BULLET.sub("", _HEADING.sub(r"\1", _QUOTE.sub("", text)))
    if len(_NUMBER_BULLETS.findall(text)) > 1:
        text = _NUMBER_BULLETS.sub("", text)
    text = _PRODUCT.sub("×", text)
    for pattern in _EMPHASIS:
        # Twice, for bold inside italics.
        text = pattern.sub(r"\2", pattern.sub(r"\2", text))
    return text.strip()


def _latex(text: str) -> str:
    # Innermost braces first; the limit guards against unbalanced input.
    for _ in range(4):
        before = text
        # "4\\frac{1}{2}" is four and a half: a space keeps the whole number apart.
        text = _MIXED.sub(" ", text)
        text = _FRACTION.sub(r"\1/\2", _SHORT_FRACTION.sub(r"\1/\2", text))
        text = _ROOT.sub(r"√\1", _WRAPPED.sub(r"\1", text))
        text = _EXPONENT.sub(r"^\1", text)
        if text == before:
            break
    for pattern, replacement in _LATEX:
        text = pattern.sub(replacement, text)
    return text


_HASHES = re.compile(r"^[ \t]*####[ \t]+(\S[^\n]*)$", re.M)
_ANSWER_TAG = re.compile(r"<(answer|final_answer|final|solution|output)>\s*(.*?)\s*(?:</\1>|$)", re.S | re.I)
_JSON_OBJECT = re.compile(r"\{[^{}]*\}")
_KEYS = listed(
    "final_answer final answer answers choice option letter label result prediction verdict score rating",
    "grade value response",
)


def marked_answers(text: str) -> list[str]:
    r"""What `\boxed{}`, `<answer>`, an answer key of JSON, or GSM8K's `####` holds, in the order of the text.

    A Markdown heading of level four has the same marks as GSM8K's final line; a heading of several words, or one with
    text after it, is a heading.
    """
    found: list[tuple[int, str]] = []
    for match in (*_BOXED.finditer(text), *_BOXED_BARE.finditer(text)):
        found.append((match.start(), match[1]))
    for match in _ANSWER_TAG.finditer(text):
        found.append((match.start(), match[2]))
    for match in _HASHES.finditer(text):
        if not text[match.end() :].strip() and not match[1].rstrip().endswith(":"):
            found.append((match.start(), match[1]))
    for match in _JSON_OBJECT.finditer(text) if '"' in text or "'" in text else ():
        value = json_answer(match[0])
        if value is not None:
            found.append((match.start(), value))
    return [value for _, value in sorted(found) if value.strip()]


def json_answer(text: str) -> str | None:
    """The value of the answer key of a JSON object, or the only value of an object with one key; else None."""
    try:
        parsed = json.loads(text)
    except ValueError:
        try:
            # Python's repr is the commonest object that is almost JSON.
            parsed = json.loads(text.replace("'", '"'))
        except ValueError:
            return None
    if not isinstance(parsed, dict) or not parsed:
        return None
    keys = {str(key).strip().lower().replace(" ", "_"): value for key, value in parsed.items()}
    named = [keys[key] for key in _KEYS if key in keys]
    value = named[0] if named else next(iter(keys.values())) if len(keys) == 1 else None
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, str | int | float) else None
