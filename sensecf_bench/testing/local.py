"""A task and its queries in the calling process, without the engine: for unit tests and notebooks."""

from __future__ import annotations

import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sensecf_bench.admission import Answers, admit
from sensecf_bench.contracts import CounterfactualBatch, Generator, QueryBatch, classes_of
from sensecf_bench.engine.context import Explained, fit_classifier, prepare_data
from sensecf_bench.registry import discover

if TYPE_CHECKING:
    import pandas as pd

    from sensecf_bench.queries import Classes


@dataclass(frozen=True, eq=False)
class Setting:
    """A dataset, a classifier fitted on it, and the queries it leads to."""

    explained: Explained
    queries: QueryBatch

    def fit(self, generator: Generator, *, k: int = 1, seconds_per_query: float = 30.0) -> Generator:
        """Fit a generator to this setting, with a scratch folder that goes when the generator does."""
        scratch = tempfile.TemporaryDirectory(prefix="sensecf-bench-", ignore_cleanup_errors=True)
        weakref.finalize(generator, scratch.cleanup)
        task = self.explained.task(type(generator), Path(scratch.name), k=k, seconds_per_query=seconds_per_query)
        generator.fit(task)
        return generator

    def admit(self, answer: pd.DataFrame | CounterfactualBatch | None, k: int = 1) -> Answers:
        """Admit an answer to all queries as the engine would. Raises ProtocolError."""
        frame = answer.rows if isinstance(answer, CounterfactualBatch) else answer
        if frame is None:
            frame = self.queries.frame.reset_index().iloc[:0]
        rationales = answer.rationales if isinstance(answer, CounterfactualBatch) else {}
        return admit({str(c): frame[c].to_numpy() for c in frame.columns}, self.queries, k, rationales)

    def classes(self, answers: Answers) -> Classes:
        """What the explained classifier says of the answered rows, shape `(r,)`."""
        return classes_of(self.explained.model.predict_proba(answers.matrix))


def local_setting(
    dataset: str = "breast-cancer", classifier: str = "random-forest", seed: int = 0, queries: int | None = None
) -> Setting:
    """Build a setting by the names that `sensecf-bench list` shows."""
    registry = discover()
    data = prepare_data(registry.dataset(dataset)(), seed)
    explained = fit_classifier(data, registry.classifier(classifier)())
    return Setting(explained, explained.queries(queries))
