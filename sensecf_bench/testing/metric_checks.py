"""What a metric must do, tried on answers made by hand."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.contracts import Metric, Sums
from sensecf_bench.testing.judgements import CASES, judged, reordered
from sensecf_bench.testing.subject import made
from sensecf_bench.testing.verdicts import CheckFailed, NotChecked, require

if TYPE_CHECKING:
    from sensecf_bench.judged import Judged
    from sensecf_bench.schema import Matrix
    from sensecf_bench.testing.bench import Bench
    from sensecf_bench.testing.subject import Subject

ROUNDING = 1e-9
PLAIN = "some found"


def works_on_every_case(subject: Subject, bench: Bench) -> None:
    """It has a value, or NaN, with nobody found, everybody found, a single query, and several rows a query."""
    for case in CASES:
        try:
            _value(_made(subject), judged(case))
        except Exception as error:
            seen = f"{type(error).__name__}: {error}"
            cure = "think of empty arrays, and use `judged.mean_over_rows` and `ratio`"
            raise CheckFailed(f"a value with {case}", seen, cure) from error


def sums_are_in_form(subject: Subject, bench: Bench) -> None:
    """Sums have a finite row of parts per query, zero where a query was not scored, and only eligible queries scored."""
    for case, sums in _all_sums(subject):
        n = len(judged(case))
        parts = np.asarray(sums.parts)
        cure = "see `Sums` in sensecf_bench/contracts.py"
        require(parts.ndim == 2 and len(parts) == n, f"parts of shape ({n}, m)", f"{parts.shape} with {case}", cure)
        flags = {"eligible": sums.eligible, "scored": sums.scored}
        for name, flag in flags.items():
            good = flag.shape == (n,) and flag.dtype == np.bool_
            require(good, f"`{name}` as {n} truth values", f"{flag.dtype} {flag.shape} with {case}", cure)
        require(np.isfinite(parts).all(), "finite parts", f"NaN or infinity with {case}", cure)
        require(not parts[~sums.scored].any(), "zero where a query is not scored", f"other parts with {case}", cure)
        require(not (sums.scored & ~sums.eligible).any(), "only eligible queries scored", f"others with {case}", cure)


def value_takes_any_totals(subject: Subject, bench: Bench) -> None:
    """Totals of shape (…, m) give values of shape (…), each as it would be alone; NaN where nothing was scored."""
    sums, metric = _sums(subject, PLAIN), _made(subject)
    total = sums.parts.sum(axis=0)
    stack = np.stack([total, 2 * total, np.zeros_like(total), sums.parts[0], total, total]).reshape(2, 3, -1)
    cure = "index totals with `totals[..., 0]`, and divide with `ratio`"
    try:
        values = np.asarray(metric.value(stack))
        alone = np.array([[float(metric.value(t)) for t in row] for row in stack])
    except Exception as error:
        raise CheckFailed("a value for stacked totals", f"{type(error).__name__}: {error}", cure) from error
    require(values.shape == (2, 3), "shape (2, 3) for totals of shape (2, 3, m)", f"{values.shape}", cure)
    same = np.allclose(values, alone, equal_nan=True)
    require(same, "the same value alone as stacked", f"{values.tolist()} instead of {alone.tolist()}", cure)


def order_of_queries_does_not_matter(subject: Subject, bench: Bench) -> None:
    """The same answers in another order have the same value."""
    for case in (PLAIN, "three rows a query"):
        one, metric = judged(case), _usable(subject)
        order = list(reversed(range(len(one))))
        there, back = _value(metric, one), _value(_made(subject), reordered(judged(case), order))
        cure = "let a query's parts depend on that query and its rows alone"
        require(_same(there, back), f"{there:.12g} in any order, with {case}", f"{back:.12g}", cure)


def same_answers_same_value(subject: Subject, bench: Bench) -> None:
    """The same stored answers have the same value, whatever was measured before."""
    metric = _usable(subject)
    first = _value(metric, judged(PLAIN))
    _value(metric, judged("three rows a query"))
    again, fresh = _value(metric, judged(PLAIN)), _value(_made(subject), judged(PLAIN))
    cure = "compute from `judged` alone: no clock, no unseeded random numbers, nothing kept on `self`"
    require(
        first == again == fresh or np.isnan([first, again, fresh]).all(), f"{first!r}", f"{again!r}, {fresh!r}", cure
    )


def leaves_the_answers_alone(subject: Subject, bench: Bench) -> None:
    """It changes none of the arrays it is given."""
    metric, given = _usable(subject), judged("three rows a query")
    before = _digests(given)
    _value(metric, given)
    after = _digests(given)
    altered = [name for name in before if before[name] != after[name]]
    require(not altered, "its input untouched", f"it changed {', '.join(altered)}", "work on a copy: `.copy()`")


def share_is_a_share(subject: Subject, bench: Bench) -> None:
    """If it says it is a share, each scored query adds between 0 and 1, and so does the value."""
    if not getattr(subject.cls, "is_share", False):
        raise NotChecked("it is no share")
    for case in CASES:
        value = _value(_usable(subject), judged(case))
        cure = "correct the value, or `is_share`"
        require(np.isnan(value) or -ROUNDING <= value <= 1 + ROUNDING, f"a share with {case}", f"{value:.6g}", cure)


# -- what the checks share ---------------------------------------------------------------------------------------------
def _made(subject: Subject) -> Metric:
    metric: Metric = made(subject)
    return metric


def _usable(subject: Subject) -> Metric:
    try:
        for case in CASES:
            _value(_made(subject), judged(case))
    except Exception as error:
        raise NotChecked("it does not get that far: see works-on-every-case") from error
    return _made(subject)


def _value(metric: Metric, given: Judged) -> float:
    return float(metric.value(np.asarray(metric.sums(given).parts).sum(axis=0)))


def _sums(subject: Subject, case: str) -> Sums:
    return _usable(subject).sums(judged(case))


def _all_sums(subject: Subject) -> list[tuple[str, Sums]]:
    return [(case, _sums(subject, case)) for case in CASES]


def _same(one: float, other: float) -> bool:
    return bool(np.isclose(one, other, rtol=ROUNDING, atol=ROUNDING, equal_nan=True))


def _digests(given: Judged) -> dict[str, str]:
    named: dict[str, Matrix | Any] = {
        **{name: getattr(given, name) for name in ("factuals", "target", "owner", "rows", "predicted")},
        **{f"panel.{name}": classes for name, classes in given.panel.items()},
        **{f"spent.{name}": getattr(given.spent, name) for name in ("seconds", "calls", "rows", "tokens", "usd")},
        "reference.rows": given.reference.rows,
        "reference.labels": given.reference.labels,
    }
    return {name: hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest() for name, array in named.items()}
