"""How close the closest decision was on the way to an answer: whether two programs that disagree met a tie."""

import numpy as np
from sensecf_nice.neighbours import nearest_that_flips


def closest_call(generator, query):
    """The smallest relative lead of a winner over its runner-up, for the neighbour and for each greedy step.

    Walks one query again, in the plainest way; a lead of the order of 1e-16 is a tie that rounding decides.
    """
    task, factual, target = generator.task, query.matrix, int(query.target[0])
    candidates, heom, reach = generator._candidates[target], generator._heom, generator._reach
    distances = np.unique(heom.to_all(factual, candidates, reach)[0])
    leads = {"neighbour": lead(distances[::-1])}
    reward = generator._reward
    if reward is not None:
        goal = nearest_that_flips(factual, candidates, heom, reach, lambda rows: task.predict(rows) == target, None)[0]
        row = factual.copy()
        for step in range(query.matrix.shape[1]):
            features = np.flatnonzero(row[0] != goal[0])
            trials = np.repeat(row, len(features), axis=0)
            trials[np.arange(len(features)), features] = goal[0, features]
            gain = (task.predict_proba(trials) - task.predict_proba(row))[:, target]
            before = np.repeat(reward.cost(factual, row), len(trials))
            merit = reward.merit(gain, before, reward.cost(np.repeat(factual, len(trials), axis=0), trials))
            leads[f"step {step + 1}"] = lead(np.sort(merit))
            row = trials[[int(np.argmax(merit))]]
            if task.predict(row)[0] == target:
                break
    where = min(leads, key=lambda name: leads[name])
    return f"smallest lead {leads[where]:.1e}, at {where} of {len(leads) - 1} steps"


def lead(ascending):
    """Of the last over the one before it, relative to the larger; infinite when there is no other."""
    if len(ascending) < 2:
        return float("inf")
    best, second = abs(ascending[-1]), abs(ascending[-1] - ascending[-2])
    return float(second / best) if best else float(second)
