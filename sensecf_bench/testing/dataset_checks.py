"""What a dataset must do: be the same each time, say what its columns are, and keep its test rows to itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.contracts import Dataset, Split, Table
from sensecf_bench.errors import SchemaError
from sensecf_bench.testing.subject import made
from sensecf_bench.testing.verdicts import CheckFailed, NotChecked, require

if TYPE_CHECKING:
    from sensecf_bench.testing.bench import Bench
    from sensecf_bench.testing.subject import Subject

SEEDS = (0, 1, 2)


def loads(subject: Subject, bench: Bench) -> None:
    """It loads a table whose ids and outcomes are as many as its rows."""
    _refuse_without_argument(subject)
    try:
        table = _made(subject).load()
    except Exception as error:
        seen = f"{type(error).__name__}: {error}"
        raise CheckFailed("a table", seen, "return a Table from `load`") from error
    seen = f"{len(table.frame)} rows, {len(table.ids)} ids, {len(table.outcome)} outcomes"
    require(len(table.frame) == len(table.ids) == len(table.outcome), "as many of each", seen, "one per row")


def loads_the_same_twice(subject: Subject, bench: Bench) -> None:
    """Loaded twice it is the same table."""
    one, other = _table(subject), _table(subject)
    same = {
        "schema": one.schema.fingerprint == other.schema.fingerprint,
        "frame": one.frame.equals(other.frame),
        "outcome": np.array_equal(one.outcome, other.outcome),
        "ids": one.ids == other.ids,
        "classes": (one.classes, one.undesired) == (other.classes, other.undesired),
    }
    altered = [name for name, held in same.items() if not held]
    require(
        not altered, "the same table", f"another {', '.join(altered)}", "seed what is random, sort what has no order"
    )


def ids_are_unique(subject: Subject, bench: Bench) -> None:
    """Each row has an id of its own, as text."""
    ids = _table(subject).ids
    require(all(isinstance(i, str) for i in ids), "ids as text", repr(ids[0]), "write them with `str`")
    twice = sorted({i for i in ids if ids.count(i) > 1})[:3] if len(set(ids)) < len(ids) else []
    require(not twice, "unique ids", f"twice: {', '.join(twice)}", "make an id of what is unique about a row")


def schema_fits_the_frame(subject: Subject, bench: Bench) -> None:
    """Its schema reads every value of its frame, rows keep its bounds and constraints, and its undesired class is 0 or 1."""
    table = _table(subject)
    try:
        matrix = table.schema.encode(table.frame)
    except SchemaError as error:
        raise CheckFailed("a frame that the schema reads", error.message, error.fix) from error
    low, high = table.schema.hard_bounds
    outside = [table.schema.names[j] for j in np.flatnonzero(((matrix < low) | (matrix > high)).any(axis=0))]
    require(not outside, "values inside the hard bounds", f"others in {', '.join(outside)}", "widen the bounds")
    broken = [c.name for c in table.schema.constraints if table.schema.breaks(c, matrix).any()]
    cure = "loosen the constraints, or leave those rows out"
    require(not broken, "rows that keep the constraints", f"rows that break {', '.join(broken)}", cure)
    good = table.undesired in (0, 1) and len(set(table.classes)) == 2
    cure = "name two classes, and say by 0 or 1 which one people want to leave"
    require(good, "two classes, one undesired", f"{table.classes!r}, undesired {table.undesired!r}", cure)


def outcome_has_two_classes(subject: Subject, bench: Bench) -> None:
    """Under each seed labels are 0 and 1, and both occur among the training, validation and test rows."""
    dataset, table = _split_table(subject)
    for seed in SEEDS:
        split = dataset.split(table, seed)
        labels = np.asarray(dataset.labels(table, split.train))
        strangers = sorted(set(labels.tolist()) - {0, 1})
        require(not strangers, "labels 0 and 1", f"also {strangers[:3]}", "return classes, as integers, from `labels`")
        require(labels.shape == (len(table.ids),), f"{len(table.ids)} labels", f"shape {labels.shape}", "one per row")
        for name, rows in _parts(split).items():
            cure = "stratify the split, or bring more rows of the rarer class"
            require(len(set(labels[rows].tolist())) == 2, f"both classes in {name}", f"one, under seed {seed}", cure)


def split_shares_no_row(subject: Subject, bench: Bench) -> None:
    """Training, validation and test rows share no row, and together they are all rows."""
    dataset, table = _table_of(subject)
    for seed in SEEDS:
        parts = _parts(dataset.split(table, seed))
        rows = np.concatenate(list(parts.values()))
        cure = "deal every position 0 … n-1 to exactly one part"
        inside = len(rows) and rows.min() >= 0 and rows.max() < len(table.ids)
        require(inside, f"positions 0 to {len(table.ids) - 1}", f"others under seed {seed}", cure)
        require(len(np.unique(rows)) == len(rows), "no row in two places", f"one under seed {seed}", cure)
        require(len(rows) == len(table.ids), f"all {len(table.ids)} rows", f"{len(rows)} under seed {seed}", cure)


def split_follows_the_seed(subject: Subject, bench: Bench) -> None:
    """The same seed gives the same split, another seed another one, however the global random generators stand."""
    dataset, table = _table_of(subject)
    state = np.random.get_state()
    try:
        np.random.seed(1)
        one = dataset.split(table, SEEDS[0])
        np.random.seed(2)
        again, other = dataset.split(table, SEEDS[0]), dataset.split(table, SEEDS[1])
    finally:
        np.random.set_state(state)
    cure = "draw from `np.random.default_rng(seed)`"
    require(_same(one, again), "the same split under one seed", "another one", cure)
    require(not _same(one, other), "another split under another seed", "the same one", cure)


def labels_look_at_training_rows_only(subject: Subject, bench: Bench) -> None:
    """Other outcomes among the validation and test rows change no label of a training row."""
    dataset, table = _split_table(subject)
    split = dataset.split(table, SEEDS[0])
    before = np.asarray(dataset.labels(table, split.train))[split.train]
    elsewhere = np.setdiff1d(np.concatenate([split.validation, split.test]), split.train)
    for extreme in (np.min, np.max):
        outcome = table.outcome.copy()
        outcome[elsewhere] = extreme(table.outcome)
        after = np.asarray(dataset.labels(replace(table, outcome=outcome), split.train))[split.train]
        moved = int((before != after).sum())
        cure = "take thresholds from `table.outcome[train]`"
        require(not moved, "labels that depend on the training rows only", f"{moved} training labels changed", cure)


# -- what the checks share ---------------------------------------------------------------------------------------------
def _made(subject: Subject) -> Dataset:
    dataset: Dataset = made(subject)
    return dataset


def _refuse_without_argument(subject: Subject) -> None:
    argument = getattr(subject.cls, "argument", None)
    if argument is not None and getattr(made(subject).options, argument, None) is None:
        raise NotChecked(f"it needs an argument: check {subject.name}:ARGUMENT")


def _table(subject: Subject) -> Table:
    return _table_of(subject)[1]


def _table_of(subject: Subject) -> tuple[Dataset, Table]:
    _refuse_without_argument(subject)
    dataset = _made(subject)
    try:
        table = dataset.load()
    except Exception as error:
        raise NotChecked("it does not get that far: see loads") from error
    if not len(table.frame) == len(table.ids) == len(table.outcome):
        raise NotChecked("it does not get that far: see loads")
    return dataset, table


def _split_table(subject: Subject) -> tuple[Dataset, Table]:
    """The same, where the split is one that labels can be asked about."""
    dataset, table = _table_of(subject)
    rows = np.concatenate(list(_parts(dataset.split(table, SEEDS[0])).values()))
    if not len(rows) or rows.min() < 0 or rows.max() >= len(table.ids):
        raise NotChecked("it does not get that far: see split-shares-no-row")
    return dataset, table


def _parts(split: Split) -> dict[str, np.ndarray[tuple[int], np.dtype[np.intp]]]:
    named = {"the training rows": split.train, "the validation rows": split.validation, "the test rows": split.test}
    return {name: np.asarray(rows) for name, rows in named.items()}


def _same(one: Split, other: Split) -> bool:
    return all(
        np.array_equal(np.sort(a), np.sort(b))
        for a, b in zip(_parts(one).values(), _parts(other).values(), strict=True)
    )
