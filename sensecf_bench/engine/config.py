"""What a run is asked to do: one frozen object, from defaults, a preset, a YAML file and the command line."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sensecf_bench.engine.augmentation_config import AugmentationConfig, as_mapping
from sensecf_bench.engine.listings import Names, Seeds, plainly
from sensecf_bench.errors import ConfigError, UnknownNameError, describe

if TYPE_CHECKING:
    from sensecf_bench.contracts import Generator

__all__ = [
    "ALL",
    "DEFAULT_QUERIES",
    "PRESETS",
    "AugmentationConfig",
    "RunConfig",
    "build_config",
    "describe",
    "parse_environments",
    "parse_settings",
]

ALL = "all"
DEFAULT_QUERIES = 100
SHARD_SIZE, BATCHED_SHARD_SIZE = 16, 64
PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"classifiers": ["random-forest"], "queries": 20, "seeds": [0], "augmentation": "off"},
    "paper": {"queries": 200, "seeds": [0, 1, 2, 3, 4], "augmentation": "full"},
}


# settings that decide no answer; `augmentation` adds cells of its own and changes none of the others
FREE = ("jobs", "metrics", "resamples", "environments", "cache", "max_cost_usd", "augmentation")


class RunConfig(BaseModel):
    """Everything that decides what a run does. `options` maps a component's name, or a pattern such as `dice-*`, to its
    options, `environments` a generator's name to the Python it runs under. `may_share` lists datasets whose rows may
    be sent away though they are restricted. What is in `FREE` may change when a run is taken up again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    generators: Names = (ALL,)
    datasets: Names = ("aireadi-synthetic", "breast-cancer", "diabetes-progression")
    classifiers: Names = ("svm", "random-forest", "xgboost", "mlp")
    metrics: Names = (ALL,)
    queries: int | None = Field(default=None, ge=1)
    seeds: Seeds = (0,)
    k: int = Field(default=1, ge=1)
    timeout: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    cell_timeout: float = Field(default=900.0, gt=0, allow_inf_nan=False)
    shard_size: int | None = Field(default=None, ge=1)
    jobs: int | None = Field(default=None, ge=1)
    allow: Annotated[tuple[Literal["network", "paid"], ...], plainly] = ()
    may_share: Annotated[tuple[str, ...], plainly] = ()
    max_cost_usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    cache: Path | None = None
    options: dict[str, dict[str, Any]] = {}
    environments: dict[str, Path] = {}
    plugins: tuple[Path, ...] = ()
    plugins_dir: Path | None = None
    blocked: tuple[str, ...] = ()
    resamples: int = Field(default=2000, ge=100)
    augmentation: AugmentationConfig = AugmentationConfig()

    def shard(self, cls: type[Generator]) -> int:
        """How many queries are asked and stored together. A killed run loses the shards in flight, so they are small,
        larger for a generator that gains by it, and whole for one that waits for somebody else's answers."""
        if self.shard_size is not None:
            return self.shard_size
        if cls.lane == "io":
            return self.asked
        return SHARD_SIZE if cls.batch_size is not None else BATCHED_SHARD_SIZE

    @property
    def asked(self) -> int:
        """How many queries each cell asks at most."""
        return self.queries or DEFAULT_QUERIES

    def identity(self) -> dict[str, Any]:
        """The part of the configuration that decides what the answers are. Of an environment that is what is installed in
        it, which is part of each cell, and not where it lies."""
        return self.model_dump(mode="json", exclude=set(FREE))

    def options_for(self, name: str) -> dict[str, Any]:
        """Options meant for a component; an exact name overrides a pattern."""
        merged: dict[str, Any] = {}
        for pattern in sorted(self.options, key=lambda p: p == name):
            if fnmatch.fnmatchcase(name, pattern):
                merged.update(self.options[pattern])
        return merged


def build_config(flags: Mapping[str, Any], file: Path | None = None, preset: str | None = None) -> RunConfig:
    """Defaults, then the preset, then the file, then the flags that were given. Raises ConfigError naming the field."""
    values: dict[str, Any] = {}
    if preset is not None:
        if preset not in PRESETS:
            raise UnknownNameError("preset", preset, PRESETS)
        values.update(PRESETS[preset])
    if file is not None:
        written = _read_yaml(file)
        _join_augmentation(values, written)
        values.update(written)
        _refuse_preset(values, file)
    given = {name: value for name, value in flags.items() if value is not None}
    if "options" in values and "options" in given:
        _refuse_loose_options(values["options"], file)
        given["options"] = _overridden(values["options"], given["options"])
    if isinstance(values.get("environments"), dict) and "environments" in given:
        given["environments"] = {**values["environments"], **given["environments"]}
    _join_augmentation(values, given)
    values.update(given)
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(
            describe(error, RunConfig), f"see {file}" if file else "see `sensecf-bench run --help`"
        ) from error


def _join_augmentation(values: Mapping[str, Any], given: dict[str, Any]) -> None:
    """What is given of augmentation over what was said of it before, setting by setting."""
    if "augmentation" in values and "augmentation" in given:
        before, now = as_mapping(values["augmentation"]), as_mapping(given["augmentation"])
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            given["augmentation"] = {**before, **now}


def parse_settings(settings: list[str]) -> dict[str, dict[str, Any]]:
    """Turn `NAME.OPTION=VALUE` items into options by name; values are read as YAML scalars or lists."""
    import yaml

    options: dict[str, dict[str, Any]] = {}
    for item in settings:
        left, equals, value = item.partition("=")
        name, dot, option = left.rpartition(".")
        if not (equals and dot and name and option):
            raise ConfigError(f"--set {item!r} is not NAME.OPTION=VALUE", "for example --set dice-random.stock=true")
        try:
            options.setdefault(name, {})[option] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {item!r}: the value cannot be read: {error}") from error
    return options


def parse_environments(pairs: list[str]) -> dict[str, str]:
    """Turn `GENERATOR=PATH_TO_PYTHON` items into paths by generator."""
    environments: dict[str, str] = {}
    for item in pairs:
        name, equals, python = item.partition("=")
        if not (equals and name and python):
            raise ConfigError(
                f"--env {item!r} is not GENERATOR=PATH_TO_PYTHON",
                "for example --env nice-reference=envs/old/bin/python",
            )
        environments[name] = python
    return environments


def _read_yaml(file: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read configuration {file}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration {file} is not valid YAML: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"configuration {file} is not a mapping", "write one `field: value` a line")
    return content


def _refuse_loose_options(options: object, file: Path | None) -> None:
    if not isinstance(options, dict) or not all(isinstance(o, dict) for o in options.values()):
        raise ConfigError(
            f"options: {options!r} does not map names to options", f"see {file}: write NAME: {{OPTION: VALUE}}"
        )


def _refuse_preset(values: Mapping[str, Any], file: Path) -> None:
    if "preset" in values:
        raise ConfigError(
            f"{file}: a preset is not chosen in a file but on the command line",
            f"take the line out and add --preset {values['preset']}",
        )


def _overridden(file: Mapping[str, Any], flags: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a file with those of the flags over them: a flag's pattern beats an exact name of the file too."""
    left = {
        name: {option: value for option, value in chosen.items() if not _is_set(name, option, flags)}
        for name, chosen in file.items()
    }
    # of two patterns the later one wins, so those of the flags go last
    last = {name: {**left.pop(name, {}), **chosen} for name, chosen in flags.items()}
    return {**left, **last}


def _is_set(name: str, option: str, flags: Mapping[str, Any]) -> bool:
    return any(option in chosen and fnmatch.fnmatchcase(name, pattern) for pattern, chosen in flags.items())
