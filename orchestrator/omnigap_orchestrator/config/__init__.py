"""The configuration: one TOML file, validated and immutable; `load_config` reads it."""

from omnigap_orchestrator.config.config import Config, ConfigError, load_config, with_flags
from omnigap_orchestrator.config.items import CarrierColumnsConfig, ColumnConfig, ColumnsConfig, ItemsConfig
from omnigap_orchestrator.config.sections import (
    AnalysisConfig,
    CarriersConfig,
    ImageConfig,
    JudgeConfig,
    NetworkConfig,
    ReportConfig,
    RunConfig,
    ScoringConfig,
    SpeechConfig,
)
from omnigap_orchestrator.config.services import (
    DecodingConfig,
    FleetConfig,
    FleetKind,
    ModelConfig,
    ScorerConfig,
    ServiceConfig,
    TtsConfig,
)

__all__ = [
    "AnalysisConfig",
    "CarrierColumnsConfig",
    "CarriersConfig",
    "ColumnConfig",
    "ColumnsConfig",
    "Config",
    "ConfigError",
    "DecodingConfig",
    "FleetConfig",
    "FleetKind",
    "ImageConfig",
    "ItemsConfig",
    "JudgeConfig",
    "ModelConfig",
    "NetworkConfig",
    "ReportConfig",
    "RunConfig",
    "ScorerConfig",
    "ScoringConfig",
    "ServiceConfig",
    "SpeechConfig",
    "TtsConfig",
    "load_config",
    "with_flags",
]
