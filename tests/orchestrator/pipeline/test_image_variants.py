"""A model that can't read one font: summary and report attribute the gap to the font, not to the modality."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from omnigap.media import decode_image
from omnigap.media.image import PNG
from omnigap_orchestrator.carriers import ImageStyle, render_text
from omnigap_services.adapter import Turn
from tests.helpers.running import Setting, item
from tests.helpers.served_doubles import Double, Serve, say

ITEMS = [item(f"place {n}") for n in range(24)]
EASY = 4
"""Number of questions that the model reads in any font."""
FONTS = ("DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono")


def pixels(image: Image.Image) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


async def run(root: Path, host: Serve, unreadable: set[str]) -> tuple[dict[str, object], str]:
    """Runs every question as text and in each font; the model fails in the `unreadable` ones.

    Returns summary.json and the report.
    """
    font_of = {
        pixels(decode_image(render_text(str(row["question"]), ImageStyle(font=font)), PNG)): font
        for row in ITEMS[EASY:]
        for font in FONTS
    }

    def answer(turn: Turn) -> None:
        carrier = turn.request.carrier
        unread = isinstance(carrier, Image.Image) and font_of.get(pixels(carrier)) in unreadable
        say(turn, "I see no question." if unread else "Paris")

    tables = {
        "run": {"replicates": len(FONTS), "conditions": ["t2t", "i2t"]},
        "carriers": {"image": {"font": list(FONTS)}},
    }
    setting = Setting(root, {"omni": [await host(Double(answer))]}, items=ITEMS, tables=tables)
    summary = await setting.drive()
    return summary, setting.folder.report.read_text(encoding="utf-8")


async def test_a_gap_in_one_font_is_attributed_to_the_font(tmp_path: Path, host: Serve) -> None:
    summary, _ = await run(tmp_path / "one", host, {"DejaVu Serif"})
    gaps = {row["level"]: row["estimate"] for row in summary["levels"]}  # type: ignore[attr-defined]
    lost = -(len(ITEMS) - EASY) / len(ITEMS)
    assert gaps == {"DejaVu Sans": 0, "DejaVu Sans Mono": 0, "DejaVu Serif": pytest.approx(lost)}
    (spread,) = summary["spreads"]  # type: ignore[misc]
    assert (spread["factor"], spread["finding"], spread["estimate"]) == ("font", "level", pytest.approx(lost / 3))
    assert spread["p_levels"] < 0.001
    (component,) = [row for row in summary["variance"] if row["condition"] == "i2t"]  # type: ignore[attr-defined]
    assert component["share_level"] > 0.5


async def test_a_gap_in_every_font_is_attributed_to_the_modality(tmp_path: Path, host: Serve) -> None:
    summary, _ = await run(tmp_path / "all", host, set(FONTS))
    (spread,) = summary["spreads"]  # type: ignore[misc]
    assert spread["finding"] == "modality"
    assert spread["lowest"] == spread["highest"] < -0.8
