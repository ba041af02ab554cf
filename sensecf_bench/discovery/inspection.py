"""Looking a loaded plugin over: its hooks are called, and the classes they return are checked."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pluggy
from pydantic import ValidationError

from sensecf_bench import hookspecs
from sensecf_bench.contracts import KINDS, Metric, Plugin, PluginKind, PluginOptions
from sensecf_bench.errors import PluginError, describe

NAME = re.compile(r"[a-z0-9]+([-.@]+[a-z0-9]+)*")
HOOKS: dict[str, PluginKind] = {
    "sensecf_generators": "generator",
    "sensecf_classifiers": "classifier",
    "sensecf_metrics": "metric",
    "sensecf_datasets": "dataset",
}
DIRECTIONS = ("higher", "lower", "none")
# What stands beside generators where labels are scarce; augmentation itself is not imported unless a run has it.
CONTROLS = ("none", "duplication", "class-weights", "smote", "flipped-neighbours")
Brought = list[tuple[PluginKind, type[Plugin]]]


def take(manager: pluggy.PluginManager, module: object, name: str) -> Brought:
    """Register a plugin and collect what it brings. Raises PluginError, or whatever its hooks raise."""
    hooks = [hook for hook in vars(hookspecs) if hook.startswith("sensecf_")]
    marked = {hook: value for hook, value in vars(module).items() if _is_marked(value)}
    misspelt = sorted(set(marked) - set(hooks))
    if misspelt:
        raise PluginError(f"no such hook: {', '.join(misspelt)}", f"the hooks are {', '.join(hooks)}")
    if not marked:
        raise PluginError("it implements no hook of sensecf-bench", "mark one with @sensecf_bench.hookimpl")
    for hook, function in marked.items():
        _check_arguments(hook, function)
    manager.register(module, name=name)
    try:
        found = [(kind, cls) for hook, kind in HOOKS.items() for cls in _call(manager, module, hook, kind)]
    except BaseException:
        manager.unregister(module)
        raise
    return found


def _is_marked(value: object) -> bool:
    """As pluggy sees it; an object that claims to have every attribute is no hook."""
    return inspect.isroutine(value) and isinstance(getattr(value, f"{hookspecs.PROJECT}_impl", None), dict)


def _check_arguments(hook: str, function: Any) -> None:
    """Refuse arguments that pluggy would never fill: it says so only for some of them, and in words of its own."""
    known = list(inspect.signature(getattr(hookspecs, hook)).parameters)
    fix = f"write `def {hook}({', '.join(known)}):`"
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.default is not parameter.empty:
            raise PluginError(f"hook {hook} has a default value for `{name}`, which pluggy then never passes", fix)
        if name not in known or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            given = ", ".join(f"`{k}`" for k in known) or "nothing"
            raise PluginError(f"hook {hook} asks for `{parameter}`, but is given {given}", fix)


def _call(manager: pluggy.PluginManager, module: object, hook: str, kind: PluginKind) -> list[type[Plugin]]:
    caller = getattr(manager.hook, hook)
    implementation = next((i for i in caller.get_hookimpls() if i.plugin is module), None)
    if implementation is None:
        return []
    classes = implementation.function()
    if not isinstance(classes, list | tuple):
        raise PluginError(f"hook {hook} returned {type(classes).__name__}", "return a list of classes")
    for cls in classes:
        _check(cls, kind, hook)
    return list(classes)


def _check(cls: Any, kind: PluginKind, hook: str) -> None:
    """Raises PluginError for a class that would only fail once it is used."""
    if not (isinstance(cls, type) and issubclass(cls, KINDS[kind])):
        raise PluginError(f"hook {hook} returned {cls!r}, which is no {KINDS[kind].__name__} class")
    title = cls.__qualname__
    if not isinstance(getattr(cls, "name", None), str):
        raise PluginError(f"{title} has no name", "set the class attribute `name`")
    if not NAME.fullmatch(cls.name):
        raise PluginError(f"{title}: {cls.name!r} is no name", "use lower-case letters, digits, '-', '.', '@'")
    if kind == "generator" and cls.name in CONTROLS:
        raise PluginError(f"{title}: {cls.name!r} is what augmentation calls a control", "choose another name")
    if abstract := getattr(cls, "__abstractmethods__", None):
        missing = ", ".join(f"`{name}`" for name in sorted(abstract))
        raise PluginError(f"{title} lacks {missing}", f"write {missing}")
    if issubclass(cls, Metric):
        _check_metric(cls)
    _check_options(cls)


def _check_metric(cls: type[Metric]) -> None:
    direction, unit = getattr(cls, "direction", None), getattr(cls, "unit", None)
    if direction not in DIRECTIONS:
        choice = " or ".join(map(repr, DIRECTIONS))
        raise PluginError(f"{cls.__qualname__}: direction is {direction!r}", f"set `direction` to {choice}")
    if not isinstance(unit, str):
        raise PluginError(f"{cls.__qualname__}: unit is {unit!r}", "set `unit` to text, empty where there is none")


def _check_options(cls: type[Plugin]) -> None:
    """Options must be there without being asked for: `list` shows them, and `all` takes them."""
    title = cls.__qualname__
    if not (isinstance(cls.Options, type) and issubclass(cls.Options, PluginOptions)):
        raise PluginError(f"{title}: its Options are no PluginOptions", "derive them from sensecf_bench.PluginOptions")
    try:
        cls.Options().model_dump(mode="json")
    except ValidationError as error:
        cause = describe(error, cls.Options)
        raise PluginError(f"{title}: its options have no defaults: {cause}", "give each option a default") from error
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"
        raise PluginError(f"{title}: its options cannot be written as JSON: {cause}", "use plain values") from error
