"""Which architectures the installed transformers knows as causal language models, without importing it."""

from __future__ import annotations

import ast
import importlib.util
from functools import cache
from pathlib import Path

MAPPING = "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"


def is_causal_lm(family: str, architecture: str) -> bool:
    """Whether `AutoModelForCausalLM` builds this architecture for this `model_type`.

    Where transformers keeps its table somewhere else than we look, the name has to do.
    """
    known = _known()
    if not known:
        return architecture.endswith(("ForCausalLM", "LMHeadModel"))
    return (family, architecture) in known


@cache
def _known() -> frozenset[tuple[str, str]]:
    """Pairs of model type and class, read from the source of transformers' auto classes: importing them takes seconds."""
    spec = importlib.util.find_spec("transformers")
    if spec is None or spec.origin is None:
        return frozenset()
    try:
        text = (Path(spec.origin).parent / "models" / "auto" / "modeling_auto.py").read_text(encoding="utf-8")
        start = text.index(f"\n{MAPPING} = OrderedDict(") + len(f"\n{MAPPING} = OrderedDict(")
        pairs = ast.literal_eval(text[start : text.index("\n)\n", start)].strip())
        return frozenset((family, name) for family, names in pairs for name in _each(names))
    except (OSError, ValueError, SyntaxError, TypeError):
        return frozenset()


def _each(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)
