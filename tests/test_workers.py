"""Workers and deadlines: what happens when a worker dies, and when a cell takes too long."""

from sensecf_bench import api

DIES = """
import os, pathlib
from sensecf_bench import hookimpl
from sensecf_bench.classifiers import SupportVectorMachine

DEATHS = pathlib.Path(__file__).with_suffix(".deaths")


class Mortal(SupportVectorMachine):
    "Takes its process with it, as an allocator out of memory does, at the calls it is told to."

    name = "mortal"
    calls = 0

    def predict_proba(self, rows):
        Mortal.calls += 1
        deaths = len(DEATHS.read_text()) if DEATHS.exists() else 0
        if deaths < {deaths} and Mortal.calls == 2:
            DEATHS.write_text("x" * (deaths + 1))
            os._exit(9)
        return super().predict_proba(rows)


@hookimpl
def sensecf_classifiers():
    return [Mortal]
"""


def mortal_run(folder, deaths):
    plugin = folder / "mortal.py"
    plugin.write_text(DIES.replace("{deaths}", str(deaths)))
    config = api.RunConfig(
        generators=("identity", "random-opposite", "nearest-opposite"),
        datasets=("breast-cancer",),
        classifiers=("mortal",),
        queries=8,
        resamples=200,
        augmentation="off",
        plugins=(plugin,),
    )
    return api.run(config, folder / "run"), plugin.with_suffix(".deaths")


def test_a_worker_that_dies_is_replaced_and_nothing_is_lost(tmp_path):
    for name, deaths in (("never", 0), ("once", 1)):
        (tmp_path / name).mkdir()
        run, died = mortal_run(tmp_path / name, deaths)
        assert (len(died.read_text()) if died.exists() else 0) == deaths
        assert run.failed == []
        found = run.counterfactuals
        if name == "never":
            unharmed = found
    assert found.equals(unharmed)


def test_cells_that_kill_their_worker_fail_alone_and_the_others_are_done(tmp_path):
    run, _ = mortal_run(tmp_path, 99)
    assert {r["generator"]: r["status"] for r in run.document["rows"]} == {
        "identity": "failed",
        "random-opposite": "failed",
        "nearest-opposite": "failed",
    }
    assert all("its worker process died" in line for line in run.failed)


def test_a_cell_that_takes_too_long_times_out_and_keeps_what_it_has(tmp_path, single_file_plugins):
    config = api.RunConfig(
        generators=("good", "hangs"),
        datasets=("breast-cancer",),
        classifiers=("svm",),
        queries=6,
        cell_timeout=2.0,
        augmentation="off",
        plugins=(single_file_plugins / "faulty.py",),
    )
    victim = api.run(config.model_copy(update={"generators": ("good",)}), tmp_path / "good").queries["query_id"][2]
    options = {"hangs": {"victim": victim}}
    run = api.run(config.model_copy(update={"options": options}), tmp_path / "hangs")
    found = run.queries[run.queries["cf_generator"] == "hangs"]
    assert list(found["cf_outcome"]) == ["FOUND", "FOUND", *["TIMEOUT"] * 4]
    assert list(found["cf_reason"])[2:] == ["timeout", *["cell-timeout"] * 3]


def test_what_times_out_does_not_depend_on_how_a_cell_is_split(tmp_path):
    plugin = tmp_path / "sleeper.py"
    plugin.write_text(
        "import time\n"
        "from sensecf_bench import Generator, hookimpl\n"
        "class Sleeper(Generator):\n"
        "    'Takes two seconds a query.'\n"
        "    name = 'sleeper'\n"
        "    def generate(self, queries):\n"
        "        time.sleep(2)\n"
        "        return queries.frame\n"
        "@hookimpl\n"
        "def sensecf_generators(): return [Sleeper]\n"
    )
    outcomes = []
    for jobs in (1, 2):
        config = api.RunConfig(
            generators=("sleeper",),
            datasets=("breast-cancer",),
            classifiers=("svm",),
            queries=4,
            shard_size=2,
            cell_timeout=6.0,
            augmentation="off",
            jobs=jobs,
            plugins=(plugin,),
        )
        outcomes.append(list(api.run(config, tmp_path / f"jobs{jobs}").queries["cf_outcome"]))
    assert outcomes[0] == outcomes[1] == ["FOUND", "TIMEOUT", "FOUND", "TIMEOUT"]
