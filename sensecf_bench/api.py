"""The whole benchmark as Python calls, for notebooks and scripts: run, score, load.

from sensecf_bench import api
run = api.run(api.RunConfig(generators=("nice", "dice-random"), queries=20), out="runs/mine")
run.results                     # a pandas frame, one row a cell and metric
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensecf_bench.engine.config import RunConfig
from sensecf_bench.engine.observers import Observer, Quiet
from sensecf_bench.errors import NothingRan, RunFolderError

if TYPE_CHECKING:
    import pandas as pd

    from sensecf_bench.engine.plan import Plan
    from sensecf_bench.engine.run import Carried
    from sensecf_bench.registry import Registry

__all__ = ["Observer", "Quiet", "Run", "RunConfig", "default_folder", "estimate", "load", "plan", "run", "score"]


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """A finished run: its folder and its results document, and its tables as pandas frames."""

    folder: Path
    document: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, {len(self.document['rows'])} cells)"

    @property
    def failed(self) -> list[str]:
        """Cells that failed, with the reason."""
        return [
            f"{r['dataset']} · {r['classifier']} · {r['generator']} · seed {r['seed']}: {r['reason']}"
            for r in self.document["rows"]
            if r["status"] == "failed"
        ]

    @property
    def results(self) -> pd.DataFrame:
        """A row a cell and metric: value, interval and counts."""
        import pandas as pd

        cell = ("dataset", "classifier", "generator", "seed", "status")
        return pd.DataFrame(
            [
                {**{name: row[name] for name in cell}, "metric": metric, **estimate}
                for row in self.document["rows"]
                for metric, estimate in row["metrics"].items()
            ]
        )

    @property
    def augmentation(self) -> pd.DataFrame:
        """A row an arm, level of scarcity, retrained classifier and seed, with columns such as `reduced_f1`; empty where
        augmentation is off."""
        import pandas as pd

        part = self.document.get("augmentation") or {"rows": []}
        stages = ("full", "reduced", "augmented")
        return pd.DataFrame(
            [
                {name: value for name, value in row.items() if name not in stages}
                | {f"{stage}_{score}": value for stage in stages for score, value in row[stage].items()}
                for row in part["rows"]
            ]
        )

    @property
    def queries(self) -> pd.DataFrame:
        """A row a query and cell: the factual in raw units, the outcome, what it took."""
        return self._tables("queries")

    @property
    def counterfactuals(self) -> pd.DataFrame:
        """A row a returned row and cell, in raw units; `cf_reason` is empty where it was admitted, `cf_rationale` where
        the generator did not say why."""
        return self._tables("rows")

    def _tables(self, name: str) -> pd.DataFrame:
        import pandas as pd

        from sensecf_bench.engine.store import load_cell

        frames = []
        for row in self.document["rows"]:
            cell = load_cell(self.folder / "cells" / row["cell"]) if row["cell"] else None
            if cell is not None:
                frame = cell.queries() if name == "queries" else cell.rows()
                for column in ("seed", "generator", "classifier", "dataset"):
                    frame.insert(0, f"cf_{column}", row[column])
                frames.append(frame)
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def plan(config: RunConfig | None = None) -> tuple[Plan, Registry]:
    """Resolve a configuration without running anything."""
    from sensecf_bench.engine.plan import make_plan
    from sensecf_bench.quiet import hushed
    from sensecf_bench.registry import discover

    config = config or RunConfig()
    registry = discover(config.plugins, config.blocked, config.plugins_dir)
    registry.refuse_mistakes()
    with hushed():  # generators are asked whether they are available
        return make_plan(config, registry), registry


def estimate(planned: Plan) -> dict[str, float]:
    """What a plan may cost at most, in US dollars, by generator; those that cost nothing are left out.

    Loads the datasets that paid generators are asked about. Raises DataError or SchemaError.
    """
    from sensecf_bench.engine.remote import prices

    return prices((*planned.cells, *(planned.augmentation.cells if planned.augmentation else ())))


def default_folder(config: RunConfig) -> Path:
    """`runs/<hash of the configuration>`: the same command finds its own results again."""
    from sensecf_bench.engine.cells import content_hash

    return Path("runs") / content_hash(config.identity())[:10]


def run(config: RunConfig | None = None, out: str | Path | None = None, observer: Observer | None = None) -> Run:
    """Carry out a run, or what is missing of it, and write `results.json` and `leaderboard.md` into its folder.

    Raises BenchError subclasses for whatever the user can mend; NothingRan when there was no cell to run.
    """
    from sensecf_bench.engine.executors import prepare
    from sensecf_bench.engine.observers import WithPlugins
    from sensecf_bench.engine.run import carry_out

    config = config or RunConfig()
    prepare()
    planned, registry = plan(config)
    if not planned.cells:
        reasons = "; ".join(f"{s.generator}: {s.reason} ({s.fix})" for s in planned.skipped)
        raise NothingRan(f"nothing ran: no generator is available ({reasons})", "see `sensecf-bench list generators`")
    folder = Path(out) if out is not None else default_folder(config)
    listeners = WithPlugins(observer or Quiet(), registry)
    carried = carry_out(planned, folder, listeners)
    finished = _publish(folder, carried, None if carried.time.worker_total else _timing_of(folder))
    listeners.run_finished(finished.document)
    return finished


def score(folder: str | Path, observer: Observer | None = None) -> Run:
    """Score the stored counterfactuals of a run again, with the metrics there are now; nothing is generated."""
    from sensecf_bench.engine.files import CorruptError, read_json
    from sensecf_bench.engine.run import rescore

    folder = Path(folder)
    if not (folder / "run.json").exists():
        raise RunFolderError(f"{folder} is not a results folder of sensecf-bench", "name the folder of a run")
    try:
        stored = read_json(folder / "run.json")["config"]
        config = RunConfig.model_validate({"augmentation": "off", **stored})  # a run from before there was any
    except (CorruptError, KeyError, ValueError) as error:
        raise RunFolderError(f"{folder / 'run.json'} cannot be read: {error}", "repeat the run's command") from error
    planned, _ = plan(config)
    return _publish(folder, rescore(planned, folder, observer or Quiet()), _timing_of(folder))


def load(folder: str | Path) -> Run:
    """Open a finished run. Raises RunFolderError when it has no results yet."""
    from sensecf_bench.reports.publish import read_results

    return Run(Path(folder), read_results(Path(folder)))


def _timing_of(folder: Path) -> Mapping[str, Any] | None:
    """How long the run took whose results are there, if they can be read."""
    from sensecf_bench.engine.files import CorruptError, read_json

    try:
        timing: Mapping[str, Any] = read_json(folder / "results.json")["timing"]
    except (CorruptError, KeyError, TypeError):
        return None
    return timing


def _publish(folder: Path, carried: Carried, timing: Mapping[str, Any] | None = None) -> Run:
    from sensecf_bench.engine.files import write_json
    from sensecf_bench.reports.publish import write_page
    from sensecf_bench.reports.results import build_results

    document = build_results(carried)
    if timing is not None:
        document["timing"] = {**timing, "scoring": carried.time.scoring}
    write_json(folder / "results.json", document)
    write_page(document, folder)
    return Run(folder, document)
