"""What fine-tuning aims at: people of the undesired class, and sparse plausible counterfactuals of them.

Everything here sees training rows and the explained classifier, and nothing else. The recipe is this project's own: how the
study built its targets is not known.
"""

from __future__ import annotations

from sensecf_huggingface.targets.pairs import Aims, Pairs, make_pairs
from sensecf_huggingface.targets.people import imagined
from sensecf_huggingface.targets.search import Found, Search, search
from sensecf_huggingface.targets.values import Values

__all__ = ["Aims", "Found", "Pairs", "Search", "Values", "imagined", "make_pairs", "search"]
