"""Whatever a server does to one query, that query has the right outcome, and the others do not notice."""

import json

import pytest
from fault_server import FaultServer

RETRIES = 2
TIME = 8.0  # seconds a query may take, of which a tenth is kept back
OK = "answer"

# what the server plays at each try (the last one again and again), the outcome, what is said of it, and the tries it takes
FAULTS = [
    ([OK], "FOUND", "", 1),
    (["fenced"], "FOUND", "", 1),
    (["uncounted"], "FOUND", "", 1),
    (["prose"], "UNPARSABLE", "I would lower the glucose.", 1),
    (["null"], "UNPARSABLE", "", 1),
    (["refusal"], "UNPARSABLE", "[refused] I cannot help with that.", 1),
    (["length"], "UNPARSABLE", '[cut off at max_tokens] {"changes":', 1),
    (["filtered"], "UNPARSABLE", "[stopped by a content filter]", 1),
    (["status 429 1", OK], "FOUND", "", 2),
    (["status 500", OK], "FOUND", "", 2),
    (["status 503", "status 502", OK], "FOUND", "", 3),
    (["status 500"], "ERROR", "HTTP 500", 1 + RETRIES),
    (["status 503 60"], "ERROR", "no time for another try after 60", 1),
    (["bad"], "ERROR", "maximum context length", 1),
    (["status 422"], "ERROR", "HTTP 422", 1),
    (["dropped", OK], "FOUND", "", 2),
    (["dropped"], "ERROR", "the connection failed", 1 + RETRIES),
    (["truncated", OK], "FOUND", "", 2),
    (["malformed", OK], "FOUND", "", 2),
    (["malformed"], "ERROR", "no answer", 1 + RETRIES),
    (["choiceless", OK], "FOUND", "", 2),
    (["odd", OK], "FOUND", "", 2),
    (["slow", OK], "FOUND", "", 2),
    (["drip"], "ERROR", "no answer within", None),
]


@pytest.fixture(scope="module")
def played(people, tmp_path_factory):
    """One run in which every person meets another fault."""
    from sensecf_bench import api
    from sensecf_bench.engine.config import RunConfig

    from .conftest import BASIS, Done, queries_of

    def script(person, attempt):
        plays = FAULTS[person][0]
        return plays[min(attempt, len(plays) - 1)]

    folder = tmp_path_factory.mktemp("faults")
    with FaultServer(script) as server:
        server._people.update({asked: number for number, asked in enumerate(people)})
        config = RunConfig(
            **BASIS,
            generators=("gpt-4-zero-shot",),
            queries=len(people),
            timeout=TIME,
            cache=folder / "cache",
            options={"gpt-4-*": {"base_url": server.url, "timeout": 2, "retries": RETRIES}},
        )
        run = api.run(config, folder / "run")
    return server, Done(run, folder / "run", queries_of(folder / "run"))


@pytest.mark.parametrize("number", range(len(FAULTS)), ids=[f"{i}-{'-'.join(f[0])}" for i, f in enumerate(FAULTS)])
def test_every_fault_has_its_outcome(played, people, number):
    server, done = played
    asked, query_id = list(people.items())[number]
    _, outcome, said, tries = FAULTS[number]
    row = done.queries.loc[query_id]
    assert row["outcome"] == outcome, row["detail"]
    assert said in row["detail"]
    if tries is not None:
        assert server.asked.count(asked) == tries
    if outcome != "ERROR":
        assert row["prompt_tokens"] > 500
        assert 0 < row["usd"] < 0.05


def test_nobody_else_is_hurt(played):
    _, done = played
    assert len(done.queries) == len(FAULTS)
    assert done.outcomes == {
        outcome: sum(fault[1] == outcome for fault in FAULTS) for outcome in ("FOUND", "UNPARSABLE", "ERROR")
    }


@pytest.mark.parametrize(("knows", "refused"), [("formless", 3), ("formless json", 2)])
def test_what_a_server_cannot_do_is_found_out_once(bench, knows, refused):
    with FaultServer(knows) as server:
        done = bench(server, queries=12)
    assert done.outcomes == {"FOUND": 12}
    assert len(server.bodies) == 12 + refused
    last = {json.dumps(body.get("response_format")) for body in server.bodies[refused:]}
    assert last == {"null" if knows == "formless" else '{"type": "json_object"}'}


def test_a_form_that_was_demanded_is_not_given_up(bench):
    with FaultServer("formless") as server:
        done = bench(server, options={"structured": "schema"})
    assert done.outcomes == {"ERROR": 6}
    assert done.queries["detail"].str.contains("is not supported").all()


def test_other_names_for_the_same_thing_are_learnt(bench):
    with FaultServer("choosy") as server:
        done = bench(server)
    assert done.outcomes == {"FOUND": 6}
    assert len(server.bodies) == 6 + 2
    assert server.bodies[-1]["max_completion_tokens"] > 0
    assert "seed" not in server.bodies[-1]


@pytest.mark.parametrize(("play", "said"), [("quota", "current quota"), ("status 404", "HTTP 404")])
def test_what_is_hopeless_is_asked_once(bench, play, said):
    with FaultServer(play) as server:
        done = bench(server, queries=24)
    assert done.outcomes == {"ERROR": 24}
    assert done.queries["detail"].str.contains(said).all()
    assert len(server.bodies) == 1


def test_rows_do_not_follow_a_redirect(bench):
    with FaultServer() as elsewhere, FaultServer(f"moved {elsewhere.url}/chat/completions") as server:
        done = bench(server)
    assert done.outcomes == {"ERROR": 6}
    assert not elsewhere.bodies


def test_a_dead_server_is_an_error_of_every_query(bench):
    with FaultServer() as server:
        address = server.url
    done = bench(address, options={"retries": 1})
    assert done.outcomes == {"ERROR": 6}
    assert done.queries["detail"].str.contains("the connection failed").all()


def test_no_more_are_under_way_than_agreed(bench):
    with FaultServer(latency=0.1) as server:
        done = bench(server, queries=16, options={"concurrency": 4})
    assert done.outcomes == {"FOUND": 16}
    assert server.busiest == 4
