"""A crew is gone when it is left, whichever way its work ends."""

import operator
import threading
import time

import pytest

from sensecf_bench.engine.executors import Crew


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, ValueError])
def test_a_crew_that_is_left_has_no_thread(error):
    """A pool that is still closing when the interpreter ends is woken by it, and that fails in a traceback."""
    threads = set(threading.enumerate())
    done = []

    def work():
        with Crew(2) as crew:
            for job, result in crew.carry_out(operator.neg, range(8)):
                done.append((job, result))
                if error is not None:
                    raise error

    if error is None:
        work()
        assert sorted(done) == [(job, -job) for job in range(8)]
    else:
        with pytest.raises(error):
            work()
        assert done == [(job, -job) for job, _ in done[:1]]
    assert set(threading.enumerate()) == threads


def test_a_crew_left_in_mid_work_does_not_wait_for_it():
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Crew(2) as crew:
        for _ in crew.carry_out(time.sleep, [0.0, 600.0, 600.0, 600.0]):
            raise KeyboardInterrupt
    assert time.monotonic() - start < 120
