"""What every plugin class declares about itself: its name, its docstring, its options, and where it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sensecf_bench.contracts import TIERS, PluginOptions
from sensecf_bench.errors import ClaimedNameError, Unavailable, UnknownNameError
from sensecf_bench.testing.fresh import seen_at_import
from sensecf_bench.testing.subject import installed, made
from sensecf_bench.testing.verdicts import CheckFailed, require

if TYPE_CHECKING:
    from sensecf_bench.testing.bench import Bench
    from sensecf_bench.testing.subject import Subject

KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST_LINE = 140
NEEDS = frozenset({"network", "paid", "gpu", "weights"})
DIRECTIONS = ("higher", "lower", "none")
LANES = ("cpu", "gpu", "io")


def has_a_name_of_its_own(subject: Subject, bench: Bench) -> None:
    """Its name is kebab-case, and no installed plugin brings another class of that name."""
    name = getattr(subject.cls, "name", None)
    require(
        isinstance(name, str) and KEBAB.fullmatch(name),
        "a name of lower-case words with hyphens between them",
        repr(name),
        'set the class attribute `name`, like "my-method"',
    )
    try:
        rival = installed().get(subject.kind, str(name)).cls
    except ClaimedNameError as error:
        raise CheckFailed("a name nobody else has", error.message, "choose another name") from error
    except UnknownNameError:
        return
    mine, theirs = _source(subject.cls), _source(rival)
    require(
        rival is subject.cls or mine == theirs,
        "a name nobody else has",
        f"{subject.kind} {name!r} is also {rival.__module__}.{rival.__qualname__}",
        "choose another name",
    )


def says_what_it_is(subject: Subject, bench: Bench) -> None:
    """The first line of its docstring is one short sentence, which `sensecf-bench list` shows."""
    line = (subject.cls.__doc__ or "").strip().partition("\n")[0]
    require(line, "a docstring", "none", "say in one line below `class` what it does")
    require(
        line.endswith("."),
        "a first line that ends with a full stop",
        repr(line),
        "make the first line of the docstring one whole sentence",
    )
    require(
        len(line) <= LONGEST_LINE,
        f"a first line of at most {LONGEST_LINE} characters",
        f"{len(line)}",
        "say the rest in the lines below",
    )


def options_have_defaults(subject: Subject, bench: Bench) -> None:
    """Its options have defaults, and come back the same from JSON."""
    options = _options(subject)
    try:
        defaults = options()
        again = options.model_validate_json(defaults.model_dump_json())
    except ValidationError as error:
        raise CheckFailed("options with defaults", str(error.errors()[0]["msg"]), "give each a default") from error
    except Exception as error:
        seen = f"{type(error).__name__}: {error}"
        raise CheckFailed("options that JSON can hold", seen, "use plain values: numbers, text, lists") from error
    require(
        again == defaults,
        "the same options after a round trip through JSON",
        f"{again!r} instead of {defaults!r}",
        "use plain values: numbers, text, lists",
    )


def unknown_options_are_refused(subject: Subject, bench: Bench) -> None:
    """An option it does not have is an error, so that nobody's typing mistake is run as the default."""
    options = _options(subject)
    try:
        options.model_validate({"no_such_option_ever": 1})
    except ValidationError:
        return
    cure = "derive Options from sensecf_bench.PluginOptions and leave its model_config as it is"
    raise CheckFailed("an error for an unknown option", "it was taken", cure)


def options_are_described(subject: Subject, bench: Bench) -> None:
    """Each option says what it is: in its `Field(description=...)`, or by name in the docstring."""
    options = _options(subject)
    prose = f"{subject.cls.__doc__}\n{options.__doc__}"
    named = {n: re.compile(rf"\b{n.replace('_', '[_ -]')}\b") for n in options.model_fields}
    silent = [n for n, f in options.model_fields.items() if not f.description and not named[n].search(prose)]
    require(
        not silent,
        "every option described",
        f"nothing about {', '.join(silent)}",
        'write Field(default, description="..."), or explain it in the docstring',
    )


def declares_legal_values(subject: Subject, bench: Bench) -> None:
    """What it declares about itself is what the contract knows."""
    for attribute, holds, expected in _rules(subject):
        value = getattr(subject.cls, attribute, None)
        require(holds(value), f"`{attribute}` to be {expected}", repr(value), f"correct `{attribute}` on the class")


def can_be_found_again(subject: Subject, bench: Bench) -> None:
    """Another process finds the class by its file or module and its name."""
    seen = seen_at_import(subject)
    require(
        not seen.failure,
        "a class that another process can import",
        seen.failure,
        "define it at the top of a module, not in a function, under the name it is called by",
    )


def bows_out_in_words(subject: Subject, bench: Bench) -> None:
    """`available` returns, or raises Unavailable with a reason and a cure."""
    generator = made(subject)
    try:
        generator.available()
    except Unavailable as bows_out:
        require(
            bows_out.reason and bows_out.fix,
            "a reason and a cure",
            f"reason {bows_out.reason!r}, fix {bows_out.fix!r}",
            "raise Unavailable(reason, fix)",
        )
    except (Exception, SystemExit) as error:
        seen = f"{type(error).__name__}: {error}"
        raise CheckFailed("nothing but Unavailable", seen, "catch it and raise Unavailable(reason, fix)") from error


def _rules(subject: Subject) -> list[tuple[str, Any, str]]:
    def words(value: Any) -> bool:
        return isinstance(value, tuple) and all(isinstance(v, str) and v for v in value)

    def truth(value: Any) -> bool:
        return isinstance(value, bool)

    text = ("version", lambda v: isinstance(v, str) and bool(v), "text that is not empty")
    rules: dict[str, list[tuple[str, Any, str]]] = {
        "generator": [
            ("access", lambda v: v in TIERS, f"one of {', '.join(TIERS)}"),
            ("needs", lambda v: isinstance(v, frozenset) and v <= NEEDS, f"a frozenset of {', '.join(sorted(NEEDS))}"),
            ("lane", lambda v: v in LANES, f"one of {', '.join(LANES)}"),
            ("batch_size", _batch_size, "None or a whole number above 0"),
            ("preload", words, "a tuple of module names"),
            ("requirements", _requirements, "a tuple of requirements as pip reads them"),
            ("sentinel", truth, "True or False"),
            ("dear", lambda v: isinstance(v, str), "text: why it takes minutes, empty where it does not"),
        ],
        "classifier": [text, *((flag, truth, "True or False") for flag in ("differentiable", "weighted"))],
        "metric": [
            text,
            ("direction", lambda v: v in DIRECTIONS, f"one of {', '.join(DIRECTIONS)}"),
            ("unit", lambda v: isinstance(v, str), "text, empty where there is none"),
            *((flag, truth, "True or False") for flag in ("is_share", "timing", "of_factuals")),
        ],
        "dataset": [
            ("argument", lambda v: v is None or v in subject.cls.Options.model_fields, "None or one of its options"),
        ],
    }
    return rules[subject.kind]


def _batch_size(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0)


def _requirements(value: Any) -> bool:
    """PEP 508 as far as a glance tells: a name first, and no spaces that make it a sentence."""
    wanted = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[^\]]*\])?\s*([<>=!~@;(].*)?")
    return isinstance(value, tuple) and all(isinstance(v, str) and wanted.fullmatch(v) for v in value)


def _options(subject: Subject) -> type[PluginOptions]:
    options = subject.cls.Options
    require(
        isinstance(options, type) and issubclass(options, PluginOptions),
        "Options derived from PluginOptions",
        repr(options),
        "write `class Options(PluginOptions):`",
    )
    return options


def _source(cls: type[Any]) -> tuple[str, str]:
    """File and name of a class: the same one may have been loaded under two module names."""
    import inspect

    try:
        return str(inspect.getsourcefile(cls)), cls.__qualname__
    except (TypeError, OSError):
        return cls.__module__, cls.__qualname__
