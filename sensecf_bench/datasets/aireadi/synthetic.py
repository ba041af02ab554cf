"""The dataset `aireadi-synthetic`: a table of the AI-READI task that anyone may have."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from sensecf_bench.contracts import Dataset, PluginOptions, Table

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sensecf_bench.queries import Classes

STUDY_SIZE = 1067  # people in release 2, the study's
ENROLLED_PER_ELIGIBLE = 1.35


class SyntheticAireadi(Dataset):
    """Synthetic AI-READI: people from a generative model with glucose, sleep, activity and clinic; undesired: high stress.

    `participants` is how many rows there are, one a person: the first eligible people of the cohort of `seed`. High
    stress is a mean stress score of at least `threshold`. Nobody in it exists.
    """

    name = "aireadi-synthetic"

    class Options(PluginOptions):
        participants: int = Field(default=STUDY_SIZE, ge=50, le=50_000)
        seed: int = Field(default=0, ge=0)
        threshold: float = Field(default=26.0, ge=1, le=99)

    def load(self) -> Table:
        from sensecf_bench.datasets.aireadi.task import CLASSES, LABEL, SCHEMA, UNDESIRED

        frame = eligible_people(self.options.participants, self.options.seed)
        return Table(
            name=self.name,
            schema=SCHEMA,
            frame=frame[list(SCHEMA.names)],
            outcome=frame[LABEL].to_numpy(),
            ids=tuple(f"synthetic-{person}" for person in frame.index),
            classes=CLASSES,
            undesired=UNDESIRED,
            source="synthetic: the generative model of docs/aireadi-synthetic.md, calibrated to published aggregates of "
            "AI-READI release 3; no row is or comes from a participant",
            licence="MIT, as the rest of sensecf-bench",
        )

    def labels(self, table: Table, train: NDArray[np.intp]) -> Classes:
        from sensecf_bench.datasets.aireadi.task import high_stress

        return high_stress(table.outcome, self.options.threshold)


@lru_cache(maxsize=4)
def eligible_people(participants: int, seed: int) -> pd.DataFrame:
    """The first so many people of a cohort who have all that the task asks for, indexed by `person_id`.

    All columns of the features file. Not to be altered: it is kept.
    """
    import pandas as pd

    from sensecf_bench.datasets.aireadi.cohort import make_cohort
    from sensecf_bench.datasets.aireadi.cohort.implied import implied_features
    from sensecf_bench.datasets.aireadi.task import eligibility

    enrolled = participants
    while True:
        enrolled = int(enrolled * ENROLLED_PER_ELIGIBLE) + 10
        cohort = make_cohort(enrolled, seed)
        columns = implied_features(cohort)
        chosen = np.flatnonzero(eligibility(columns).eligible)[:participants]
        if len(chosen) == participants:
            people = pd.DataFrame(columns, index=pd.Index(cohort.people.ids, name="person_id"))
            return people.iloc[chosen]
