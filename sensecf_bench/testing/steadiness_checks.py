"""What must not change a generator's answer, and the hard cases it must come through by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.testing import tables
from sensecf_bench.testing.bench import Answer, Bench, Misbehaved, differing
from sensecf_bench.testing.generator_checks import standard
from sensecf_bench.testing.verdicts import CheckFailed, NotChecked, require

if TYPE_CHECKING:
    from sensecf_bench.queries import QueryBatch
    from sensecf_bench.testing.local import Setting
    from sensecf_bench.testing.subject import Subject

SEEDED = "draw from `np.random.default_rng(query.seed)`, and carry nothing from one query to the next"
SHORT = 1.0  # seconds a query may take when the classifier is slow
BRIEF = 5.0  # the same when the target class cannot be reached
FEW = 2


def same_seed_same_answer(subject: Subject, bench: Bench) -> None:
    """Two processes give the same answer under the same seed, however the global random generators stand."""
    one = standard(subject, bench)
    with _tried("the same answer in a second process"), bench.sitting(subject, noise=2) as sitting:
        other = sitting.ask(one.queries)
    changed = differing(one, other)
    require(not changed, "the same answer from two processes", f"other rows for {', '.join(changed)}", SEEDED)


def order_does_not_matter(subject: Subject, bench: Bench) -> None:
    """The same queries in another order get the same answers."""
    queries = standard(subject, bench).queries
    with _tried("an answer to queries in another order"), bench.sitting(subject) as sitting:
        one = sitting.ask(queries)
        other = sitting.ask(queries.take(list(reversed(range(len(queries))))))
    changed = differing(one, other)
    require(not changed, "answers that do not depend on order", f"other rows for {', '.join(changed)}", SEEDED)


def one_at_a_time_is_all_at_once(subject: Subject, bench: Bench) -> None:
    """Queries get the same answers alone as in each other's company."""
    queries = standard(subject, bench).queries
    with _tried("the same answers one by one"), bench.sitting(subject) as sitting:
        together = sitting.ask(queries)
        try:
            alone = [sitting.ask(queries.take([i])) for i in range(len(queries))]
        except Misbehaved as trouble:
            raise NotChecked(f"{trouble}: see answers-one-query") from trouble
    changed = [query_id for one in alone for query_id in differing(one, together)]
    cure = "let nothing about the batch into the answer to a query: no scaling by it, no sharing of what was found"
    require(not changed, "the same answers one by one", f"other rows for {', '.join(changed)}", cure)


def answers_one_query(subject: Subject, bench: Bench) -> None:
    """A single query is answered in form."""
    asked = standard(subject, bench).queries
    with _tried("an answer in form to a single query"), bench.sitting(subject) as sitting:
        sitting.ask(asked.take([len(asked) - 1]))


def survives_an_empty_batch(subject: Subject, bench: Bench) -> None:
    """Asked about nobody, it returns None or an empty frame."""
    asked = standard(subject, bench).queries
    with _tried("None or an empty frame when asked about nobody"), bench.sitting(subject) as sitting:
        sitting.ask(asked.take([]))


def leaves_the_immutable_alone(subject: Subject, bench: Bench) -> None:
    """Where nothing may change, it leaves the query out or gives the same row back."""
    standard(subject, bench)
    answer = _ask(subject, bench, tables.setting(tables.FrozenTable), "an abstention where nothing may change")
    schema = answer.queries.schema
    moved = schema.changed(answer.rows.matrix, answer.queries.matrix[answer.rows.owner])
    moved |= np.isnan(answer.rows.matrix)
    names = [schema.names[j] for j in np.flatnonzero(moved.any(axis=0))]
    cure = "change features with `mutable` only; leave out a query that has none"
    require(not names, "nothing changed where nothing may change", f"changed: {', '.join(names)}", cure)


def gives_up_on_an_impossible_target(subject: Subject, bench: Bench) -> None:
    """With a classifier that never says the target class, it comes to an end by itself."""
    standard(subject, bench)
    setting = tables.setting(classifier=tables.Stubborn)
    _ask(subject, bench, setting, "an end by itself when nothing flips", seconds=BRIEF, few=True)


def keeps_the_deadline(subject: Subject, bench: Bench) -> None:
    """With a slow classifier and little time, it returns before `task.seconds_per_query` is over."""
    standard(subject, bench)
    setting = tables.setting(classifier=tables.Slow)
    _ask(subject, bench, setting, f"an answer within {SHORT:g} s a query", seconds=SHORT, few=True)


# -- what the checks share ---------------------------------------------------------------------------------------------
def _ask(
    subject: Subject, bench: Bench, setting: Setting, expected: str, seconds: float | None = None, few: bool = False
) -> Answer:
    queries: QueryBatch = setting.queries.take(slice(FEW)) if few else setting.queries
    with _tried(expected), bench.sitting(subject, setting, seconds_per_query=seconds) as sitting:
        return sitting.ask(queries)


@contextlib.contextmanager
def _tried(expected: str) -> Iterator[None]:
    """Turn what goes wrong in the block into the failure of the check that tries it."""
    try:
        yield
    except Misbehaved as trouble:
        raise CheckFailed(expected, str(trouble), _cure(trouble)) from trouble


def _cure(trouble: Misbehaved) -> str:
    if trouble.how == "was killed":
        return "watch the clock: stop when `task.seconds_per_query` is nearly over, and return the best there is"
    return "handle the case, and leave a query out that has no answer"
