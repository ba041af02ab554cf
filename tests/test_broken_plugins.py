"""A folder full of broken plugins: each is named with its reason, and nobody else is touched."""

import importlib.metadata
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import psutil
import pyarrow.parquet as pq
import pytest

from sensecf_bench import api
from sensecf_bench.discovery import rehearsal
from sensecf_bench.registry import ENTRY_POINTS, discover

FOLDER = Path(__file__).parent / "broken_plugins"
INSTALLED = tuple(entry.name for entry in importlib.metadata.entry_points(group=ENTRY_POINTS))
DEADLINE = 2
REPAIR, ENDED = "repair or uninstall the plugin", "repair, block or uninstall the plugin"
MOVE = "move it into fit or generate"

REFUSED = {
    "asks_at_import": ("EOFError: EOF when reading a line", REPAIR),
    "bad_name": ("BadName: 'Bad Name' is no name", "use lower-case letters, digits, '-', '.', '@'"),
    "bad_options": (
        "BadOptions: its Options are no PluginOptions",
        "derive them from sensecf_bench.PluginOptions",
    ),
    "connects_at_import": ("connects to example.org:443 when it is imported", MOVE),
    "connects_by_name_at_import": ("connects to example.org:80 when it is imported", MOVE),
    "called_like_a_control": ("Smote: 'smote' is what augmentation calls a control", "choose another name"),
    "default_argument": (
        "hook sensecf_run_finished has a default value for `summary`, which pluggy then never passes",
        "write `def sensecf_run_finished(summary):`",
    ),
    "ends_process_at_import": ("ended the process with exit code 7 while it was loaded", ENDED),
    "exits_at_import": ("SystemExit: bye", REPAIR),
    "hangs_at_import": (f"still not loaded after {DEADLINE} s", ENDED),
    "hook_connects": ("sends to 192.0.2.1:53 when its hooks are called", MOVE),
    "hook_ends_process": ("ended the process with exit code 3 while its hooks were called", ENDED),
    "hook_raises": ("KeyError: 'boom'", REPAIR),
    "hook_returns_class": ("hook sensecf_generators returned ABCMeta", "return a list of classes"),
    "interrupts_at_import": ("KeyboardInterrupt", REPAIR),
    "kills_itself_at_import": ("died of SIGKILL while it was loaded", ENDED),
    "leaves_process_and_dies": ("ended the process with exit code 0 while it was loaded", ENDED),
    "listens_at_import": ("listens at :8765 when it is imported", MOVE),
    "misspelt_hook": ("no such hook: sensecf_generator", "the hooks are sensecf_generators, "),
    "no_generate": ("Idle lacks `generate`", "write `generate`"),
    "no_hook": ("it implements no hook of sensecf-bench", "mark one with @sensecf_bench.hookimpl"),
    "no_name": ("Nameless has no name", "set the class attribute `name`"),
    "not_a_generator": (
        "hook sensecf_generators returned <class 'dict'>, which is no Generator class",
        "",
    ),
    "options_without_defaults": (
        "Demanding: its options have no defaults: width: Field required",
        "give each option a default",
    ),
    "own_module_missing": ("ModuleNotFoundError: No module named 'own_module_missing'", REPAIR),
    "raises_at_import": ("RuntimeError: not today", REPAIR),
    "same_name_one": ("generator 'rival' is claimed by ", "rename or block one of them"),
    "same_name_other": ("generator 'rival' is claimed by ", "rename or block one of them"),
    "segfaults_at_import": ("died of SIGSEGV while it was loaded", ENDED),
    "syntax_error": ("SyntaxError: invalid syntax (syntax_error.py, line 3)", REPAIR),
    "takes_anything": (
        "hook sensecf_run_finished asks for `**news`, but is given `summary`",
        "write `def sensecf_run_finished(summary):`",
    ),
    "unprintable_error": ("Shy: its message cannot be shown: ValueError", REPAIR),
    "wrong_signature": (
        "hook sensecf_generators asks for `task`, but is given nothing",
        "write `def sensecf_generators():`",
    ),
}
UNAVAILABLE = {
    "bows_out": ("no GPU here", "use a machine with one"),
    "missing_library": (
        "needs the module a_library_nobody_has, which is not installed",
        "pip install a_library_nobody_has",
    ),
}
WARNED = {
    "floods_output": ("prints 5000014 bytes when it is imported",),
    "leaves_process": ("leaves 1 process running: ended once it is imported",),
    "leaves_process_in_session": ("leaves 1 process running: ended once it is imported",),
    "leaves_thread": ("leaves 1 thread running: left-behind",),
    "loads_heavy": ("loads scipy when it is imported: import that where it is used",),
    "slow_import": ("takes 0.4 s to import",),
}
UNREMARKABLE_UNTIL_USED = {
    "available_exits",
    "available_raises",
    "closes_stdout",
    "construction_raises",
    "metric_raises",
    "million_rows",
    "observer_raises",
}


def survivors():
    return [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "31415926"]]


class Listening(api.Quiet):
    def __init__(self):
        self.heard = set()

    def warn(self, message):
        self.heard.add(message)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The same run without the broken plugins and with all of them."""
    common = {
        "datasets": ("diabetes-progression",), "classifiers": ("svm",), "queries": 6, "resamples": 200,
        "timeout": 5.0, "blocked": INSTALLED, "augmentation": "off",
    }  # fmt: skip
    folder, listening = tmp_path_factory.mktemp("broken"), Listening()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rehearsal, "DEADLINE", DEADLINE)
        registry = discover(blocked=INSTALLED, folder=FOLDER)
        without = api.run(api.RunConfig(**common), folder / "without")
        together = api.run(api.RunConfig(**common, plugins_dir=FOLDER), folder / "with", listening)
    return SimpleNamespace(registry=registry, without=without, together=together, heard=listening.heard)


def report_of(both, stem):
    (report,) = [r for r in both.registry.reports if r.name == str(FOLDER / f"{stem}.py")]
    return report


# -- each is named ---------------------------------------------------------------------------------------------------
def test_every_file_of_the_folder_is_spoken_of_here():
    assert {p.stem for p in FOLDER.glob("*.py")} == {*REFUSED, *UNAVAILABLE, *WARNED, *UNREMARKABLE_UNTIL_USED}


@pytest.mark.parametrize("stem", REFUSED)
def test_a_broken_plugin_is_reported_and_left_out_with_its_reason(both, stem):
    report, (reason, fix) = report_of(both, stem), REFUSED[stem]
    assert report.status == "broken"
    if "claimed" in reason or stem == "misspelt_hook":
        assert report.reason.startswith(reason)
        assert report.fix.startswith(fix)
    else:
        assert (report.reason, report.fix) == (reason, fix)
    assert {"generator": report.name, "reason": report.reason, "fix": report.fix} in both.together.document["skipped"]


@pytest.mark.parametrize("stem", UNAVAILABLE)
def test_what_cannot_run_here_is_unavailable_and_says_what_would_help(both, stem):
    report = report_of(both, stem)
    assert (report.status, (report.reason, report.fix)) == ("unavailable", UNAVAILABLE[stem])


@pytest.mark.parametrize("stem", WARNED)
def test_bad_manners_are_remarked_upon_and_no_more(both, entries, stem):
    assert report_of(both, stem).status == "ok"
    remarks = entries[stem]["warnings"]  # of a process that had loaded nothing yet
    if stem == "slow_import":  # nobody knows how slow on a busy machine
        assert remarks[0].endswith(" s to import")
    else:
        assert set(WARNED[stem]) <= set(remarks)


@pytest.mark.parametrize("stem", UNREMARKABLE_UNTIL_USED)
def test_what_breaks_only_when_it_is_used_is_sound_at_discovery(both, stem):
    assert report_of(both, stem).status == "ok"


@pytest.mark.parametrize(
    ("generator", "reason"),
    [
        ("available-exits", "broken: SystemExit: 3"),
        ("available-raises", "broken: OSError: no such device"),
        ("construction-raises", "broken: ValueError: cannot be built"),
    ],
)
def test_a_generator_that_breaks_when_it_is_asked_is_skipped_with_its_reason(both, generator, reason):
    assert reason in [s["reason"] for s in both.together.document["skipped"] if s["generator"] == generator]


def test_a_million_rows_fail_their_cell(both):
    (line,) = both.together.failed
    assert "million-rows" in line
    assert "protocol: 1000000 rows for 1 queries of at most k=1 rows each" in line


def test_an_observer_that_raises_is_named(both):
    name = FOLDER / "observer_raises.py"
    assert both.heard == {f"plugin {name}: sensecf_cell_finished raised RuntimeError: did not want to know"}


def test_a_metric_that_raises_is_named_in_every_row(both):
    for row in both.together.document["rows"]:
        assert row["metric_errors"] == {"metric-raises": "ZeroDivisionError: nothing to divide by"}


# -- nobody else is touched ------------------------------------------------------------------------------------------
def timeless(entry):
    """A row or summary entry without the clock, and without what the broken metric said of itself."""
    left = {
        **entry,
        "metrics": {n: v for n, v in entry["metrics"].items() if n not in ("cost-seconds", "metric-raises")},
    }
    left.pop("metric_errors", None)
    if left.get("fit"):
        left["fit"] = {name: value for name, value in left["fit"].items() if name != "seconds"}
    return json.dumps(left).encode()


@pytest.mark.parametrize("part", ["rows", "summary"])
def test_the_others_results_are_the_same_to_the_byte(both, part):
    alone = {e["generator"]: timeless(e) for e in both.without.document[part]}
    among = {e["generator"]: timeless(e) for e in both.together.document[part]}
    assert set(alone) == {"identity", "nearest-opposite", "random-opposite"}
    assert {name: among[name] for name in alone} == alone


def test_the_others_stored_tables_are_the_same_to_the_byte(both, tmp_path):
    tables = sorted((both.without.folder / "cells").glob("*/*.parquet"))
    assert len(tables) == 6
    for path in tables:
        twin = both.together.folder / "cells" / path.parent.name / path.name
        assert without_clock(twin, tmp_path) == without_clock(path, tmp_path)


def without_clock(path, folder):
    table = pq.read_table(path)
    if "cf_seconds" not in table.column_names:
        return path.read_bytes()
    pq.write_table(table.drop_columns(["cf_seconds"]), folder / "table.parquet")
    return (folder / "table.parquet").read_bytes()


def test_nothing_that_they_started_is_left(both):
    assert not survivors()


# -- the command line ------------------------------------------------------------------------------------------------
def listed(*words):
    code = (
        "import sys\nfrom sensecf_bench.discovery import rehearsal\n"
        f"rehearsal.DEADLINE = {DEADLINE}\nsys.argv = ['sensecf-bench', 'list', {', '.join(map(repr, words))}]\n"
        "from sensecf_bench.cli.main import main\nmain()"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def listing():
    return listed("plugins", "--plugins-dir", str(FOLDER), "--json")


@pytest.fixture(scope="module")
def entries(listing):
    assert listing.returncode == 0, listing.stderr
    return {Path(e["name"]).stem: e for e in json.loads(listing.stdout)}


def test_list_survives_them_all_with_a_clean_standard_output(listing, entries):
    assert "Traceback" not in listing.stderr
    assert {stem for stem, e in entries.items() if e["status"] == "broken"} == set(REFUSED)
    assert entries["leaves_thread"]["warnings"] == list(WARNED["leaves_thread"])
    assert entries["leaves_thread"]["provides"] == ["generator leaves-thread"]
    assert not survivors()


def test_what_a_generator_prints_when_it_is_asked_is_not_in_the_list():
    files = [f"--plugin={FOLDER / name}.py" for name in ("available_exits", "closes_stdout", "segfaults_at_import")]
    done = listed("generators", *files, "--json")
    entries = {e["name"]: e for e in json.loads(done.stdout)}
    assert entries["available-exits"]["reason"] == "broken: SystemExit: 3"
    assert entries["closes-stdout"]["available"]
    assert "segfaults_at_import.py is broken: died of SIGSEGV while it was loaded" in done.stderr


# -- rehearsal itself ------------------------------------------------------------------------------------------------
def test_a_caller_with_threads_is_served_without_a_warning():
    found, stop = [], threading.Event()
    waiting = threading.Thread(target=stop.wait)
    calling = threading.Thread(target=lambda: found.append(discover([FOLDER / "hook_ends_process.py"], INSTALLED)))
    waiting.start()
    with pytest.WarningsRecorder(_ispytest=True) as recorded:
        calling.start()
        calling.join(30)
    stop.set()
    assert found[0].reports[-1].reason == REFUSED["hook_ends_process"][0]
    assert not recorded.list


def test_where_nothing_can_be_forked_plugins_are_loaded_directly(monkeypatch):
    def refuse():
        raise OSError("no more processes")

    monkeypatch.setattr(os, "fork", refuse)
    registry = discover([FOLDER / "slow_import.py", FOLDER / "hook_raises.py"], INSTALLED)
    assert [(r.status, r.reason) for r in registry.reports[-2:]] == [("ok", ""), ("broken", "KeyError: 'boom'")]


def test_asking_whether_there_is_ipv6_is_no_use_of_the_network(tmp_path):
    path = tmp_path / "asks_for_ipv6.py"
    path.write_text(
        "import socket\nwith socket.socket(socket.AF_INET) as line:\n    line.bind(('127.0.0.1', 0))\n"
        "a, b = socket.socketpair()\nfrom sensecf_bench import hookimpl\n@hookimpl\ndef sensecf_metrics(): return []\n"
    )
    assert discover([path], INSTALLED).reports[-1].status == "ok"


def test_who_comes_after_a_late_crash_is_not_blamed(tmp_path):
    late, innocent = tmp_path / "a_late.py", tmp_path / "b_innocent.py"
    head = (
        "import os, threading, time\nfrom sensecf_bench import hookimpl\n@hookimpl\ndef sensecf_metrics(): return []\n"
    )
    # in the rehearsal only, or this test's own process would end
    late.write_text(f"{head}if os.getpid() != {os.getpid()}:\n    threading.Timer(0.3, os._exit, [9]).start()\n")
    innocent.write_text(f"{head}time.sleep(0.5)\n")
    registry = discover([late, innocent], INSTALLED)
    assert [r.status for r in registry.reports[-2:]] == ["ok", "ok"]


def test_output_is_put_down_to_whoever_printed_it(tmp_path):
    for n in range(20):  # a quiet one beside a loud one, again and again
        body = "import os\nos.write(1, b'x' * 200_000)\n" if n % 2 else ""
        (tmp_path / f"p{n:02}.py").write_text(
            f"{body}from sensecf_bench import hookimpl\n@hookimpl\ndef sensecf_metrics(): return []\n"
        )
    reports = discover(blocked=INSTALLED, folder=tmp_path).reports[-20:]
    said = [[w for w in r.warnings if w.startswith("prints")] for r in reports]
    assert said == [[], ["prints 200000 bytes when it is imported"]] * 10


def test_this_process_prints_as_before_when_plugins_have_been_loaded(capfd):
    before = sys.stdout
    discover([FOLDER / "closes_stdout.py", FOLDER / "floods_output.py"], INSTALLED)
    assert sys.stdout is before
    sys.stdout.write("here\n")
    os.write(1, b"there\n")
    assert capfd.readouterr().out in ("here\nthere\n", "there\nhere\n")
