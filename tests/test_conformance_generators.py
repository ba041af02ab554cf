"""The kit sees what is wrong with a generator, names it, and sees nothing else; what is in order passes."""

import inspect
from pathlib import Path

import pytest

from sensecf_bench.contracts import Generator
from sensecf_bench.loading import load_file
from sensecf_bench.testing import hygiene_checks, steadiness_checks
from sensecf_bench.testing.bench import Bench
from sensecf_bench.testing.checks import CHECKS, COMMON
from sensecf_bench.testing.examination import examine
from sensecf_bench.testing.subject import Subject, subject_of, where_is

breakers = load_file(Path(__file__).parent / "single_file_plugins" / "breakers.py")
BAD = [
    cls
    for _, cls in inspect.getmembers(breakers, inspect.isclass)
    if issubclass(cls, Generator) and getattr(cls, "breaks", "") and "breaks" in dir(cls)
]
IN_PAIRS = ("looks-at-the-first", "looks-at-the-last")  # which of them is wrong depends on the ids that are asked
AT_IMPORT = {f.__name__.replace("_", "-") for f in COMMON if f.__module__.endswith("hygiene_checks")}


@pytest.fixture(scope="module")
def bench():
    with Bench(seconds_per_query=1.0) as bench:
        yield bench


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(steadiness_checks, "BRIEF", 1.0)  # less, and on a busy machine those in order are late too
    monkeypatch.setattr(hygiene_checks, "TRIES", 2)


def subject(cls):
    return Subject("generator", cls, where_is(cls))


def wrong_with(cls, bench):
    """Names of the checks that fail, with what they say. Importing the file is tried elsewhere, once for all."""
    only = [check.name for check in CHECKS["generator"] if check.name not in AT_IMPORT]
    return {r.check: r for r in examine(subject(cls), bench, only) if r.is_bad}


@pytest.mark.parametrize("cls", [c for c in BAD if c.name not in IN_PAIRS], ids=lambda cls: cls.__name__)
def test_what_is_wrong_is_named_and_nothing_else_is(cls, bench):
    found = wrong_with(cls, bench)
    assert list(found) == [cls.breaks]
    (result,) = found.values()
    assert result.reason.startswith("expected ")
    assert result.cure


def test_an_answer_that_depends_on_the_order_is_named(bench):
    found = [wrong_with(cls, bench) for cls in BAD if cls.name in IN_PAIRS]
    assert ["order-does-not-matter"] in [list(one) for one in found]


def test_what_no_process_can_find_is_named(bench):
    assert list(wrong_with(breakers.hidden(), bench)) == ["can-be-found-again"]


def test_every_check_of_a_generator_is_broken_by_some_class():
    broken = {cls.breaks for cls in BAD} | {"can-be-found-again"}
    assert broken == {check.name for check in CHECKS["generator"]} - AT_IMPORT


@pytest.mark.parametrize("name", ["identity", "random-opposite", "nearest-opposite"])
def test_the_sentinels_pass(name, bench):
    results = list(examine(subject_of(name), bench))
    assert [r for r in results if r.is_bad or r.status == "skipped"] == []
    expected = [r.check for r in results if r.status == "expected-failure"]
    assert expected == (["finds-something"] if name == "identity" else [])


def test_a_crash_and_a_hang_are_survived_and_named(bench):
    (crash,), (hang,) = (wrong_with(cls, bench).values() for cls in (breakers.Crashes, breakers.Hangs))
    assert "SIGSEGV" in crash.reason
    assert "no answer within" in hang.reason


def test_a_name_that_somebody_else_has_is_named(bench):
    class Identity(breakers.Sound):
        """Wants a name that is taken."""

        name = "identity"

    assert "is also sensecf_bench.generators.Identity" in wrong_with(Identity, bench)["has-a-name-of-its-own"].reason


@pytest.mark.parametrize("needs", ["network", "paid", "gpu", "weights"])
def test_what_needs_more_than_is_here_is_not_run_and_counted_as_skipped(needs, bench):
    cls = type("Needy", (breakers.Sound,), {"name": "needy", "needs": frozenset({needs}), "__doc__": "Needs it."})
    named = Subject("generator", cls, where_is(breakers.Sound))
    results = {r.check: r for r in examine(named, bench, ["fits", "keeps-the-deadline", "says-what-it-is"])}
    assert results["says-what-it-is"].status == "ok"
    assert {results[n].status for n in ("fits", "keeps-the-deadline")} == {"skipped"}
    assert needs in results["fits"].reason


def test_what_is_unavailable_is_not_run(bench):
    (result,) = examine(subject(breakers.Mumbles), bench, ["fits"])
    assert (result.status, "not today" in result.reason) == ("skipped", True)


# -- importing -----------------------------------------------------------------------------------------------------------
PLUGIN = '''
{trouble}
from sensecf_bench.generators import NearestOpposite


class Sound(NearestOpposite):
    """Is in order but for what its module does."""

    name = "imported"
'''
TROUBLE = {
    "imports-quickly": "import time\ntime.sleep(0.35)",
    "imports-nothing-heavy": "import torch",
    "opens-no-socket": "import socket\nsocket.socket().close()",
    "prints-nothing": "print('hello')",
    "leaves-nothing-running": "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
}


@pytest.mark.parametrize("check", TROUBLE)
def test_what_importing_does_is_named(check, bench, tmp_path, monkeypatch):
    (tmp_path / "torch.py").write_text("")  # nobody has to install the real one to see it caught
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "troubled.py").write_text(PLUGIN.format(trouble=TROUBLE[check]))
    troubled = Subject("generator", breakers.Sound, (str(tmp_path / "troubled.py"), "troubled", "Sound"))
    found = [r for r in examine(troubled, bench, sorted(AT_IMPORT)) if r.is_bad]
    assert [r.check for r in found] == [check]


def test_every_check_of_an_import_is_broken_by_some_module():
    assert set(TROUBLE) == AT_IMPORT


def test_a_process_started_by_an_import_is_named(bench, tmp_path):
    (tmp_path / "starts.py").write_text(PLUGIN.format(trouble="import subprocess\nsubprocess.run(['true'])"))
    starts = Subject("generator", breakers.Sound, (str(tmp_path / "starts.py"), "starts", "Sound"))
    (result,) = examine(starts, bench, ["leaves-nothing-running"])
    assert "subprocess.Popen" in result.reason
