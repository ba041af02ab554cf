"""Sparse plausible counterfactuals of many people at once, by asking the classifier.

Passes of a few large questions to the classifier instead of many small ones:

1. bring numbers that nobody has within the range of the training rows;
2. grow: again and again the edit that gains most probability for its cost, until the class flips; who gets stuck takes
   over the values of the nearest training row on the other side, as NICE does (Brughmans et al. 2023);
3. shrink: give back of every edit as much as the flip can spare, by halving;
4. step clear of the boundary: as far along every edit as it takes for people a little different to flip with it too, so
   that a model which learns the edit only roughly still lands on the right side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sensecf_huggingface.targets.values import Values, nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]
    Mask = NDArray[np.bool_]

FLIP = 0.5
ENOUGH = 0.6  # probability beyond which more is no gain
EDIT_COST = 0.02  # of touching a feature at all, in Gower's differences
HALVINGS = 5
AT_ONCE = 20_000  # rows in one question
EDGE = 0.06  # candidates leave out the outermost share of values
FAINT, TINY = 1e-3, 1e-12
STRIDES = (0.0, 0.15, 0.3, 0.5, 0.75, 1.0, 1.5)
LEAST = 0.1  # of the range: what the smallest edit counts as when it is carried on
SHORTLIST = 24  # edits that are looked at again after the first round


@dataclass(frozen=True)
class Search:
    """How to search. An answer is clear of the boundary if of `copies` people like the person, each number moved by a standard
    deviation of `wobble` times its range, a share of `steady` flips with it (as in Pawelczyk et al. 2022, arXiv 2203.06768).

    `wander` is the standard deviation of the noise on a log scale by which edits are chosen: with it the same people get
    other counterfactuals.
    """

    candidates: int = 4  # values of a number that are tried
    most_edits: int = 24
    steady: float = 0.9
    wobble: float = 0.04
    copies: int = 8
    wander: float = 0.0
    features: tuple[int, ...] | None = None  # positions of those that may be edited; None: all that are mutable


@dataclass(frozen=True, eq=False)
class Found:
    """What a search found: rows of shape `(n, d)`, and whether each flips the class and keeps every rule, shape `(n,)`.

    One that does may differ from its person by less than a feature's precision, which is no edit that anybody can be told.
    """

    rows: Matrix
    valid: Mask


def search(
    values: Values,
    probability: Callable[[Matrix], Matrix],
    people: Matrix,
    donors: Matrix,
    how: Search,
    chance: np.random.Generator,
    start: Matrix | None = None,
) -> Found:
    """A counterfactual for each of `people`, shape `(n, d)` in internal coding.

    `donors` are training rows that the classifier puts in the target class, shape `(m, d)`. `probability` says how probable the target class is, shape `(n,)`. Immutable features stay, directions and hard bounds
    are kept; new values are among `values`. With `start`, shape `(n, d)`, the search goes on from rows that somebody else
    proposed, and keeps to their choice of features as far as that goes.
    """
    work = _Work(values, probability, people, how, chance)
    rows, flipped = work.grown(work.home if start is None else np.where(start == people, work.home, start))
    rows, flipped = work.helped(rows, flipped, donors)
    rows = work.shrunk(rows, flipped)
    rows = work.clear(rows, flipped)
    keeps = values.schema.keeps(rows)
    return Found(rows, flipped & keeps)


@dataclass(frozen=True, eq=False)
class _Work:
    """One search under way."""

    values: Values
    probability: Callable[[Matrix], Matrix]
    people: Matrix
    how: Search
    chance: np.random.Generator

    def ask(self, rows: Matrix) -> Matrix:
        return in_parts(self.probability, rows)

    @cached_property
    def home(self) -> Matrix:
        """The people with numbers that nobody has brought within the range of the training rows: what no edit gives back."""
        values, schema = self.values, self.values.schema
        rows = self.people.copy()
        for j in map(int, np.flatnonzero(schema.numeric & schema.mutable)):
            inside = np.clip(rows[:, j], values.low[j], values.high[j])
            rows[:, j] = np.where(self._allowed(j, inside), inside, rows[:, j])
        return rows

    def grown(self, rows: Matrix) -> tuple[Matrix, Mask]:
        """The rows with edits until they flip, and which of them do."""
        features, choices = self._candidates()
        rows, now = rows.copy(), self.ask(rows)
        flipped, stuck = now >= FLIP, np.zeros(len(rows), dtype=bool)
        allowed = np.stack(
            [self._allowed(j, value) for j, value in zip(features.tolist(), choices, strict=True)], axis=1
        )
        tried = np.tile(np.arange(len(features)), (len(rows), 1))
        for round_ in range(self.how.most_edits):
            at = np.flatnonzero(~flipped & ~stuck)
            if not len(at):
                break
            edits = tried[at]
            asked = np.repeat(rows[at], edits.shape[1], axis=0)
            asked[np.arange(len(asked)), features[edits.ravel()]] = choices[edits.ravel()]
            after = self.ask(asked).reshape(edits.shape)
            score = self._score(at, rows, features[edits], choices[edits], after, now[at])
            score[~np.take_along_axis(allowed[at], edits, axis=1)] = -np.inf
            best = score.argmax(axis=1)
            some = score[np.arange(len(at)), best] > 0
            stuck[at[~some]] = True
            chosen, picked = at[some], edits[some, best[some]]
            rows[chosen, features[picked]] = choices[picked]
            now[chosen] = after[some, best[some]]
            flipped[chosen] = now[chosen] >= FLIP
            if round_ == 0 and edits.shape[1] > SHORTLIST:
                short = np.argsort(-score, axis=1)[:, :SHORTLIST]
                tried = tried[:, :SHORTLIST].copy()
                tried[at] = np.take_along_axis(edits, short, axis=1)
        return rows, flipped

    def helped(self, rows: Matrix, flipped: Mask, donors: Matrix) -> tuple[Matrix, Mask]:
        """The rows that got stuck with the values of the nearest donor, where those flip them."""
        at = np.flatnonzero(~flipped)
        if not len(at) or not len(donors):
            return rows, flipped
        from sklearn.neighbors import NearestNeighbors

        schema = self.values.schema
        near = NearestNeighbors(n_neighbors=1, metric="manhattan").fit(schema.embed(donors))
        given = self.values.snapped(donors[near.kneighbors(schema.embed(self.people[at]), return_distance=False)[:, 0]])
        rows, flipped = rows.copy(), flipped.copy()
        taken = rows[at]
        for j in self._editable():
            taken[:, j] = np.where(self._allowed(j, given[:, j], at), given[:, j], taken[:, j])
        now = self.ask(taken) >= FLIP
        rows[at[now]], flipped[at[now]] = taken[now], True
        return rows, flipped

    def shrunk(self, rows: Matrix, flipped: Mask) -> Matrix:
        """The rows with each edit, the largest first, taken back as far as they stay flipped."""
        rows, schema = rows.copy(), self.values.schema
        home = self.home
        gaps = schema.gaps(rows, home)
        for j in map(int, np.argsort(-gaps.max(axis=0, initial=0.0))):
            at = np.flatnonzero(flipped & (gaps[:, j] > 0))
            if not len(at):
                continue
            far, near = rows[at, j].copy(), home[at, j]
            spared = np.zeros(len(at))  # share of the edit that was given back
            least, most = np.zeros(len(at)), np.ones(len(at))
            for attempt in range(HALVINGS if schema.features[j].is_numeric else 1):
                share = np.ones(len(at)) if attempt == 0 else (least + most) / 2
                value = self._between(j, far, near, share)
                trial = rows[at].copy()
                trial[:, j] = value
                holds = self.ask(trial) >= FLIP
                rows[at[holds], j] = value[holds]
                spared = np.where(holds, share, spared)
                least, most = np.where(holds, share, least), np.where(holds, most, share)
        return rows

    def clear(self, rows: Matrix, flipped: Mask) -> Matrix:
        """The rows so far from the boundary that people a little different flip with the same edits too: by the smallest of
        some strides for which nearly all of them do, or else the one for which most do."""
        home, best = self.home, rows.copy()
        steadiest = np.where(flipped, -1.0, np.inf)
        for stride in STRIDES:
            at = np.flatnonzero(steadiest < self.how.steady)
            if not len(at):
                break
            farther = self._farther(rows[at], home[at], at, stride)
            steady = self._steadiness(farther)
            better = (steady > steadiest[at]) & self.values.schema.keeps(farther)
            best[at[better]], steadiest[at[better]] = farther[better], steady[better]
        return best

    def _farther(self, rows: Matrix, home: Matrix, at: NDArray[np.intp], stride: float) -> Matrix:
        """The rows with every edit of a number carried on by a stride of its own length, and at least of `LEAST` of the range."""
        values, schema = self.values, self.values.schema
        farther, span = rows.copy(), schema.frozen_scales().span
        for j in map(int, np.flatnonzero(schema.numeric & schema.mutable)):
            gone = rows[:, j] - home[:, j]
            wanted = rows[:, j] + stride * (gone + LEAST * span[j] * np.sign(gone))
            value = values.choices[j][values.nearest(j, wanted)]
            outward = (gone != 0) & (np.sign(value - rows[:, j]) == np.sign(gone)) & self._allowed(j, value, at)
            farther[:, j] = np.where(outward, value, rows[:, j])
        return farther

    def _steadiness(self, rows: Matrix) -> Matrix:
        """The share of slightly different people for whom these edits flip the class too; 0 where the person does not flip."""
        schema = self.values.schema
        span = np.where(schema.numeric, schema.frozen_scales().span, 0.0)
        shape = (self.how.copies, *rows.shape)
        moved = rows + self.how.wobble * span * self.chance.normal(size=shape)
        share = (self.ask(moved.reshape(-1, rows.shape[1])) >= FLIP).reshape(shape[:2]).mean(axis=0)
        return np.where(self.ask(rows) >= FLIP, share, 0.0)

    # -- inside ----------------------------------------------------------------------------------------------------
    def _candidates(self) -> tuple[NDArray[np.intp], Matrix]:
        """The edits to try, as feature and value of each."""
        features, chosen = [], []
        for j in self._editable():
            choices = self.values.choices[j]
            if len(choices) > self.how.candidates and self.values.schema.features[j].is_numeric:
                spread = np.linspace(EDGE, 1 - EDGE, self.how.candidates) * (len(choices) - 1)
                choices = choices[np.unique(np.rint(spread).astype(np.intp))]
            features += [j] * len(choices)
            chosen += list(choices)
        return np.array(features, dtype=np.intp), np.array(chosen)

    def _editable(self) -> list[int]:
        chosen = self.how.features
        return [int(j) for j in np.flatnonzero(self.values.schema.mutable) if chosen is None or j in chosen]

    def _score(
        self,
        at: NDArray[np.intp],
        rows: Matrix,
        features: NDArray[np.intp],
        choices: Matrix,
        after: Matrix,
        now: Matrix,
    ) -> Matrix:
        """Gain in probability for its cost, or for whatever flips the class, its cost alone."""
        before = np.take_along_axis(self.people[at], features, axis=1)
        held = np.take_along_axis(rows[at], features, axis=1)
        cost = np.maximum(self._gap(features, choices, before) - self._gap(features, held, before), 0.0) + EDIT_COST
        score = np.where(after >= FLIP, 1e3 / cost, _gain(np.minimum(after, ENOUGH), now[:, None]) / cost)
        score[score <= 0] = -np.inf
        if self.how.wander:
            score = np.where(score > 0, score * np.exp(self.how.wander * self.chance.normal(size=score.shape)), score)
        return score

    def _gap(self, features: NDArray[np.intp], values: Matrix, others: Matrix) -> Matrix:
        """Gower's difference of single values."""
        return np.where(self._nominal[features], values != others, np.abs(values - others) / self._span[features])

    @property
    def _nominal(self) -> Mask:
        return self.values.schema.nominal

    @cached_property
    def _span(self) -> Matrix:
        schema = self.values.schema
        ranks = np.array([1.0 if f.is_numeric else len(f.levels) - 1.0 for f in schema.features])
        span = np.where(schema.numeric, schema.frozen_scales().span, ranks)
        return np.where(span > 0, span, 1.0)

    def _allowed(self, j: int, value: Matrix | float, at: NDArray[np.intp] | slice = slice(None)) -> Mask:
        """For which of the people a value of feature j is one they may go to, shape `(n,)`."""
        own, direction = self.people[at, j], self.values.schema.features[j].direction
        if direction == "increase":
            return np.asarray(value >= own)
        if direction == "decrease":
            return np.asarray(value <= own)
        return np.ones(len(own), dtype=bool)

    def _between(self, j: int, far: Matrix, near: Matrix, share: Matrix) -> Matrix:
        """Values from `far` (share 0) to `near` (share 1, exactly), on the values there are."""
        choices = self.values.choices[j]
        value = choices[nearest(choices, far + share * (near - far))]
        inward = (np.minimum(far, near) <= value) & (value <= np.maximum(far, near))
        return np.where(share >= 1, near, np.where(inward, value, far))


def in_parts(probability: Callable[[Matrix], Matrix], rows: Matrix) -> Matrix:
    """What `probability` says of rows, shape `(n,)`, asked about so many at once as memory bears."""
    parts = [probability(rows[i : i + AT_ONCE]) for i in range(0, len(rows), AT_ONCE)]
    return np.concatenate(parts) if parts else np.empty(0)


def _gain(after: Matrix, now: Matrix) -> Matrix:
    """What an edit gains: probability, or a little for log-odds where the classifier is so sure that nothing else moves."""
    return after - now + FAINT * (log_odds(after) - log_odds(now))


def log_odds(p: Matrix) -> Matrix:
    """Of probabilities, in nats; finite for certainty too."""
    inside = np.clip(p, TINY, 1 - TINY)
    odds: Matrix = np.log(inside / (1 - inside))
    return odds
