"""Loading a configuration: defaults, flags, paths, and errors that name each wrong key, its value and the fix."""

import re
from pathlib import Path

import pytest

from omnigap.vocabulary import CONDITIONS, Architecture, Condition
from omnigap_orchestrator.config import Config, ConfigError, FleetKind, load_config
from omnigap_orchestrator.config.services import START_TIMEOUT_S

DOCS = Path(__file__).parents[3] / "docs"


def toml_of(document: str) -> list[str]:
    return re.findall(r"```toml\n(.*?)```", (DOCS / document).read_text(encoding="utf-8"), re.DOTALL)


def read(folder: Path, text: str | bytes, **flags: object) -> Config:
    path = folder / "my.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_config(path, {key.replace("__", "."): value for key, value in flags.items()})


def message(folder: Path, text: str | bytes, **flags: object) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, **flags)
    return str(caught.value)


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    config = read(tmp_path, "")
    assert config == load_config() == Config()
    assert config.run.conditions == CONDITIONS
    assert config.fleet.kind is FleetKind.AUTO
    assert config.models == ()


def test_the_documented_example_has_the_defaults(tmp_path: Path) -> None:
    (example,) = toml_of("config.md")
    config = read(tmp_path, example)
    assert [model.name for model in config.models] == ["my-omni", "demo"]
    assert config.models[0].decoding.extra == {"thinking": "false"}
    assert config.models[0].decoding.temperature == 0.0
    assert config.models[1].decoding.temperature is None
    assert config.fleet.services["demo"].replicas == 1
    # Sections that need no example values have their defaults.
    written, plain = config.model_dump(), Config().model_dump()
    for section in ("run", "items", "carriers", "tts", "report", "analysis"):
        assert written[section] == plain[section], section
    assert config.fleet.start_timeout_s == Config().fleet.start_timeout_s == START_TIMEOUT_S


def test_the_documented_example_names_every_key(tmp_path: Path) -> None:
    (example,) = toml_of("config.md")
    config = read(tmp_path, example)
    parts = [config.run, config.items, config.carriers.image, config.carriers.speech, config.models[0]]
    parts += [config.models[0].decoding, config.scorer, config.fleet, config.fleet.services["demo"]]
    parts += [config.report, config.analysis, config.ocr, config.routing]
    keys = {key for part in parts for key in type(part).model_fields}
    # `builtin` is the default and not in the example.
    missing = {key for key in keys - {"builtin"} if not re.search(rf"\b{key}\b", example)}
    assert missing == set()


def test_the_examples_in_items_md_are_valid(tmp_path: Path) -> None:
    for example in toml_of("items.md"):
        assert read(tmp_path, example).items.columns is not None


def test_values_are_converted_to_types_of_the_contract(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        """
        [run]
        conditions = ["s2s", "t2t"]
        [[models]]
        name = "m"
        endpoints = ["127.0.0.1:50051", "[::1]:50051", "gpu-1.lan:443"]
        architecture = "moe"
        """,
    )
    assert config.run.conditions == (Condition.parse("s2s"), Condition.parse("t2t"))
    assert config.models[0].architecture is Architecture.MOE
    assert config.models[0].endpoints[1] == "[::1]:50051"


def test_a_configuration_is_immutable() -> None:
    with pytest.raises(Exception, match="frozen"):
        Config().run.seed = 3  # type: ignore[misc]


def test_a_single_value_is_read_as_a_list(tmp_path: Path) -> None:
    config = read(tmp_path, '[carriers.image]\nsize = 30\n[carriers.speech]\nvoices = "en-us"\nwords_per_minute = 150')
    assert config.carriers.image.size == (30,)
    assert config.carriers.speech.voices == ("en-us",)
    assert config.carriers.speech.words_per_minute == (150.0,)


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "my.ttf").write_bytes(b"")
    text = '[run]\ndir = "out"\n[items]\npath = "data/*.csv"\n[carriers.image]\nfont = "my.ttf"'
    config = read(tmp_path, text)
    assert config.run.dir == tmp_path / "out"
    assert config.items.path == str(tmp_path / "data/*.csv")
    assert config.carriers.image.font == (str(tmp_path / "my.ttf"),)
    assert read(tmp_path, '[items]\npath = "hf://datasets/a/b.parquet"').items.path == "hf://datasets/a/b.parquet"


def test_flags_override_the_file_and_none_sets_nothing(tmp_path: Path) -> None:
    text = "[items]\nlimit = 3\n[run]\nseed = 5"
    config = read(tmp_path, text, items__limit=9, run__seed=None, report__single_file=True, run__dir=Path("here"))
    assert (config.items.limit, config.run.seed, config.report.single_file) == (9, 5, True)
    assert config.run.dir == Path("here").absolute()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[run]\nreplicate = 2", ["run", "'replicate'", "did you mean 'replicates'"]),
        ("[itmes]\nlimit = 2", ["'itmes'", "did you mean 'items'"]),
        ("[[models]]\nname = 'm'\nendpoint = ['a:1']", ["models[0]", "'endpoint'", "'endpoints'"]),
        ("[run]\nreplicates = 0", ["run.replicates", "at least 1", "not 0"]),
        ("[run]\nseed = '5'", ["run.seed", "whole number", "'5'", "without quotes"]),
        ("[run]\nseed = 5.5", ["run.seed", "whole number", "5.5"]),
        ("[run]\nsystem_prompt = 5", ["run.system_prompt", "must be text", 'write it in quotes, "5"']),
        ("[run]\nconditions = ['t2i']", ["run.conditions[0]", "'t2i'", "t2t, s2t"]),
        ("[run]\nconditions = []", ["run.conditions"]),
        ("[run]\nconditions = ['t2t', 't2t']", ["run.conditions", "twice"]),
        ("[run]\nrequest_timeout_s = inf", ["run.request_timeout_s", "finite"]),
        ("[run]\nallow_missing = true", ["run", "'allow_missing'"]),
        ("run = 3", ["run", "table", "not 3"]),
        ("[items]\nlimit = 0", ["items.limit", "at least 1", "not 0"]),
        ("[items]\npath = 'a.csv'\nbuiltin = true", ["items", "builtin is true", "'"]),
        ("[items]\nbuiltin = false", ["items", "set path"]),
        ("[items.columns]\nquestion = 'q'", ["items", "path"]),
        ("[items]\npath='a.csv'\n[items.columns]\nqestion = 'q'", ["items.columns", "'qestion'", "'question'"]),
        ("[items]\npath='a.csv'\n[items.columns]\ntask = {}", ["items.columns.task", "const"]),
        ("[items]\npath='a.csv'\n[items.columns]\ntask = {const='a', column='b'}", ["items.columns.task", "const"]),
        ("[items]\npath='a.csv'\n[items.columns]\ntask = 5", ["items.columns.task", "table", "5"]),
        ("[carriers.image]\nsize = 2", ["carriers.image.size", "at least 6", "2"]),
        ("[carriers.image]\ncolour = 'blak'", ["carriers.image.colour", "'blak'"]),
        ("[carriers.image]\ncolor = 'black'", ["carriers.image", "'color'", "did you mean 'colour'"]),
        ("[carriers.image]\ncolour = '#fff'", ["carriers.image", "'#fff'"]),
        ("[carriers.image]\nwidth = 64\nmargin = 40", ["carriers.image", "64", "40"]),
        ("[carriers.image]\nfont = 'lost.ttf'", ["carriers.image.font", "'lost.ttf'"]),
        ("[carriers.speech]\nwords_per_minute = 5", ["carriers.speech.words_per_minute", "at least 40"]),
        ("[[models]]\nendpoints = ['a:1']", ["models[0].name", "missing"]),
        ("[[models]]\nname = 'a/b'", ["models[0].name", "'a/b'", "not a valid name"]),
        ("[[models]]\nname = 'a'\n[[models]]\nname = 'A'", ["models[0]", "models[1]", "rename"]),
        ("[[models]]\nname='m'\narchitecture = 'omni'", ["models[0].architecture", "'native_omni'", "'omni'"]),
        ("[[models]]\nname='m'\nendpoints = ['x']", ["models[0].endpoints[0]", "'x'", "host:port"]),
        ("[[models]]\nname='m'\nendpoints = ['http://x:1']", ["models[0].endpoints[0]", "URL", "host:port"]),
        ("[[models]]\nname='m'\nendpoints = ['x:70000']", ["models[0].endpoints[0]", "70000", "65535"]),
        ("[[models]]\nname='m'\nendpoints = ['x:0']", ["models[0].endpoints[0]", "1 to 65535"]),
        ("[[models]]\nname='m'\nendpoints = ['x:1', 'x:1']", ["models[0].endpoints", "twice"]),
        ("[[models]]\nname='m'\ndecoding = {temperature = -1}", ["models[0].decoding.temperature", "at least 0"]),
        ("[[models]]\nname='m'\ndecoding = {extra = {a = []}}", ["models[0].decoding.extra.a", "must be text"]),
        ("[fleet]\nkind = 'static'\n[[models]]\nname='m'", ["models[0].endpoints", "'m'", "static"]),
        ("[fleet]\nkind = 'kubernetes'", ["fleet.kind", "'auto'", "'kubernetes'"]),
        ("[scorer]\nlanguage = 'english'", ["scorer.language", "'english'", "BCP-47"]),
        ("[tts]\nendpoints = ['x:y']", ["tts.endpoints[0]", "'x:y'"]),
        ("[analysis]\nalpha = 5", ["analysis.alpha", "less than 0.5", "5"]),
        ("[report]\nembed_mb = -1", ["report.embed_mb", "at least 0"]),
        ("[report]\nsingle_file = 'yes'", ["report.single_file", "true or false", "'yes'"]),
        ("[run\nseed = 5", ["TOML", "line 1"]),
        (b"[run]\nsystem_prompt = '\xff'", ["line 2", "byte 18", "0xff", "UTF-8"]),
    ],
)
def test_a_wrong_key_is_named_with_its_value_and_the_fix(tmp_path: Path, text: str | bytes, parts: list[str]) -> None:
    error = message(tmp_path, text)
    assert str(tmp_path / "my.toml") in error
    for part in parts:
        assert part in error


def test_all_wrong_keys_are_reported_at_once(tmp_path: Path) -> None:
    error = message(tmp_path, "[run]\nseed = 'a'\n[items]\nlimit = 0\n[[models]]\nname = ''")
    assert len(error.splitlines()) == 3


def test_a_wrong_flag_is_named_without_a_file() -> None:
    with pytest.raises(ConfigError, match=r"the command line: --limit: must be at least 1, not 0"):
        load_config(None, {"items.limit": 0})


def test_a_wrong_flag_is_named_instead_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text("[run]\nseed = 5")
    with pytest.raises(ConfigError, match=r"^the command line: --controls: must be one of .*'two_pass'"):
        load_config(path, {"run.controls": ["two_pass"]})
    path.write_text("[run]\nseed = 'a'")
    with pytest.raises(ConfigError, match=r"my\.toml: run\.seed: .*\n.*my\.toml: run\.controls"):
        load_config(path, {"run.controls": ["two_pass"]})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"lost\.toml: no such file.*--config"):
        load_config(tmp_path / "lost.toml")
    with pytest.raises(ConfigError, match="can't be read"):
        load_config(tmp_path)


def test_a_removed_setting_is_named_with_its_page(tmp_path: Path) -> None:
    found = message(tmp_path, '[scoring]\npanda = "classifier"\n')
    assert "my.toml: scoring.panda" in found and "docs/scoring.md" in found
    found = message(tmp_path, '[scoring.tasks]\nsd-qa = "voicebench_panda"\n')
    assert "scoring.tasks.sd-qa" in found and "[judge]" in found


def test_the_configuration_of_the_orchestrators_container_loads() -> None:
    config = load_config(Path(__file__).parents[3] / "docker" / "orchestrator.toml")
    # Without endpoints, on which a folder that the host uses too would depend.
    assert config.run.dir == Path("/omnigap/runs/default")
    assert config.items.limit == 140
    assert not config.models and not config.scorer.endpoints
