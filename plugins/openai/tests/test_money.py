"""What is spent, and what is not."""

import asyncio
import sqlite3

import pytest
from fault_server import FaultServer
from hypothesis import given, settings
from hypothesis import strategies as st
from sensecf_openai import GPT4ZeroShot
from sensecf_openai.answers import Request
from sensecf_openai.options import DEFAULT_MODEL, GPTOptions
from sensecf_openai.prices import Price, listed_price, price_table
from sensecf_openai.till import Till

from sensecf_bench import Unavailable
from sensecf_bench.errors import OverBudgetError
from sensecf_bench.purse import SharedPurse


def spent_in(run):
    with sqlite3.connect(run / "spending.sqlite") as book:
        return book.execute("SELECT SUM(COALESCE(spent, reserved)), COUNT(*) FROM calls").fetchone()


def test_what_is_spent_is_what_was_counted(bench, tmp_path):
    with FaultServer() as server:
        done = bench(server, queries=24, options={"prices": {"input": 1, "output": 2, "cached_input": 0.5}})
    q = done.queries
    assert q["usd"].tolist() == pytest.approx(((q["prompt_tokens"] + 2 * q["completion_tokens"]) / 1e6).tolist())
    total, visits = spent_in(tmp_path / "run")
    assert total == pytest.approx(q["usd"].sum())
    assert visits < 24 / 4


def test_a_run_stops_before_the_call_that_would_exceed_the_limit(bench, tmp_path):
    with FaultServer(latency=0.02) as server:
        stopped = bench(server, queries=24, max_cost_usd=0.2)
        assert "OverBudgetError" in stopped.run.failed[0]
        paid = len(server.bodies)
        total, _ = spent_in(tmp_path / "run")
        assert 5 < paid < 24
        assert 0.2 - 0.07 < total <= 0.2  # so much may one call cost at most
        going_on = bench(server, queries=24, max_cost_usd=5.0)
        assert going_on.outcomes == {"FOUND": 24}
        assert len(server.bodies) == 24


def test_without_any_money_nothing_is_asked(bench):
    with FaultServer() as server:
        done = bench(server, max_cost_usd=0.001)
    assert "OverBudgetError" in done.run.failed[0]
    assert not server.bodies


def test_tokens_that_nobody_counted_are_estimated_and_paid_for(bench):
    with FaultServer("uncounted") as server:
        done = bench(server)
    assert (done.queries["prompt_tokens"] > 500).all()
    assert (done.queries["usd"] > 0).all()
    logs = "".join(file.read_text() for file in done.folder.glob("cells/*/output-*.log"))
    assert logs.count('"counted": false') == 6


def test_cached_prompt_tokens_have_their_own_price():
    price = Price(input=2.5, output=10.0, cached_input=1.25)
    assert price.usd(1_000_000, 100_000, 400_000) == pytest.approx(0.6 * 2.5 + 0.4 * 1.25 + 1.0)
    assert Price(input=2.0, output=0.0).usd(1_000_000, 0, 400_000) == pytest.approx(2.0)


def test_the_table_is_dated_and_knows_the_default():
    table = price_table()
    assert table["date"].startswith("20")
    assert table["source"].startswith("https://")
    assert listed_price(DEFAULT_MODEL) is not None


def test_a_table_of_ones_own_comes_first(tmp_path):
    file = tmp_path / "prices.yaml"
    file.write_text(f"models:\n  {DEFAULT_MODEL}: {{input: 1, output: 3}}\n")
    chosen = GPTOptions.model_validate({"prices": str(file)})
    assert chosen.price == Price(input=1, output=3)
    again = GPTOptions.model_validate(chosen.model_dump(mode="json", exclude_unset=True))
    assert again == chosen
    for other in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ValueError, match="cannot be read"):
            GPTOptions.model_validate({"prices": str(other)})
    with pytest.raises(ValueError, match="no entry 'other'"):
        GPTOptions.model_validate({"prices": str(file), "model": "other"})


def test_an_unknown_price_is_no_price_of_nothing(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with pytest.raises(Unavailable, match="nobody knows what"):
        GPT4ZeroShot(GPTOptions(model="new")).available()
    GPT4ZeroShot(GPTOptions(model="new", prices=Price(input=0, output=0))).available()
    here = GPTOptions(model="new", base_url="http://127.0.0.1:1/v1")
    GPT4ZeroShot(here).available()
    assert here.price == Price(input=0, output=0)


def test_a_request_cannot_cost_more_than_its_most():
    request = Request("h", "m", [{"role": "user", "content": "äöü" * 10}], 0.0, 1, 100, "", "t", 0)
    assert request.bytes == 60
    assert request.most(Price(input=1.0, output=10.0)) == pytest.approx((60 + 32 + 1000) / 1e6)


class Pocket:
    """A purse without a file."""

    def __init__(self, limit):
        self.limit, self.tickets = limit, {}

    def reserve(self, usd):
        if sum(self.tickets.values()) + usd > self.limit + 1e-9:
            raise OverBudgetError("empty")
        self.tickets[len(self.tickets)] = usd
        return len(self.tickets) - 1

    def settle(self, ticket, usd):
        assert usd <= self.tickets[ticket] + 1e-9
        self.tickets[ticket] = usd


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.1, 1.0), st.one_of(st.none(), st.floats(0, 1))), max_size=20),
    st.integers(1, 8),
    st.floats(0.5, 8.0),
)
def test_the_till_never_exceeds_the_purse_and_tells_it_everything(calls, bulk, limit):
    purse, done = Pocket(limit), []

    async def call(till, most, share):
        try:
            hold = await till.take(most)
        except OverBudgetError:
            return
        await asyncio.sleep(0)
        cost = None if share is None else most * share
        till.settle(hold, cost)
        done.append(most if cost is None else cost)

    async def everything():
        till = Till(purse, bulk)
        await asyncio.gather(*(call(till, *c) for c in calls))
        await till.close()

    asyncio.run(everything())
    assert sum(purse.tickets.values()) == pytest.approx(sum(done))
    assert sum(done) <= limit + 1e-6


def test_the_till_works_on_the_purse_of_a_run(tmp_path):
    purse = SharedPurse(tmp_path / "spending.sqlite", 1.0)

    async def two():
        till = Till(purse, 4)
        first, second = await till.take(0.2), await till.take(0.2)
        till.settle(first, 0.05)
        till.settle(second, None)
        await till.close()

    asyncio.run(two())
    assert purse.gone() == pytest.approx(0.25)
