"""Growing Spheres for one query, one candidate and one feature at a time, as the paper's two algorithms read.

It shares nothing with the plugin but the order in which random numbers are drawn.
"""

import math

import numpy as np


def unit_of(schema, j):
    feature = schema.features[j]
    if feature.kind in ("binary", "categorical"):
        return 1.0
    return schema.scales.high[j] - schema.scales.low[j] if feature.is_numeric else len(feature.levels) - 1.0


def lawful(feature, old, new):
    low, high = (-math.inf if b is None else b for b in feature.bounds)
    high = math.inf if feature.bounds[1] is None else high
    if not feature.is_numeric:
        low, high = 0, len(feature.levels) - 1
    if not feature.mutable:
        return old
    if feature.direction == "increase":
        low = old
    if feature.direction == "decrease":
        high = old
    new = min(max(new, low), high)
    step = feature.precision or (0 if feature.kind == "continuous" else 1)
    if not step:
        return new
    if abs(new - old) < step / 2:
        return old
    rounded = float(np.rint(new / step)) * step
    if rounded > high:
        rounded -= step
    if rounded < low:
        rounded += step
    return rounded if low <= rounded <= high and abs(rounded - old) >= step / 2 else old


def size_of_change(schema, j, old, new):
    if schema.features[j].kind in ("binary", "categorical"):
        return float(old != new)
    return abs(new - old) / unit_of(schema, j)


def distance(schema, old, new):
    return math.sqrt(sum(size_of_change(schema, j, old[j], new[j]) ** 2 for j in range(len(old))))


def candidates(schema, factual, inner, outer, n, random):
    features = schema.features
    free = [j for j, f in enumerate(features) if f.mutable]
    ordered = [j for j in free if features[j].kind not in ("binary", "categorical")]
    unordered = [j for j in free if j not in ordered]
    k = len(ordered)
    if k:
        directions, shares = random.standard_normal((n, k)), random.random(n)
    if unordered:
        chances = random.random((n, len(unordered)))
        jumps = random.integers(1, [len(features[j].levels) for j in unordered], (n, len(unordered)))
    found = []
    for i in range(n):
        row = list(factual)
        if k:
            length = np.linalg.norm(directions[i])
            radius = outer * (shares[i] + (1 - shares[i]) * (inner / outer) ** k) ** (1 / k)
            for a, j in enumerate(ordered):
                row[j] += radius * (directions[i][a] / length) * unit_of(schema, j)
        for a, j in enumerate(unordered):
            if chances[i][a] < outer / math.sqrt(len(free)):
                row[j] = (row[j] + jumps[i][a]) % len(features[j].levels)
        found.append([lawful(f, old, new) for f, old, new in zip(features, factual, row, strict=True)])
    return found


def growing_spheres(schema, factual, seed, is_enemy, *, n, eta, max_halvings=20, max_radius=1.0, sparse=True):
    """The answer to one query, or None."""
    random, seen, halved = np.random.default_rng(int(seed)), [], 0
    last = max_radius * math.sqrt(sum(f.mutable for f in schema.features))

    def enemies(inner, outer):
        return [c for c in candidates(schema, factual, inner, outer, n, random) if is_enemy(c)]

    radius = eta
    while here := enemies(0.0, radius):
        seen += here
        radius, halved = radius / 2, halved + 1
        if halved > max_halvings:
            break
    else:
        inner, outer = radius, 2 * radius
        while True:
            seen += enemies(inner, outer)
            inner, outer = outer, outer + radius
            if seen or inner >= last:
                break
    if not seen:
        return None
    enemy = min(seen, key=lambda c: distance(schema, factual, c))
    while sparse:
        changed = [j for j in range(len(factual)) if enemy[j] != factual[j]]
        if not changed:
            break
        smallest = min(changed, key=lambda j: size_of_change(schema, j, factual[j], enemy[j]))
        trial = list(enemy)
        trial[smallest] = factual[smallest]
        if not is_enemy(trial):
            break
        enemy = trial
    return enemy
