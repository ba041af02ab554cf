"""Subclasses of dice_ml's explainers: the same searches with other bookkeeping. Importing this package imports dice_ml."""

from sensecf_dice.explainers.genetic import SwiftGenetic
from sensecf_dice.explainers.kdtree import SwiftKDTree
from sensecf_dice.explainers.random import SwiftRandom

__all__ = ["SwiftGenetic", "SwiftKDTree", "SwiftRandom"]
