"""Rendered images: determinism, layout, fonts, and errors for text that cannot be drawn."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from omnigap.media import ImageLimits, decode_image
from omnigap.vocabulary import AnswerType
from omnigap_orchestrator.carriers import CarrierError, ImageStyle, image_carrier_key, image_styles, render_text
from omnigap_orchestrator.carriers import render as fonts
from omnigap_orchestrator.carriers.render import FONTS, check_drawable, font_path, wrap
from omnigap_orchestrator.config import ImageConfig
from omnigap_orchestrator.items import Item, load_items

PASSAGE = "The harbour town lay under a grey sky when the first ships came in from the north. " * 5
CHOICES = Item(
    "m",
    "mc",
    "en",
    "Which of these countries has a coast on the Baltic Sea?",
    ("B",),
    AnswerType.LETTER,
    choices=("Switzerland", "Lithuania", "Portugal", "Hungary"),
)


def pixels(data: bytes) -> npt.NDArray[np.uint8]:
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        return np.asarray(image)


def margins(data: bytes, style: ImageStyle) -> tuple[int, int, int, int]:
    """Left, top, right and bottom margins around what is drawn."""
    drawn = pixels(data)
    background = np.array(Image.new("RGB", (1, 1), style.background))[0, 0]
    rows, columns = np.nonzero((drawn != background).any(axis=2))
    return columns.min(), rows.min(), drawn.shape[1] - 1 - columns.max(), drawn.shape[0] - 1 - rows.max()


def test_rendering_is_deterministic_across_processes() -> None:
    code = (
        "import sys; from omnigap_orchestrator.carriers import ImageStyle, render_text;"
        f"sys.stdout.buffer.write(render_text({CHOICES.typed!r}, ImageStyle()))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert other == render_text(CHOICES.typed, ImageStyle())


def test_rendering_does_not_import_matplotlib() -> None:
    code = (
        "import sys; from omnigap_orchestrator.carriers import ImageStyle, render_text;"
        "render_text('a', ImageStyle()); sys.exit('matplotlib' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ocr_reads_the_rendered_text() -> None:
    rapidocr = pytest.importorskip("rapidocr")
    result = rapidocr.RapidOCR()(render_text(CHOICES.typed, ImageStyle()))
    read = "".join("".join(result.txts).split())
    assert read == "".join(CHOICES.typed.split())


@pytest.mark.parametrize("font", sorted(FONTS))
def test_text_stays_within_the_margins(font: str) -> None:
    style = ImageStyle(font=font)
    data = render_text(f"{PASSAGE}\n{CHOICES.typed}", style)
    assert pixels(data).shape[1] == 768
    assert min(margins(data, style)) >= style.margin - 2


def test_height_follows_the_text() -> None:
    heights = [pixels(render_text(text, ImageStyle())).shape[0] for text in ("One?", CHOICES.typed, PASSAGE * 3)]
    assert heights == sorted(set(heights))
    assert heights[0] < 150


def test_style_sets_colours_size_and_width() -> None:
    style = ImageStyle(size=40, colour="#ff0000", background="#000080", width=400, margin=10)
    drawn = pixels(render_text("HHH", style))
    assert drawn.shape[1] == 400
    assert tuple(drawn[0, 0]) == (0, 0, 128)
    assert (drawn == (255, 0, 0)).all(axis=2).any()
    assert margins(render_text("HHH", ImageStyle(size=20)), ImageStyle()) > margins(render_text("HHH", style), style)


def test_font_file_by_path(tmp_path: Path) -> None:
    custom = tmp_path / "custom.ttf"
    custom.write_bytes(font_path("DejaVu Serif").read_bytes())
    assert render_text("abc", ImageStyle(font=str(custom))) == render_text("abc", ImageStyle(font="DejaVu Serif"))
    assert render_text("abc", ImageStyle(font=str(custom))) != render_text("abc", ImageStyle())


def test_words_are_wrapped_by_width() -> None:
    lines = wrap(PASSAGE, 100, lambda text: 5.0 * len(text))
    assert max(len(line.text) for line in lines) <= 20
    assert " ".join(line.text for line in lines) == PASSAGE.strip()


def test_word_wider_than_the_line_is_split() -> None:
    lines = wrap("see " + "x" * 45, 100, lambda text: 5.0 * len(text))
    assert [line.text for line in lines] == ["see", "x" * 20, "x" * 20, "x" * 5]
    assert [line.text for line in wrap("abc", 1, lambda text: 5.0 * len(text))] == ["a", "b", "c"]


def test_continuation_lines_of_choices_are_indented() -> None:
    lines = wrap("Which?\nA. one two three four five\nB. six", 60, lambda text: 5.0 * len(text))
    assert [line.text for line in lines] == ["Which?", "A. one two", "three", "four five", "B. six"]
    assert [line.indent for line in lines] == [0, 0, 15, 15, 0]
    assert [line.opens_choice for line in lines] == [False, True, False, False, True]


def test_composed_and_decomposed_letters_render_the_same() -> None:
    assert render_text("caf\u00e9", ImageStyle()) == render_text("cafe\u0301", ImageStyle())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("수도는 어디입니까?", ["'수'", "U+C218 HANGUL SYLLABLE SU", "'DejaVu Sans'", "[carriers.image] font"]),
        ("nice 🙂", ["U+1F642", "[carriers.image] font"]),
        ("שלום", ["HEBREW LETTER SHIN", "carriers.image"]),
        (" \n ", ["nothing to draw"]),
        ("x" * 20_001, ["20001 characters", "20000"]),
    ],
)
def test_text_that_cannot_be_drawn_raises(text: str, expected: list[str]) -> None:
    with pytest.raises(CarrierError) as caught:
        render_text(text, ImageStyle())
    for words in expected:
        assert words in str(caught.value)


def test_image_over_the_pixel_limit_raises() -> None:
    with pytest.raises(CarrierError, match=r"over the limit of 100000 pixels: make \[carriers.image\] size smaller"):
        render_text(PASSAGE, ImageStyle(), ImageLimits(max_pixels=100_000))


def test_invalid_fonts_raise(tmp_path: Path) -> None:
    with pytest.raises(CarrierError, match=r"\[carriers.image\] font: 'Comic' .*DejaVu Sans"):
        render_text("a", ImageStyle(font="Comic"))
    (tmp_path / "bad.ttf").write_bytes(b"no font")
    with pytest.raises(CarrierError, match=r"bad\.ttf can't be opened as a font"):
        render_text("a", ImageStyle(font=str(tmp_path / "bad.ttf")))


@pytest.fixture
def hangul(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A font folder with a copy of DejaVu under the file name of a Hangul font."""
    (tmp_path / "deep").mkdir()
    path = tmp_path / "deep" / "NanumGothic.ttf"
    path.write_bytes(font_path("DejaVu Sans").read_bytes())
    monkeypatch.setattr(fonts, "FONT_FOLDERS", (tmp_path,))
    return path


def test_system_font_by_name(hangul: Path) -> None:
    assert font_path("NanumGothic") == hangul
    assert render_text("abc", ImageStyle(font="NanumGothic")) == render_text("abc", ImageStyle())
    with pytest.raises(CarrierError, match=r"'Noto Sans CJK' is not in .*: install it, or give the path"):
        font_path("Noto Sans CJK")


def test_missing_hangul_font_raises_with_packages_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "FONT_FOLDERS", (tmp_path,))
    with pytest.raises(CarrierError, match=r"fonts-nanum or fonts-noto-cjk.*\[carriers.image\] font \(or --font\)"):
        render_text("수도", ImageStyle())
    with pytest.raises(CarrierError) as caught:
        render_text("nice 🙂", ImageStyle())
    assert "fonts-nanum" not in str(caught.value)


@pytest.mark.skipif(
    not fonts.system_fonts(fonts.FONT_FOLDERS),
    reason="NOT TESTED: no Hangul font on this machine (Debian: apt-get install fonts-nanum)",
)
def test_hangul_renders_with_a_font_that_has_it() -> None:
    font = fonts.font_with("대한민국의 수도는 어디입니까?")
    assert font is not None
    image = decode_image(render_text("대한민국의 수도는 어디입니까?", ImageStyle(font=font)), "image/png")
    other = decode_image(render_text("대한민국의 수도는 무엇입니까?", ImageStyle(font=font)), "image/png")
    assert image.size == other.size
    assert image.tobytes() != other.tobytes()
    with pytest.raises(CarrierError, match=f'set .carriers.image. font = "{font}"'):
        render_text("대한민국", ImageStyle())


def test_width_without_space_for_text_raises() -> None:
    with pytest.raises(CarrierError, match="width 80"):
        render_text("a", ImageStyle(width=80))


def test_image_styles_are_all_combinations() -> None:
    config = ImageConfig.model_validate({"font": ["DejaVu Sans", "DejaVu Serif"], "size": [20, 30], "width": 500})
    styles = image_styles(config)
    assert [(style.font, style.size) for style in styles] == [
        ("DejaVu Sans", 20),
        ("DejaVu Serif", 20),
        ("DejaVu Sans", 30),
        ("DejaVu Serif", 30),
    ]
    assert image_styles(ImageConfig()) == (ImageStyle(),)


def test_image_key_depends_on_text_style_and_font_file(tmp_path: Path) -> None:
    keys = {
        image_carrier_key("a", ImageStyle()),
        image_carrier_key("b", ImageStyle()),
        image_carrier_key("a", ImageStyle(size=29)),
        image_carrier_key("a", ImageStyle(font="DejaVu Serif")),
    }
    assert len(keys) == 4
    custom = tmp_path / "custom.ttf"
    custom.write_bytes(font_path("DejaVu Sans").read_bytes())
    assert image_carrier_key("a", ImageStyle(font=str(custom))) == image_carrier_key("a", ImageStyle())


def test_builtin_questions_can_be_drawn() -> None:
    for item in load_items():
        check_drawable(item.typed, ImageStyle().font)
