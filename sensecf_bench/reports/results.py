"""The machine-readable leaderboard: everything a report shows, in one JSON document.

`rows` holds one entry a cell, `summary` one a dataset and generator, pooled over classifiers and seeds. A report is a
pure function of this document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sensecf_bench.contracts import Metric
from sensecf_bench.engine.cells import CellSpec
from sensecf_bench.engine.desk import needs_gradients
from sensecf_bench.engine.provenance import provenance
from sensecf_bench.engine.run import Carried, CellResult
from sensecf_bench.engine.score import CellScore
from sensecf_bench.engine.worker import ContextReport
from sensecf_bench.metrics.bootstrap import Estimate
from sensecf_bench.reports.pooling import Pool, best_of, pool
from sensecf_bench.reports.rationales import gathered
from sensecf_bench.reports.sentinels import drift, silent

FORMAT = 1


@dataclass(frozen=True, eq=False)
class Scored:
    """A cell with its score, where it has one."""

    result: CellResult
    context: ContextReport | None
    score: CellScore | None

    @property
    def cell(self) -> CellSpec:
        return self.result.cell

    @property
    def dataset(self) -> str:
        return self.context.dataset if self.context else self.cell.context.dataset.name


def build_results(carried: Carried) -> dict[str, Any]:
    """The whole document. Only `timing`, `provenance` and metrics marked `timing` differ between two equal runs."""
    metrics: list[Metric] = [c.make() for c in carried.plan.metrics]
    scored = [_scored(carried, result) for result in carried.results]
    rows = [_row(item) for item in scored]
    summary = _summary(scored, metrics, carried.plan.config.resamples)
    return {
        "format": FORMAT,
        "config": carried.plan.config.model_dump(mode="json"),
        "metrics": {m.name: _metric(m) for m in metrics},
        "contexts": _contexts(carried),
        "rows": rows,
        "factuals": _factuals(carried),
        "summary": summary,
        "skipped": [asdict(s) for s in carried.plan.skipped],
        "notes": [*_notes(carried), *_gradient_notes(summary), *silent(summary)],
        "drift": drift(rows),
        **gathered(scored),
        "augmentation": _augmentation(carried),
        "timing": asdict(carried.time),
        "provenance": provenance(),
    }


def _augmentation(carried: Carried) -> dict[str, Any] | None:
    """None where it is off: what belongs to it is not even imported then."""
    if carried.plan.augmentation is None:
        return None
    from sensecf_bench.reports.augmentation_rows import build_augmentation

    return build_augmentation(carried)


def _scored(carried: Carried, result: CellResult) -> Scored:
    context = carried.contexts.get(result.cell.context.key)
    scores = carried.scores.get(result.cell.context.key)
    score = None
    if result.stored is not None and scores is not None:
        score = next(s for s in scores.cells if s.folder == result.stored.folder)
    return Scored(result, context if isinstance(context, ContextReport) else None, score)


def _row(item: Scored) -> dict[str, Any]:
    cell, stored = item.cell, item.result.stored
    record: dict[str, Any] = (
        stored.record if stored else {"status": "failed", "reason": item.result.reason, "asked": 0, "outcomes": {}}
    )
    return {
        "dataset": item.dataset,
        "classifier": cell.context.classifier.name,
        "generator": cell.generator.name,
        "seed": cell.context.seed,
        "options": _chosen_options(cell),
        "cell": stored.folder.name if stored else None,
        "versions": stored.record["cell"]["generator_versions"] if stored else dict(cell.generator.versions),
        "status": record["status"],
        "reason": record["reason"],
        "asked": record["asked"],
        "outcomes": record["outcomes"],
        "metrics": _estimates(item.score.estimates if item.score else {}),
        "metric_errors": dict(item.score.errors) if item.score else {},
        "fit": {name: record["fit"][name] for name in ("seconds", "calls", "rows")} if "fit" in record else None,
    }


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "direction": metric.direction,
        "unit": metric.unit,
        "version": metric.version,
        "timing": metric.timing,
        "description": (type(metric).__doc__ or "").strip().partition("\n")[0],
    }


def _contexts(carried: Carried) -> list[dict[str, Any]]:
    entries = []
    for spec in carried.plan.contexts:
        report = carried.contexts[spec.key]
        entry: dict[str, Any] = {"classifier": spec.classifier.name, "seed": spec.seed}
        if isinstance(report, Exception):
            entry |= {"dataset": spec.dataset.name, "failure": f"{type(report).__name__}: {report}"}
        else:
            quality = {name: (None if value != value else value) for name, value in report.quality.items()}
            entry |= {"dataset": report.dataset, "queries": report.queries, "quality": quality, **report.facts}
            entry["fingerprint"] = report.fingerprint
            if report.failure:
                entry["failure"] = report.failure
        entries.append(entry)
    return entries


def _factuals(carried: Carried) -> list[dict[str, Any]]:
    entries = []
    for spec in carried.plan.contexts:
        report, scores = carried.contexts[spec.key], carried.scores.get(spec.key)
        if isinstance(report, ContextReport) and scores is not None:
            entry = {"dataset": report.dataset, "classifier": spec.classifier.name, "seed": spec.seed}
            entries.append({**entry, "metrics": _estimates(scores.factuals)})
    return entries


def _summary(scored: Sequence[Scored], metrics: Sequence[Metric], resamples: int) -> list[dict[str, Any]]:
    entries = []
    for dataset in dict.fromkeys(item.dataset for item in scored):
        here = [item for item in scored if item.dataset == dataset]
        pools: dict[str, Pool] = {}
        for name in dict.fromkeys(item.cell.generator.name for item in here):
            mine = [item for item in here if item.cell.generator.name == name]
            pools[name] = pool([(_key(i), i.score) for i in mine], metrics, resamples)
            entries.append(_pooled_entry(dataset, mine, pools[name]))
        ranked = [e["generator"] for e in entries if e["dataset"] == dataset and e["ranked"]]
        partial = {e["generator"] for e in entries if e["dataset"] == dataset and e["no_gradients_from"]}
        best = best_of({name: pools[name] for name in ranked if name not in partial}, metrics, resamples)
        for entry in entries:
            if entry["dataset"] == dataset:
                entry["best"] = sorted(m for m, names in best.items() if entry["generator"] in names)
    return entries


def _pooled_entry(dataset: str, mine: Sequence[Scored], pooled: Pool) -> dict[str, Any]:
    cls = mine[0].cell.generator_class
    failed = [i for i in mine if i.result.stored is None or i.result.stored.record["status"] == "failed"]
    why = ""
    if cls.sentinel:
        why = "sentinel: a known answer that calibrates the table"
    elif failed:
        first = failed[0].result
        reason = first.reason or (first.stored.record["reason"] if first.stored else "")
        why = f"{len(failed)} of {len(mine)} cells failed; the first: {reason}"
    outcomes: dict[str, int] = {}
    for item in mine:
        for name, count in (item.result.stored.record["outcomes"] if item.result.stored else {}).items():
            outcomes[name] = outcomes.get(name, 0) + count
    return {
        "dataset": dataset,
        "generator": mine[0].cell.generator.name,
        "options": _chosen_options(mine[0].cell),
        "access": cls.access,
        "sentinel": cls.sentinel,
        "cells": len(mine),
        "ranked": not why,
        "not_ranked_because": why,
        "no_gradients_from": _cannot_explain(mine),
        "people": pooled.people,
        "outcomes": outcomes,
        "metrics": _estimates(pooled.estimates),
        "changes": _changes(mine, pooled),
        "best": [],
    }


def _cannot_explain(mine: Sequence[Scored]) -> list[str]:
    """The classifiers that a generator abstained from because they offer no gradients."""
    contexts = [(i.cell.generator_class, i.cell.context.classifier) for i in mine]
    return list(dict.fromkeys(c.name for generator, c in contexts if needs_gradients(generator, c.cls)))


def _changes(mine: Sequence[Scored], pooled: Pool) -> dict[str, float]:
    """The share of answered queries in which each feature was changed (the study's radar plots)."""
    context, sums = mine[0].context, pooled.sums.get("feature-entropy")
    if context is None or sums is None or not sums.scored.any():
        return {}
    shares = sums.parts.sum(axis=0) / sums.scored.sum()
    return {name: round(float(share), 6) for name, share in zip(context.facts["feature_names"], shares, strict=True)}


def _notes(carried: Carried) -> list[str]:
    config, notes = carried.plan.config, []
    for spec in carried.plan.contexts:
        report = carried.contexts[spec.key]
        if isinstance(report, ContextReport) and config.queries is not None and report.queries < config.queries:
            notes.append(
                f"{report.dataset} · {spec.classifier.name} · seed {spec.seed}: {config.queries} queries asked for, "
                f"{report.queries} test rows are in the undesired class; all of them were used"
            )
        scores = carried.scores.get(spec.key)
        if isinstance(report, ContextReport) and scores is not None and scores.panel_failure:
            where = f"{report.dataset} · {spec.classifier.name} · seed {spec.seed}"
            notes.append(
                f"{where}: no cross-validity, because a classifier of the panel failed: {scores.panel_failure}"
            )
    return notes


def _gradient_notes(summary: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"{e['dataset']} · {e['generator']} abstains from {', '.join(e['no_gradients_from'])}: "
        f"{'it offers' if len(e['no_gradients_from']) == 1 else 'they offer'} no gradients. Those queries stay in its "
        "denominators; its means over answered queries speak of the other classifiers only, so none of its values is bold"
        for e in summary
        if e["no_gradients_from"]
    ]


def _chosen_options(cell: CellSpec) -> dict[str, Any]:
    """The options that differ from the generator's defaults, and those that it wants named in any case."""
    cls = cell.generator_class
    defaults = cls.Options().model_dump(mode="json")
    return {
        name: value
        for name, value in cell.generator.options.items()
        if name in cls.named_options or value != defaults.get(name)
    }


def _estimates(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: asdict(estimate) for name, estimate in estimates.items()}


def _key(item: Scored) -> str:
    return f"{item.cell.context.classifier.name}\x1f{item.cell.context.seed}"
