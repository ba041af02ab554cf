"""What a generator must do in a process like those of a run: fit, and answer in form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.admission import Answers, Reason
from sensecf_bench.contracts import classes_of
from sensecf_bench.errors import Unavailable
from sensecf_bench.testing import tables
from sensecf_bench.testing.bench import Answer, Attempt, Bench, Misbehaved, interpreter_of
from sensecf_bench.testing.fresh import seen_at_import
from sensecf_bench.testing.subject import made
from sensecf_bench.testing.verdicts import CheckFailed, NotChecked, require

if TYPE_CHECKING:
    from sensecf_bench.testing.subject import Subject

MANY = 3
FITS, IN_FORM, ENOUGH_ACCESS, AT_MOST_K = (
    "fits",
    "answers-what-was-asked",
    "declared-access-suffices",
    "gives-at-most-k-rows",
)


def fits(subject: Subject, bench: Bench) -> None:
    """It is fitted to a small table with features of all five kinds."""
    _attempt(
        subject, bench, FITS, "to be fitted", "raise nothing in `fit`; bow out in `available` if it cannot run here"
    )


def declared_access_suffices(subject: Subject, bench: Bench) -> None:
    """It asks its task for nothing beyond the access it declares."""
    cure = "declare the access it needs on its class"
    _attempt(subject, bench, ENOUGH_ACCESS, "nothing beyond its declared access", cure)


def answers_what_was_asked(subject: Subject, bench: Bench) -> None:
    """Asked about several people, it returns a frame with a query_id that was asked and every feature of the schema."""
    cure = "return the schema's columns and `query_id`, for the queries asked; leave out a query you cannot answer"
    _attempt(subject, bench, IN_FORM, "an answer in form", cure)


def gives_at_most_k_rows(subject: Subject, bench: Bench) -> None:
    """A query gets at most `task.k` rows, with k = 1 and with k = 3."""
    cure = "keep the best `task.k` rows of each query"
    _attempt(subject, bench, AT_MOST_K, "at most 1 row a query", cure)
    for_many = bench.attempt(subject, k=MANY)
    if for_many.trouble is not None:
        raise CheckFailed(f"an answer in form with k = {MANY}", str(for_many.trouble), cure)


def keeps_units_and_levels(subject: Subject, bench: Bench) -> None:
    """Rows come back in raw units: finite numbers, whole where the feature is, and levels by their names."""
    unreadable = {Reason.NOT_A_NUMBER, Reason.OUT_OF_VOCABULARY, Reason.NOT_AN_INTEGER}
    cure = "answer as `schema.decode` would: numbers in the feature's unit, integers rounded, levels as text"
    _refuse_rejections(subject, bench, unreadable, "rows in raw units", cure)


def keeps_the_rules(subject: Subject, bench: Bench) -> None:
    """Rows change no immutable feature, respect directions, and stay inside hard bounds."""
    broken = {Reason.IMMUTABLE_CHANGED, Reason.WRONG_DIRECTION, Reason.OUTSIDE_HARD_BOUNDS}
    cure = (
        "see `mutable`, `direction` and `bounds` of each feature; a row that breaks a rule is rejected, never repaired"
    )
    _refuse_rejections(subject, bench, broken, "rows that keep the rules of the schema", cure)
    guarded = tables.setting(tables.GuardedTable)
    try:
        with bench.sitting(subject, guarded) as sitting:
            rows = sitting.ask(guarded.queries).rows
    except Misbehaved as trouble:
        raise CheckFailed("an answer where the rules leave little room", str(trouble), cure) from trouble
    _refuse([rows], broken, "rows that keep the rules where they leave little room", cure)


def leaves_its_input_alone(subject: Subject, bench: Bench) -> None:
    """It changes no array of its task or its queries."""
    attempt = _watched(subject, bench)
    altered = attempt.notes["altered"]
    require(not altered, "its input untouched", f"it changed {', '.join(altered)}", "work on a copy: `.copy()`")


def writes_to_scratch_only(subject: Subject, bench: Bench) -> None:
    """It writes, renames and removes files in `task.scratch` only."""
    written = _watched(subject, bench).notes["written"]
    cure = "write below `task.scratch`, temporary files too, and send a library's caches there"
    require(not written, "nothing written outside task.scratch", ", ".join(written[:5]), cure)


def asks_no_network(subject: Subject, bench: Bench) -> None:
    """It asks nothing of the network, for it declares no need of it."""
    called = _watched(subject, bench).notes["called"]
    cure = 'declare needs = frozenset({"network"}), so that a user must allow it, or do without'
    require("network" in subject.cls.needs or not called, "no call to the network", "; ".join(called[:3]), cure)  # type: ignore[attr-defined]


def finds_something(subject: Subject, bench: Bench) -> None:
    """On an easy table at least one query gets an admitted row that the classifier puts in the target class."""
    answer = standard(subject, bench)
    admitted = np.array([r == Reason.ADMITTED for r in answer.rows.reasons], dtype=bool)
    rows, owner = answer.rows.matrix[admitted], answer.rows.owner[admitted]
    model = tables.setting().explained.model
    flips = int((classes_of(model.predict_proba(rows)) == answer.queries.target[owner]).sum()) if len(rows) else 0
    asked = len(answer.queries)
    require(
        flips,
        "at least one counterfactual on a table where one feature is enough",
        f"{len(answer.rows.owner)} rows for {asked} queries, {len(rows)} admitted, none in the target class",
        "let the classifier confirm a row before you return it: `task.predict(rows) == task.target`",
    )


# -- what the checks share ---------------------------------------------------------------------------------------------
def standard(subject: Subject, bench: Bench, k: int = 1) -> Answer:
    """Its answer to the easy table. Raises NotChecked where it gives none, which is another check's business."""
    attempt = _attempt(subject, bench, "", "", "")
    if k != 1:
        attempt = bench.attempt(subject, k)
    if attempt.answer is None:
        raise NotChecked(f"it does not get that far: see {AT_MOST_K}")
    return attempt.answer


def refuse_unrunnable(subject: Subject, bench: Bench) -> None:
    """Raises NotChecked when it cannot, or should not, be run here."""
    missing = sorted(frozenset(getattr(subject.cls, "needs", ())) - bench.allowed)
    if missing:
        raise NotChecked(f"it needs {', '.join(missing)}")
    if seen_at_import(subject).failure:
        raise NotChecked("another process cannot find it: see can-be-found-again")
    generator = made(subject)
    try:
        if not interpreter_of(subject):  # elsewhere it is asked by its own process
            generator.available()
    except Unavailable as bows_out:
        raise NotChecked(f"unavailable here: {bows_out.reason} ({bows_out.fix})") from bows_out
    except (Exception, SystemExit) as error:
        raise NotChecked("`available` raises: see bows-out-in-words") from error


def _attempt(subject: Subject, bench: Bench, mine: str, expected: str, cure: str) -> Attempt:
    """The attempt at the easy table. What goes wrong there fails one check, and the others are not made."""
    refuse_unrunnable(subject, bench)
    attempt = bench.attempt(subject)
    if attempt.trouble is None:
        return attempt
    owner = _whose(attempt.trouble, attempt)
    if owner == mine:
        raise CheckFailed(expected, str(attempt.trouble), cure)
    raise NotChecked(f"it does not get that far: see {owner}")


def _whose(trouble: Misbehaved, attempt: Attempt) -> str:
    if trouble.how == "asked for more than its access":
        return ENOUGH_ACCESS
    if trouble.fitting:
        return FITS
    return AT_MOST_K if attempt.notes.get("most_rows", 0) > 1 else IN_FORM


def _watched(subject: Subject, bench: Bench) -> Attempt:
    attempt = _attempt(subject, bench, "", "", "")
    if not attempt.notes:
        raise NotChecked("a generator in an environment of its own is not watched from inside")
    return attempt


def _refuse_rejections(subject: Subject, bench: Bench, reasons: set[Reason], expected: str, cure: str) -> None:
    answers = [standard(subject, bench).rows]
    if (for_many := bench.attempt(subject, k=MANY).answer) is not None:
        answers.append(for_many.rows)
    _refuse(answers, reasons, expected, cure)


def _refuse(answers: list[Answers], reasons: set[Reason], expected: str, cure: str) -> None:
    seen = [
        f"{reason} ({detail})"
        for rows in answers
        for reason, detail in zip(rows.reasons, rows.details, strict=True)
        if reason in reasons
    ]
    require(not seen, expected, f"{len(seen)} rejected rows: {'; '.join(dict.fromkeys(seen[:4]))}", cure)
