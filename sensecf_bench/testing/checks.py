"""The table of checks, by kind of plugin, in the order in which they are made."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sensecf_bench.contracts import PluginKind
from sensecf_bench.errors import UnknownNameError
from sensecf_bench.testing import api_checks as api
from sensecf_bench.testing import classifier_checks as classifier
from sensecf_bench.testing import dataset_checks as dataset
from sensecf_bench.testing import generator_checks as generator
from sensecf_bench.testing import hygiene_checks as hygiene
from sensecf_bench.testing import metric_checks as metric
from sensecf_bench.testing import steadiness_checks as steadiness
from sensecf_bench.testing.bench import Bench
from sensecf_bench.testing.subject import Subject

Function = Callable[[Subject, Bench], None]


@dataclass(frozen=True)
class Check:
    """One question about a plugin class. It raises CheckFailed, or NotChecked where it cannot be asked."""

    name: str
    kind: PluginKind
    sentence: str
    function: Function


COMMON: tuple[Function, ...] = (
    api.has_a_name_of_its_own,
    api.says_what_it_is,
    api.options_have_defaults,
    api.unknown_options_are_refused,
    api.options_are_described,
    api.declares_legal_values,
    api.can_be_found_again,
    hygiene.imports_quickly,
    hygiene.imports_nothing_heavy,
    hygiene.opens_no_socket,
    hygiene.prints_nothing,
    hygiene.leaves_nothing_running,
)
OWN: Mapping[PluginKind, tuple[Function, ...]] = {
    "generator": (
        api.bows_out_in_words,
        generator.fits,
        generator.declared_access_suffices,
        generator.answers_what_was_asked,
        generator.gives_at_most_k_rows,
        generator.keeps_units_and_levels,
        generator.keeps_the_rules,
        generator.leaves_its_input_alone,
        generator.writes_to_scratch_only,
        generator.asks_no_network,
        generator.finds_something,
        steadiness.same_seed_same_answer,
        steadiness.order_does_not_matter,
        steadiness.one_at_a_time_is_all_at_once,
        steadiness.answers_one_query,
        steadiness.survives_an_empty_batch,
        steadiness.leaves_the_immutable_alone,
        steadiness.gives_up_on_an_impossible_target,
        steadiness.keeps_the_deadline,
    ),
    "classifier": (
        classifier.learns_all_kinds,
        classifier.gives_probabilities,
        classifier.same_seed_same_model,
        classifier.one_row_is_as_many,
        classifier.order_of_rows_does_not_matter,
        classifier.leaves_its_rows_alone,
        classifier.beats_the_base_rate,
        classifier.gradient_is_the_slope,
        classifier.weights_count,
    ),
    "metric": (
        metric.works_on_every_case,
        metric.sums_are_in_form,
        metric.value_takes_any_totals,
        metric.order_of_queries_does_not_matter,
        metric.same_answers_same_value,
        metric.leaves_the_answers_alone,
        metric.share_is_a_share,
    ),
    "dataset": (
        dataset.loads,
        dataset.loads_the_same_twice,
        dataset.ids_are_unique,
        dataset.schema_fits_the_frame,
        dataset.outcome_has_two_classes,
        dataset.split_shares_no_row,
        dataset.split_follows_the_seed,
        dataset.labels_look_at_training_rows_only,
    ),
}


def _check(kind: PluginKind, function: Function) -> Check:
    return Check(function.__name__.replace("_", "-"), kind, (function.__doc__ or "").strip(), function)


CHECKS: Mapping[PluginKind, tuple[Check, ...]] = {
    kind: tuple(_check(kind, function) for function in (*COMMON, *own)) for kind, own in OWN.items()
}
NAMES = tuple(dict.fromkeys(check.name for checks in CHECKS.values() for check in checks))


def refuse_unknown(names: Iterable[str]) -> None:
    """Raises UnknownNameError for a name that no check has, with the nearest that exist."""
    for name in names:
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=3, cutoff=0.3) or NAMES
            raise UnknownNameError("check", name, near)
