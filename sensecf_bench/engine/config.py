"""What a run is asked to do: one frozen object, from defaults, a preset, a YAML file and the command line."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sensecf_bench.errors import ConfigError, UnknownNameError

ALL = "all"
DEFAULT_QUERIES = 100
PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"classifiers": ["random-forest"], "queries": 20, "seeds": [0]},
    "paper": {"queries": 200, "seeds": [0, 1, 2, 3, 4]},
}


class RunConfig(BaseModel):
    """Everything that decides what a run does. `options` maps a component's name, or a pattern such as `dice-*`, to its
    options. Only `jobs`, `metrics` and `resamples` may change when a run is taken up again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    generators: tuple[str, ...] = (ALL,)
    datasets: tuple[str, ...] = ("breast-cancer", "diabetes-progression")
    classifiers: tuple[str, ...] = ("svm", "random-forest", "xgboost", "mlp")
    metrics: tuple[str, ...] = (ALL,)
    queries: int | None = Field(default=None, ge=1)
    seeds: tuple[int, ...] = (0,)
    k: int = Field(default=1, ge=1)
    timeout: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    cell_timeout: float = Field(default=900.0, gt=0, allow_inf_nan=False)
    shard_size: int = Field(default=16, ge=1)
    jobs: int | None = Field(default=None, ge=1)
    allow: tuple[Literal["network", "paid"], ...] = ()
    options: dict[str, dict[str, Any]] = {}
    plugins: tuple[Path, ...] = ()
    blocked: tuple[str, ...] = ()
    resamples: int = Field(default=2000, ge=100)

    @field_validator("generators", "datasets", "classifiers", "metrics", "seeds")
    @classmethod
    def _some_and_once(cls, names: tuple[Any, ...]) -> tuple[Any, ...]:
        if not names:
            raise ValueError("name at least one")
        twice = sorted({str(n) for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"named twice: {', '.join(twice)}")
        return names

    @field_validator("seeds")
    @classmethod
    def _seeds_in_range(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 0 <= s < 2**32 for s in seeds):
            raise ValueError("seeds are whole numbers from 0 to 4294967295")
        return seeds

    @property
    def asked(self) -> int:
        """How many queries each cell asks at most."""
        return self.queries or DEFAULT_QUERIES

    def identity(self) -> dict[str, Any]:
        """The part of the configuration that decides what the answers are."""
        return self.model_dump(mode="json", exclude={"jobs", "metrics", "resamples"})

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
        values.update(_read_yaml(file))
    given = {name: value for name, value in flags.items() if value is not None}
    if "options" in values and "options" in given:
        _refuse_loose_options(values["options"], file)
        given["options"] = _merged(values["options"], given["options"])
    values.update(given)
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(
            describe(error, RunConfig), f"see {file}" if file else "see `sensecf-bench run --help`"
        ) from error


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


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """One line a field: what is wrong with it, and for an unknown field the nearest known one."""
    import difflib

    lines = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(where, model.model_fields, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(model.model_fields) or 'none'}"
            lines.append(f"unknown option {where!r}; {hint}")
        else:
            lines.append(f"{where}: {problem['msg'].removeprefix('Value error, ')} (got {problem['input']!r})")
    return "; ".join(lines)


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


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {**first.get(name, {}), **second.get(name, {})} for name in [*first, *second]}
