"""The command line as a user meets it: messages, exit codes, and what each command writes."""

import io
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from command_line import typed
from rich.console import Console
from rich.progress import Progress

import sensecf_bench
from sensecf_bench.cli import listing, main
from sensecf_bench.cli.progress import Live


def bench(*words, cwd=None):
    """In a process of its own; `typed` is cheaper where that makes no difference."""
    return subprocess.run(
        [sys.executable, "-m", "sensecf_bench", *map(str, words)], capture_output=True, text=True, cwd=cwd, timeout=120
    )


OFF = ("--augmentation", "off")


def small(*words):
    return ("run", "--generators", "identity,nearest-opposite", "--datasets", "breast-cancer", "--classifiers", "svm",
            "--queries", "6", "--resamples", "200", *OFF, *words)  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "--generators", "nearest-oposite"), "unknown generator 'nearest-oposite'; did you mean 'nearest-opposite'"),
        (("run", "--datasets", "brest-cancer"), "unknown dataset 'brest-cancer'; did you mean 'breast-cancer'"),
        (("run", "--classifiers", "smv"), "unknown classifier 'smv'; did you mean 'svm'"),
        (("run", "--metrics", "validty"), "unknown metric 'validty'; did you mean 'validity'"),
        (("run", "--preset", "papr"), "unknown preset 'papr'; did you mean 'paper'"),
        (("run", "--set", "random-forest.tres=3"), "unknown option 'tres'; did you mean 'trees'"),
        (("run", "--set", "random-forst.trees=3"), "unknown component in options 'random-forst'; did you mean 'random-forest'"),
        (("run", "--set", "trees"), "is not NAME.OPTION=VALUE"),
        (("run", "--queries", "0"), "queries"),
        (("run", "--seeds", "one"), "seeds"),
        (("run", "--k", "0"), "k: "),
        (("run", "--generators", ""), "name at least one"),
        (("run", "--datasets", "table"), "needs an argument"),
        (("run", "--datasets", "table:nowhere.yaml"), "cannot read schema file"),
        (("run", "--config", "nowhere.yaml"), "cannot read configuration"),
        (("run", "--plugins-dir", "nowhere"), "plugins folder nowhere does not exist"),
        (("run", "--plugin", "nowhere.py", "--generators", "x"), "nowhere.py"),
        (("score", "nowhere"), "not a results folder"),
        (("leaderboard", "build", "nowhere"), "holds no results.json"),
        (("leaderboard", "check", "nowhere"), "holds no leaderboards"),
        (("data", "infer", "nowhere.csv", "--target", "y", "--out", "x.yaml"), "cannot read table"),
    ],
)  # fmt: skip
def test_a_users_mistake_is_explained_without_a_traceback(words, message, tmp_path):
    done = typed(*words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").glob("*/results.json"))


def test_a_mistake_is_told_by_a_process_as_it_is_by_a_call(tmp_path):
    words = ("run", "--generators", "nearest-oposite")
    done, called = bench(*words, cwd=tmp_path), typed(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (called.returncode, called.stdout, called.stderr)


def test_an_unknown_flag_is_a_usage_error(tmp_path):
    done = bench("run", "--generator", "nice", cwd=tmp_path)
    assert done.returncode == 2
    assert "--generators" in done.stderr


def test_run_writes_a_leaderboard_and_ends_with_a_verdict(tmp_path):
    done = bench(*small("--out", "mine"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("2 cells done in ")
    assert done.stderr.count("done   breast-cancer · svm · ") == 2
    document = json.loads((tmp_path / "mine" / "results.json").read_text())
    assert {row["generator"] for row in document["rows"]} == {"identity", "nearest-opposite"}
    page = (tmp_path / "mine" / "leaderboard.md").read_text()
    assert "sensecf-bench run --generators identity,nearest-opposite" in page
    assert str(tmp_path) not in page


def test_a_dry_run_shows_the_plan_and_writes_nothing(tmp_path):
    done = typed(*small("--dry-run"), cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("2 cells into runs/")
    assert "breast-cancer · svm · seed 0: identity, nearest-opposite" in done.stdout
    assert not list(tmp_path.iterdir())


def test_failed_cells_give_exit_code_1_and_are_listed(tmp_path, single_file_plugins):
    plugin = ("--plugin", single_file_plugins / "faulty.py")
    words = (
        "run",
        "--datasets",
        "breast-cancer",
        "--classifiers",
        "svm",
        "--queries",
        "4",
        "--out",
        tmp_path / "r",
        *OFF,
    )
    done = typed(*words, *plugin, "--generators", "good,fails-to-fit")
    assert done.returncode == 1
    assert (
        "failed: breast-cancer · svm · fails-to-fit · seed 0: fit-raised: ValueError: cannot learn this" in done.stdout
    )
    assert "1 cells done, 1 failed" in done.stdout


def test_a_drifted_sentinel_fails_the_run(tmp_path):
    plugin = tmp_path / "liar.py"
    plugin.write_text(
        "from sensecf_bench import Classifier, hookimpl\n"
        "import numpy as np\n"
        "class Fickle(Classifier):\n"
        "    'Changes its mind at every call.'\n"
        "    name, calls = 'fickle', 0\n"
        "    def fit(self, schema, rows, labels, seed): pass\n"
        "    def predict_proba(self, rows):\n"
        "        Fickle.calls += 1\n"
        "        return np.tile([0.1, 0.9] if Fickle.calls <= 1 else [0.9, 0.1], (len(rows), 1))\n"
        "@hookimpl\n"
        "def sensecf_classifiers(): return [Fickle]\n"
    )
    words = (
        "run",
        "--datasets",
        "breast-cancer",
        "--classifiers",
        "fickle",
        "--generators",
        "identity",
        "--queries",
        "4",
        *OFF,
    )
    done = typed(*words, "--plugin", plugin, "--jobs", "1", "--out", tmp_path / "r")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "sentinel drifted: identity" in done.stdout
    assert "do not trust this table" in (tmp_path / "r" / "leaderboard.md").read_text()


def test_nothing_available_gives_exit_code_3(tmp_path):
    plugin = tmp_path / "absent.py"
    plugin.write_text(
        "from sensecf_bench import Generator, Unavailable, hookimpl\n"
        "class Absent(Generator):\n"
        "    name = 'absent'\n"
        "    def available(self): raise Unavailable('no key', 'export KEY=...')\n"
        "    def generate(self, queries): return None\n"
        "@hookimpl\n"
        "def sensecf_generators(): return [Absent]\n"
    )
    done = typed("run", "--generators", "absent", "--plugin", plugin, cwd=tmp_path)
    assert done.returncode == 3
    assert "no key" in done.stderr
    assert "export KEY=..." in done.stderr
    listed = typed("list", "generators", "--plugin", plugin)
    assert "[unavailable: no key; export KEY=...]" in listed.stdout


def test_an_internal_error_gives_exit_code_5_and_asks_for_a_report(monkeypatch, capsys):
    def breaks(**_):
        raise ZeroDivisionError("never thought of")

    monkeypatch.setattr(main, "app", breaks)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 5
    assert "internal error: ZeroDivisionError: never thought of" in capsys.readouterr().err


def test_a_dataset_that_breaks_fails_its_cells(tmp_path):
    plugin = tmp_path / "bad_dataset.py"
    plugin.write_text(
        "from sensecf_bench import Dataset, hookimpl\n"
        "class Bad(Dataset):\n"
        "    'Raises what nobody expects.'\n"
        "    name = 'bad-dataset'\n"
        "    def load(self): raise ZeroDivisionError('unexpected')\n"
        "@hookimpl\n"
        "def sensecf_datasets(): return [Bad]\n"
    )
    words = ("run", "--datasets", "bad-dataset", "--generators", "identity", "--plugin", plugin, *OFF)
    done = typed(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert "unexpected" in done.stdout


@pytest.mark.parametrize("what", ["generators", "classifiers", "metrics", "datasets", "plugins"])
def test_list_names_everything_with_a_description(what):
    entries = json.loads(typed("list", what, "--json").stdout)
    assert entries
    text = typed("list", what).stdout
    for entry in entries:
        assert entry["name"] in text
        assert entry.get("description", entry.get("status"))


def test_a_users_table_from_draft_to_leaderboard(tmp_path):
    rows = ["sex,age,weight,steps,outcome"]
    rows += [f"{'mf'[i % 2]},{20 + i % 50},{60 + (i * 7) % 40}.5,{(i * 137) % 9000},{'ill' if (i * 137) % 9000 < 4000 else 'well'}"
             for i in range(300)]  # fmt: skip
    (tmp_path / "people.csv").write_text("\n".join(rows))
    drafted = typed(
        "data", "infer", "people.csv", "--target", "outcome", "--undesired", "ill", "--out", "people.yaml", cwd=tmp_path
    )
    assert drafted.returncode == 0, drafted.stderr
    assert "mutable: false" in drafted.stdout
    done = bench("run", "--datasets", "table:people.yaml", "--classifiers", "xgboost", "--generators",
                 "identity,random-opposite,nearest-opposite", "--queries", "10", "--out", "r", *OFF, cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    assert "# Leaderboard: people" in (tmp_path / "r" / "leaderboard.md").read_text()
    refused = typed("data", "infer", "people.csv", "--target", "outcome", "--out", "people.yaml", cwd=tmp_path)
    assert refused.returncode == 2
    assert "already there" in refused.stderr


def test_help_and_version_answer():
    assert "leaderboard" in bench("--help").stdout
    assert bench("--version").stdout.startswith("sensecf-bench ")


# -- listing ---------------------------------------------------------------------------------------------------------
def test_list_takes_plugins_from_a_configuration_and_from_flags(tmp_path, single_file_plugins):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "broken.py").write_text("1 / 0\n")
    faulty = single_file_plugins / "faulty.py"
    (tmp_path / "run.yaml").write_text(f"plugins: [{faulty}]\nplugins_dir: folder\nblocked: [built-in datasets]\n")
    done = typed("list", "plugins", "--config", "run.yaml", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    status = {entry["name"]: entry["status"] for entry in json.loads(done.stdout)}
    assert (status[str(faulty)], status["folder/broken.py"]) == ("ok", "broken")
    assert status["built-in datasets"] == "blocked"
    flags = ("--plugin", faulty, "--plugins-dir", "folder", "--block", "built-in datasets")
    assert typed("list", "plugins", *flags, "--json", cwd=tmp_path).stdout == done.stdout
    over = typed("list", "plugins", "--config", "run.yaml", "--block", "built-in metrics", "--json", cwd=tmp_path)
    assert "blocked" in {e["name"]: e["status"] for e in json.loads(over.stdout)}["built-in metrics"]


def test_the_list_of_plugins_says_what_each_brought_and_what_is_wrong(tmp_path, single_file_plugins):
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "loud.py").write_text(
        "print('hello')\nfrom sensecf_bench import hookimpl\n@hookimpl\ndef sensecf_metrics(): return []\n"
    )
    lines = bench("list", "plugins", "--plugins-dir", tmp_path).stdout.splitlines()
    at = lines.index(next(line for line in lines if "built-in generators" in line))
    assert lines[at].split() == ["ok", "built-in", "generators", "sensecf-bench", sensecf_bench.__version__]
    assert lines[at + 1] == "    generators: identity, random-opposite, nearest-opposite"
    at = lines.index(next(line for line in lines if line.startswith("broken ") and "broken.py" in line))
    assert lines[at + 1] == "    reason: ZeroDivisionError: division by zero"
    assert lines[at + 2] == "    fix: repair or uninstall the plugin"
    at = lines.index(next(line for line in lines if "loud.py" in line))
    assert lines[at + 1] == "    warning: prints 6 bytes when it is imported"


def test_listing_from_a_folder_that_is_none_is_a_users_mistake(tmp_path):
    done = typed("list", "plugins", "--plugins-dir", "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert "plugins folder nowhere does not exist" in done.stderr


@pytest.mark.parametrize(
    "body",
    [
        "    def available(self): raise OSError('no such device')\n",
        "    def available(self): raise SystemExit(3)\n",
        "    def __init__(self, options=None): raise ValueError('bad')\n",
        "    needs = None\n",
    ],
    ids=["available raises", "available exits", "constructor raises", "needs is None"],
)
def test_a_generator_that_breaks_when_asked_is_listed_as_broken(tmp_path, capsys, body):
    plugin = tmp_path / f"broken_when_listed_{abs(hash(body))}.py"
    plugin.write_text(
        "from sensecf_bench import Generator, hookimpl\nclass Mine(Generator):\n    'Breaks.'\n    name = 'mine'\n"
        f"{body}    def generate(self, queries): return None\n"
        "@hookimpl\ndef sensecf_generators(): return [Mine]\n"
    )
    listing.list_(listing.What.generators, [plugin])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("mine ")]
    assert "Breaks. [broken: " in line
    assert "report it to the plugin's author" in line


# -- progress --------------------------------------------------------------------------------------------------------
RECORD = {"outcomes": {"FOUND": 32}, "spent": {"seconds": 1.0}, "status": "ok", "asked": 32}
CELL = SimpleNamespace(title="a · b · c · seed 0", shard_size=16)


def live():
    bar = Progress(console=Console(file=io.StringIO(), width=200))
    return Live(bar), lambda: bar.tasks[1].completed, bar.console.file


def test_stored_cells_are_told_in_one_line():
    observer, _, written = live()
    for _ in range(3):
        observer.cell_finished(CELL, RECORD, reused=True)
    observer.planned(4, 2)
    observer.stage("generating")
    observer.cell_finished(CELL, RECORD, reused=False)
    observer.stage("scoring")
    lines = written.getvalue().splitlines()
    assert lines == ["done   a · b · c · seed 0: 32 found (1.0 s)", "3 cells were stored already"]


def test_the_shard_bar_counts_the_shards_of_closed_cells():
    observer, completed, _ = live()
    observer.planned(2, 4)
    observer.shards_in_flight(1)
    assert completed() == 1
    observer.cell_finished(CELL, RECORD, reused=False)
    observer.shards_in_flight(1)
    assert completed() == 3


def test_the_shard_bar_of_a_resumed_run_counts_only_what_was_missing():
    observer, completed, _ = live()
    observer.cell_finished(CELL, RECORD, reused=True)
    observer.planned(3, 3)  # one of four shards of two cells was there
    seen = []
    observer.shards_in_flight(1)
    observer.cell_finished(CELL, RECORD, reused=False)
    for done in (0, 1, 2):
        observer.shards_in_flight(done)
        seen.append(completed())
    assert seen == [1, 2, 3]
    observer.stage("scoring")
    assert completed() == 3
