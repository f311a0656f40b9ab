"""A multilingual checkpoint in place of the shipped English one: its languages, and runs in one of them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import tomli_w

from omnigap.errors import ContractError
from omnigap.media import AudioClip
from omnigap_services.asr.engine import AsrEngine
from omnigap_services.asr.options import AsrOptions
from tests.helpers.running import orchestrate
from tests.services.asr.by_package import transcribe_by_package

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "transformers")),
    reason="NOT TESTED: the tiny checkpoint is created with torch and transformers: make models",
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from omnigap_services.torch_utils.versions import let_torchvision_import

    let_torchvision_import()
    from tests.services.asr.tiny_multilingual import multilingual

    return multilingual(tmp_path_factory.mktemp("multilingual"))


def test_transcripts_in_each_language_equal_those_of_faster_whisper(
    checkpoint: Path, say: Callable[..., AudioClip]
) -> None:
    engine = AsrEngine(AsrOptions(checkpoint=str(checkpoint)))
    assert len(engine.languages) == 99
    clip = say("서울은 어느 나라의 수도입니까?", "ko").samples
    texts = {language: engine.transcribe([clip], language)[0].text for language in ("ko", "ko-KR", "en", "de")}
    assert texts["ko"] == texts["ko-KR"] == transcribe_by_package(engine, clip, "ko")
    assert texts["en"] == transcribe_by_package(engine, clip, "en") != texts["ko"]
    with pytest.raises(ContractError, match="'xx' is unknown"):
        engine.transcribe([clip], "xx")


async def test_a_korean_run_is_complete_in_all_six_conditions(checkpoint: Path, tmp_path: Path) -> None:
    """The weights are random and the demo model knows no Korean: all answers are wrong, but all cells are scored."""
    config = {
        "items": {"builtin": "ko", "limit": 3},
        "fleet": {"kind": "embedded", "services": {"asr": {"options": {"checkpoint": str(checkpoint)}}}},
    }
    (tmp_path / "korean.toml").write_text(tomli_w.dumps(config))
    ended = await orchestrate("run", "--config", "korean.toml", folder=tmp_path, patience_s=280)
    assert ended.code == 0, ended.err
    table = pl.read_parquet(tmp_path / "runs" / "korean" / "results.parquet")
    assert table["outcome"].unique().to_list() == ["answered"]
    assert table.height == 18
    spoken = table.filter(pl.col("condition").str.ends_with("s"))
    assert spoken["transcript"].null_count() == 0
