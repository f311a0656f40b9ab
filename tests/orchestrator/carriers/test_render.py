"""Questions are drawn so that they can be read, the same bytes every time, and what can't be drawn is named."""

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


def ink(data: bytes, style: ImageStyle) -> tuple[int, int, int, int]:
    """Left, top, right and bottom margins around what is drawn."""
    drawn = pixels(data)
    ground = np.array(Image.new("RGB", (1, 1), style.background))[0, 0]
    rows, columns = np.nonzero((drawn != ground).any(axis=2))
    return columns.min(), rows.min(), drawn.shape[1] - 1 - columns.max(), drawn.shape[0] - 1 - rows.max()


def test_the_same_text_gives_the_same_bytes_in_another_process() -> None:
    code = (
        "import sys; from omnigap_orchestrator.carriers import ImageStyle, render_text;"
        f"sys.stdout.buffer.write(render_text({CHOICES.typed!r}, ImageStyle()))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert other == render_text(CHOICES.typed, ImageStyle())


def test_drawing_does_not_import_matplotlib() -> None:
    code = (
        "import sys; from omnigap_orchestrator.carriers import ImageStyle, render_text;"
        "render_text('a', ImageStyle()); sys.exit('matplotlib' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_drawn_can_be_read_back() -> None:
    rapidocr = pytest.importorskip("rapidocr")
    result = rapidocr.RapidOCR()(render_text(CHOICES.typed, ImageStyle()))
    read = "".join("".join(result.txts).split())
    assert read == "".join(CHOICES.typed.split())


@pytest.mark.parametrize("font", sorted(FONTS))
def test_every_named_font_draws_within_the_margins(font: str) -> None:
    style = ImageStyle(font=font)
    data = render_text(f"{PASSAGE}\n{CHOICES.typed}", style)
    assert pixels(data).shape[1] == 768
    assert min(ink(data, style)) >= style.margin - 2


def test_the_height_follows_the_text() -> None:
    heights = [pixels(render_text(text, ImageStyle())).shape[0] for text in ("One?", CHOICES.typed, PASSAGE * 3)]
    assert heights == sorted(set(heights))
    assert heights[0] < 150


def test_colours_size_and_width_are_as_asked() -> None:
    style = ImageStyle(size=40, colour="#ff0000", background="#000080", width=400, margin=10)
    drawn = pixels(render_text("HHH", style))
    assert drawn.shape[1] == 400
    assert tuple(drawn[0, 0]) == (0, 0, 128)
    assert (drawn == (255, 0, 0)).all(axis=2).any()
    assert ink(render_text("HHH", ImageStyle(size=20)), ImageStyle()) > ink(render_text("HHH", style), style)


def test_a_font_file_of_the_user_is_used(tmp_path: Path) -> None:
    mine = tmp_path / "mine.ttf"
    mine.write_bytes(font_path("DejaVu Serif").read_bytes())
    assert render_text("abc", ImageStyle(font=str(mine))) == render_text("abc", ImageStyle(font="DejaVu Serif"))
    assert render_text("abc", ImageStyle(font=str(mine))) != render_text("abc", ImageStyle())


def test_words_are_wrapped_by_width_and_none_is_lost() -> None:
    lines = wrap(PASSAGE, 100, lambda text: 5.0 * len(text))
    assert max(len(line.text) for line in lines) <= 20
    assert " ".join(line.text for line in lines) == PASSAGE.strip()


def test_a_word_wider_than_the_line_is_cut_between_letters() -> None:
    lines = wrap("see " + "x" * 45, 100, lambda text: 5.0 * len(text))
    assert [line.text for line in lines] == ["see", "x" * 20, "x" * 20, "x" * 5]
    assert [line.text for line in wrap("abc", 1, lambda text: 5.0 * len(text))] == ["a", "b", "c"]


def test_choices_begin_on_their_own_line_and_hang_under_their_text() -> None:
    lines = wrap("Which?\nA. one two three four five\nB. six", 60, lambda text: 5.0 * len(text))
    assert [line.text for line in lines] == ["Which?", "A. one two", "three", "four five", "B. six"]
    assert [line.indent for line in lines] == [0, 0, 15, 15, 0]
    assert [line.opens_choice for line in lines] == [False, True, False, False, True]


def test_composed_and_decomposed_letters_are_drawn_alike() -> None:
    assert render_text("caf\u00e9", ImageStyle()) == render_text("cafe\u0301", ImageStyle())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("수도는 어디입니까?", ["'수'", "U+C218 HANGUL SYLLABLE SU", "'DejaVu Sans'", "[carriers.image] font"]),
        ("nice 🙂", ["U+1F642", "[carriers.image] font"]),
        ("שלום", ["HEBREW LETTER SHIN", "carriers.image"]),
        (" \n ", ["nothing to draw"]),
        ("x" * 20_001, ["20001 characters", "20000"]),
    ],
)
def test_a_text_that_can_not_be_drawn_is_named(text: str, said: list[str]) -> None:
    with pytest.raises(CarrierError) as caught:
        render_text(text, ImageStyle())
    for words in said:
        assert words in str(caught.value)


def test_an_image_over_the_limit_is_never_made() -> None:
    with pytest.raises(CarrierError, match=r"over the limit of 100000 pixels: make \[carriers.image\] size smaller"):
        render_text(PASSAGE, ImageStyle(), ImageLimits(max_pixels=100_000))


def test_fonts_that_can_not_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(CarrierError, match=r"\[carriers.image\] font: 'Comic' is no file.*DejaVu Sans"):
        render_text("a", ImageStyle(font="Comic"))
    (tmp_path / "bad.ttf").write_bytes(b"no font")
    with pytest.raises(CarrierError, match=r"bad\.ttf can't be opened as a font"):
        render_text("a", ImageStyle(font=str(tmp_path / "bad.ttf")))


@pytest.fixture
def hangul(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of fonts with one file that goes by the name of a Hangul font; its letters are DejaVu's own."""
    (tmp_path / "deep").mkdir()
    path = tmp_path / "deep" / "NanumGothic.ttf"
    path.write_bytes(font_path("DejaVu Sans").read_bytes())
    monkeypatch.setattr(fonts, "FONT_FOLDERS", (tmp_path,))
    return path


def test_a_font_of_the_machine_is_found_by_its_name(hangul: Path) -> None:
    assert font_path("NanumGothic") == hangul
    assert render_text("abc", ImageStyle(font="NanumGothic")) == render_text("abc", ImageStyle())
    with pytest.raises(CarrierError, match=r"'Noto Sans CJK' is not in .*: install it, or give the path"):
        font_path("Noto Sans CJK")


def test_where_no_font_has_a_letter_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
def test_hangul_is_drawn_with_a_font_that_has_it() -> None:
    font = fonts.font_with("대한민국의 수도는 어디입니까?")
    assert font is not None
    image = decode_image(render_text("대한민국의 수도는 어디입니까?", ImageStyle(font=font)), "image/png")
    other = decode_image(render_text("대한민국의 수도는 무엇입니까?", ImageStyle(font=font)), "image/png")
    assert image.size == other.size
    assert image.tobytes() != other.tobytes()
    with pytest.raises(CarrierError, match=f'set .carriers.image. font = "{font}"'):
        render_text("대한민국", ImageStyle())


def test_a_width_without_room_is_refused() -> None:
    with pytest.raises(CarrierError, match="width 80"):
        render_text("a", ImageStyle(width=80))


def test_the_configuration_s_lists_make_all_combinations() -> None:
    config = ImageConfig.model_validate({"font": ["DejaVu Sans", "DejaVu Serif"], "size": [20, 30], "width": 500})
    styles = image_styles(config)
    assert [(style.font, style.size) for style in styles] == [
        ("DejaVu Sans", 20),
        ("DejaVu Serif", 20),
        ("DejaVu Sans", 30),
        ("DejaVu Serif", 30),
    ]
    assert image_styles(ImageConfig()) == (ImageStyle(),)


def test_the_key_of_an_image_follows_text_style_and_font_file(tmp_path: Path) -> None:
    keys = {
        image_carrier_key("a", ImageStyle()),
        image_carrier_key("b", ImageStyle()),
        image_carrier_key("a", ImageStyle(size=29)),
        image_carrier_key("a", ImageStyle(font="DejaVu Serif")),
    }
    assert len(keys) == 4
    mine = tmp_path / "mine.ttf"
    mine.write_bytes(font_path("DejaVu Sans").read_bytes())
    assert image_carrier_key("a", ImageStyle(font=str(mine))) == image_carrier_key("a", ImageStyle())


def test_every_built_in_question_can_be_drawn() -> None:
    for item in load_items():
        check_drawable(item.typed, ImageStyle().font)
