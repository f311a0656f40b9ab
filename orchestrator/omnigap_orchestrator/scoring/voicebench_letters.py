"""The letter that VoiceBench's own rules read from a multiple-choice answer, without the letter that it draws.

Rewritten as families of patterns from what src/evaluator/mcq.py of github.com/MatthewCYM/VoiceBench looks for (commit
5338154). Where nothing is found, VoiceBench draws one of four letters; here the answer is unparsable, and wrong.
"""

from __future__ import annotations

import re

LETTERS = "abcd"

# Tiers in the order in which they decide; `#` is the letter. None of them asks for a word boundary behind the letter
# unless it says so: "the answer is cat" reads as C there, and so it does here.
_TIERS = (
    r"答案是 ?#|答案是选项#|答案应该是 ?#|答案就是选项#|答案是‘#|是#：|答案选#|#是正确|选项#是最合适的",
    r"answer is:? ?\*\*#|the answer to the (?:question is:|multiple-choice question is) \*\*#",
    r"the answer is '#'",
    r"# is the best answer",
    r"the (?:correct )?answer is #",
    r"would (?:select|choose) (?:option )?#",
    r'is "#["\.]',
    r"(?:is|is:) \*\*#[\),:\.]|be \*\*#,|is: \*\*#\*\*|option \*\*#:|is: \n\n\*\*#(?:\)|\*\*)|as \*\*#:",
    r'be \*\*#[\):]|(?:suggests|with) \*\*#\)|option \*\*#:|typically "#\)|be to \*\*#\)|is: \n\n#\)|to be: \*\*#\.',
    r"is \*\*# \(|is option \*\*#\*\*|is likely \*\*#\*\*|is:\n\n?\*\*#\.",
    r"would be (?:option )?(?:#|\(#\))",
    r"is #,|is typically #[,\.]|i'd say #\.|option #[\.:,]|the answer is:\n\*\*#",
    r"is #[:\.,]|is: #\.|is \(#\)|is:\n\*\*#\)|is likely \*\*#:|is the \*\*#\)",
    r":\n#[\.\),]|:  ?\n#\.|:\n\n#[\.\)]|is most likely \*\*#:|:\n\n#,|: \n\n#\.",
    r"\(#\) would be|is #\)|is: #\)|is:\n\n#:|is: \*\*#,|\(option #\)|select option \"#\"|is: #",
    r"is (?:typically |likely |most likely |often )?\*\*#(?:\*\*|[,:\)])",
    r"is (?:likely|option) '#'|is '#\)|would be '#'|known as '#'",
    r"(?:is|be):?\s*\*\*#(?:[:\.\),]|\*\*)|is:\n\*\*# |is:\n\n\*\*#|be: \*\*#\*\*|question is (?:# \(|\*\*#\*\*|'#')",
    r"(?:is|be|:)?:?\s*\\[\(\[]\s?(?:\\(?:boxed|text|textbf|mathbf)\{)*#|is \} \\mathbf\{#\.|was option \*\*#\*\*",
    r"to option \*\*#\*\*|is option \*\*# |to:\n- \*\*#:|is likely(?:: \*\*#,| \"#\))|is the \*\*#\*\* ",
    r"be: \n\n#\)|is \"#\)|is:  \n#\)",
    r" #\.",
    r" #,",
    r" #:",
    r" #\)",
    r"\*\*#\.",
    r"\*\*#\)",
    r'"#\.',
    r'"#,',
    r'"#:',
    r"\(#\)",
    r'"#"',
)
_PATTERNS = tuple(tuple((letter, re.compile(tier.replace("#", letter))) for letter in LETTERS) for tier in _TIERS)
_LEADING = re.compile(rf"(?P<letter>[{LETTERS}])(?:[.,:)]|$)")


def clean(response: str) -> str:
    """Without the tags that some of VoiceBench's models leave at the start and the end of an answer."""
    text = response[3:].strip() if response.startswith(("<1>", "<2>", "<3>")) else response
    return text[:-8].strip() if text.endswith("<|user|>") else text


def published_letter(response: str) -> str | None:
    """A to D as VoiceBench reads it; None where it would draw one."""
    text = response.lower()
    if text.startswith(("<1>", "<2>", "<3>")):
        text = text[3:].strip()
    for tier in _PATTERNS:
        for letter, pattern in tier:
            if pattern.search(text):
                return letter.upper()
    match = _LEADING.match(text)
    if match is not None and (len(text) == 1 or text[1:2] in ".,:)"):
        return match["letter"].upper()
    return None
