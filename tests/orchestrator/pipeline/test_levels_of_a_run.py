"""A model that cannot read one font: tables and report say that the gap is the font's, and not the image's."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from PIL import Image
from running import Setting, item
from served_doubles import Double, Serve, say

from omnigap.media import decode_image
from omnigap.media.image import PNG
from omnigap_orchestrator.carriers import ImageStyle, render_text
from omnigap_services.adapter import Turn

ITEMS = [item(f"place {n}") for n in range(24)]
EASY = 4
"""So many questions are read in any font."""
FONTS = ("DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono")


def pixels(image: Image.Image) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


async def run(root: Path, host: Serve, unreadable: set[str]) -> tuple[dict[str, object], str]:
    """Every question typed and drawn in each font; the model answers right unless the font is an unreadable one.

    Gives what summary.json holds, and the report.
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


async def test_a_gap_of_one_font_is_told_from_a_gap_of_the_image(tmp_path: Path, host: Serve) -> None:
    summary, page = await run(tmp_path / "one", host, {"DejaVu Serif"})
    gaps = {row["level"]: row["estimate"] for row in summary["levels"]}  # type: ignore[attr-defined]
    lost = -(len(ITEMS) - EASY) / len(ITEMS)
    assert gaps == {"DejaVu Sans": 0, "DejaVu Sans Mono": 0, "DejaVu Serif": pytest.approx(lost)}
    (spread,) = summary["spreads"]  # type: ignore[misc]
    assert (spread["factor"], spread["finding"], spread["estimate"]) == ("font", "level", pytest.approx(lost / 3))
    assert spread["p_levels"] < 0.001
    assert "it depends on the font" in page
    (component,) = [row for row in summary["variance"] if row["condition"] == "i2t"]  # type: ignore[attr-defined]
    assert component["share_level"] > 0.5


async def test_a_gap_in_every_font_is_the_image_s(tmp_path: Path, host: Serve) -> None:
    summary, page = await run(tmp_path / "all", host, set(FONTS))
    (spread,) = summary["spreads"]  # type: ignore[misc]
    assert spread["finding"] == "modality"
    assert spread["lowest"] == spread["highest"] < -0.8
    assert "it generalises to other fonts" in page
