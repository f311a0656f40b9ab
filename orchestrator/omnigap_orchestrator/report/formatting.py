"""Formatting of numbers and names in the report: percentage points, p-values, names of methods and conditions."""

from __future__ import annotations

import math
import re

from markupsafe import Markup, escape

from omnigap.vocabulary import Condition, Modality

MINUS = "\u2212"
# Shown where there is no number.
NOTHING = "\u2013"

INPUT_WORDS = {Modality.TEXT: "text question", Modality.SPEECH: "spoken question", Modality.IMAGE: "image question"}
OUTPUT_WORDS = {Modality.TEXT: "text answer", Modality.SPEECH: "spoken answer"}

METHODS = {
    "cluster_t": "cluster-robust t",
    "cluster_t_macro": "cluster-robust t, task-macro",
    "wilson": "Wilson",
    "clopper_pearson": "Clopper-Pearson",
    "clopper_pearson_design_effect": "Clopper-Pearson with design effect",
    "augmented_t": "t with the ends of the scale added",
    "tango": "Tango score",
    "tango_design_effect": "Tango score with design effect",
    "tango_graded": "graded Tango score",
    "wild_cluster_webb": "wild cluster bootstrap (Webb)",
    "wild_cluster_rademacher": "wild cluster bootstrap (Rademacher)",
    "paired_cluster_bootstrap_t": "paired cluster bootstrap-t",
    "mover": "MOVER over tasks",
    "wild_cluster_webb_augmented": "wild cluster bootstrap (Webb) or augmented t, the wider",
    "wild_cluster_rademacher_augmented": "wild cluster bootstrap (Rademacher) or augmented t, the wider",
    "sign_flip_exact": "exact sign-flip",
    "sign_flip_monte_carlo": "sign-flip, Monte Carlo",
    "missing_bounds": "bounds of the missing scores",
    "exact_permutation": "exact permutation",
    "order_statistics": "order statistics",
    "holm": "Holm",
    "benjamini_hochberg": "Benjamini-Hochberg",
    "bootstrap": "cluster bootstrap",
    "cluster_bootstrap_percentile": "cluster bootstrap, percentile",
    "dirichlet_jeffreys": "Jeffreys posterior",
    "none": "not possible",
}


def type_words(architecture: str) -> str:
    """The name of an architecture type in words."""
    return "MoE" if architecture == "moe" else architecture.replace("_", " ")


def known(value: float | None) -> bool:
    """Whether the value is a finite number."""
    return value is not None and math.isfinite(value)


def percent(value: float | None, digits: int = 1) -> str:
    """0.7132 -> `71.3`; the heading has the unit."""
    return NOTHING if value is None or not math.isfinite(value) else f"{100 * value:.{digits}f}"


def points(value: float | None, digits: int = 1, signed: bool = True) -> str:
    """A difference of two shares in percentage points: -0.123 -> `\u221212.3`, 0.02 -> `+2.0`."""
    if value is None or not math.isfinite(value):
        return NOTHING
    text = f"{abs(100 * value):.{digits}f}"
    # A value that rounds to zero gets no sign: "-0.0" would read as a loss.
    if float(text) == 0:
        return text
    return (MINUS if value < 0 else "+" if signed else "") + text


def interval(low: float | None, high: float | None, *, difference: bool) -> str:
    """`[a, b]`, in points for a difference, else in percent and clipped to 0 to 100 (some formulas exceed that)."""
    if low is None or high is None or not (known(low) and known(high)):
        return NOTHING
    if difference:
        return f"[{points(low)}, {points(high)}]"
    return f"[{percent(max(low, 0.0))}, {percent(min(high, 1.0))}]"


def p_value(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return NOTHING
    # As in APA style: without a leading zero, and never "0.0000". Values that round to 1.0000 are written as 1.
    return "< .0001" if value < 0.0001 else "1" if value >= 0.99995 else f"{value:.4f}".removeprefix("0")


def number(value: float | None, digits: int = 2) -> str:
    """A number with thousands separators; one that would round to zero is written as `<0.01`."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if 0 < abs(value) < 0.5 * 10**-digits:
        return f"<{10**-digits:.{digits}f}" if value > 0 else f">{MINUS}{10**-digits:.{digits}f}"
    return f"{value:,.{digits}f}".replace("-", MINUS)


def count(value: int | None) -> str:
    return NOTHING if value is None else f"{value:,}"


def method(name: str | None) -> str:
    if not name:
        return NOTHING
    # Widened intervals (of routing) keep the name of their base method.
    plain = name.removesuffix("_widened")
    return METHODS.get(plain, plain.replace("_", " ")) + (", widened" if plain != name else "")


def plural(n: int, one: str, many: str = "") -> str:
    """`1 item`, `2,000 items`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def listed(parts: list[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


MODALITIES = {"t": "text", "s": "speech", "a": "audio", "i": "image", "v": "vision"}
"""Letters of modalities in the names of conditions, also of those of imported results."""


def modality_words(letters: str) -> str:
    """`av` -> `audio and vision`; letters without a known meaning are returned unchanged."""
    known = [MODALITIES.get(letter, "") for letter in letters]
    return " and ".join(known) if all(known) else letters


def condition_words(name: str) -> str:
    """`s2t` -> `spoken question, text answer`.

    Of the names of imported results, `a2v` is `audio to vision`, and all others are returned unchanged.
    """
    try:
        condition = Condition.parse(name)
    except ValueError:
        source, _, target = name.partition("2")
        if set(source) <= set(MODALITIES) and set(target) <= set(MODALITIES) and source and target:
            return f"{modality_words(source)} to {modality_words(target)}"
        return name
    return f"{INPUT_WORDS[condition.input]}, {OUTPUT_WORDS[condition.output]}"


def with_code(text: str) -> Markup:
    """Text with words between backticks as code; everything is escaped."""
    parts = text.split("`")
    return Markup("").join(Markup("<code>{}</code>").format(p) if n % 2 else escape(p) for n, p in enumerate(parts))


def short(name: str) -> str:
    """A text with only the first twelve characters of every hexadecimal digest in it."""
    return re.sub(r"(?<![0-9a-f])([0-9a-f]{12})[0-9a-f]{20,}(?![0-9a-f])", r"\1", name)


def human_bytes(n: int) -> str:
    return f"{n / 1e6:.1f} MB" if n >= 100_000 else f"{n / 1e3:.1f} kB"
