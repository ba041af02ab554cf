"""What may be spent: reserved before, settled after, shared by processes, and never exceeded."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensecf_bench.errors import OverBudgetError
from sensecf_bench.purse import SharedPurse

SPENDER = """
import sys
from pathlib import Path
from sensecf_bench.errors import OverBudgetError
from sensecf_bench.purse import SharedPurse
purse, calls = SharedPurse(Path(sys.argv[1]), float(sys.argv[2])), 0
try:
    while True:
        purse.settle(purse.reserve(0.02), 0.01)
        calls += 1
except OverBudgetError:
    print(calls)
"""


def test_a_call_is_paid_for_before_it_is_made_and_settled_at_what_it_cost(tmp_path):
    purse = SharedPurse(tmp_path / "spending", 1.0)
    assert purse.gone() == 0.0
    ticket = purse.reserve(0.75)
    assert purse.gone() == 0.75
    with pytest.raises(OverBudgetError, match=r"0\.5000 USD would exceed the limit of 1 USD, of which 0\.7500 USD"):
        purse.reserve(0.5)
    purse.settle(ticket, 0.25)
    purse.reserve(0.5)
    assert purse.gone() == 0.75


def test_without_a_limit_there_is_an_account_all_the_same(tmp_path):
    purse = SharedPurse(tmp_path / "spending", None)
    purse.settle(purse.reserve(1e6), 3.0)
    assert SharedPurse(tmp_path / "spending", 5.0).gone() == 3.0


def test_a_call_that_nobody_saw_end_stays_paid(tmp_path):
    SharedPurse(tmp_path / "spending", 1.0).reserve(0.8)  # and then its process was killed
    with pytest.raises(OverBudgetError, match="--max-cost-usd"):
        SharedPurse(tmp_path / "spending", 1.0).reserve(0.3)


def test_several_processes_never_spend_more_than_there_is(tmp_path):
    command = [sys.executable, "-c", SPENDER, str(tmp_path / "spending"), "0.5"]
    spenders = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    calls = sum(int(spender.communicate()[0]) for spender in spenders)
    assert 47 <= calls <= 49  # the last call must find room for what it may cost, not for what it does cost
    assert SharedPurse(tmp_path / "spending", None).gone() == pytest.approx(0.01 * calls)


def test_threads_may_share_a_purse(tmp_path):
    purse = SharedPurse(tmp_path / "spending", None)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: purse.settle(purse.reserve(0.5), 0.25), range(40)))
    assert purse.gone() == 10.0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 1), st.booleans()), max_size=20), st.floats(0, 5))
def test_what_is_gone_never_exceeds_the_limit(tmp_path_factory, calls, limit):
    purse = SharedPurse(tmp_path_factory.mktemp("purse") / "spending", limit)
    for most, share, ends in calls:
        try:
            ticket = purse.reserve(most)
        except OverBudgetError:
            continue
        if ends:
            purse.settle(ticket, most * share)
        assert purse.gone() <= limit + 1e-9
