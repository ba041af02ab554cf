"""Nothing is paid for twice."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest
from fault_server import FaultServer
from sensecf_openai.__main__ import main
from sensecf_openai.answers import Answer, Request
from sensecf_openai.cache import FILE, AnswerCache

ANSWER = Answer("{}", "", "stop", "m", 10, 5, 2, 0.25, "2026-01-01T00:00:00+00:00")


def test_a_second_run_asks_nothing_and_reports_the_same(bench):
    with FaultServer() as server:
        first = bench(server, "first")
        asked = len(server.bodies)
        second = bench(server, "second")
    assert asked == 6
    assert len(server.bodies) == asked
    columns = ["outcome", "prompt_tokens", "completion_tokens", "usd"]
    assert second.queries[columns].equals(first.queries[columns])


def test_what_could_not_be_read_is_not_bought_again_either(bench):
    with FaultServer("prose") as server:
        bench(server, "first")
        second = bench(server, "second")
    assert len(server.bodies) == 6
    assert second.outcomes == {"UNPARSABLE": 6}


@pytest.mark.parametrize(
    "other",
    [
        {"model": "gpt-4-0613"},
        {"temperature": 0.5},
        {"seed": 7},
        {"max_tokens": 999},
        {"style": "row"},
        {"rationale": False},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_can_change_an_answer_is_part_of_its_key(bench, other):
    with FaultServer() as server:
        bench(server, "first", queries=2)
        bench(server, "second", queries=2, options=other)
    assert len(server.bodies) == 4


def test_samples_have_seeds_and_keys_of_their_own(bench):
    with FaultServer() as server:
        done = bench(server, k=3, options={"temperature": 1.0})
        assert len(server.bodies) == 18
        assert len({(json.dumps(b["messages"]), b["seed"]) for b in server.bodies}) == 18
        bench(server, "again", k=3, options={"temperature": 1.0})
        assert len(server.bodies) == 18
    one = server.bodies[0]
    assert done.queries["prompt_tokens"].iloc[0] > 2 * len(one["messages"][0]["content"]) / 5


def test_a_leaderboard_can_be_replayed_elsewhere(bench, tmp_path, capsys):
    with FaultServer() as server:
        first = bench(server, "first")
        bench(server, "other", queries=12)  # of which the first run used half
    file = tmp_path / "answers.jsonl.gz"
    assert main(["export", str(tmp_path / "first"), str(file)]) == 0
    assert len(gzip.decompress(file.read_bytes()).splitlines()) == 6
    for _ in range(2):
        assert main(["import", str(file), "--cache", str(tmp_path / "elsewhere")]) == 0
    assert "6 answers read, 0 of them new" in capsys.readouterr().out
    again = bench(server.url, "again", cache=tmp_path / "elsewhere", options={"replay": True})  # nobody is there
    assert again.queries[["outcome", "usd"]].equals(first.queries[["outcome", "usd"]])
    twelve = bench(server.url, "12", queries=12, cache=tmp_path / "elsewhere", options={"replay": True})
    assert twelve.outcomes == {"FOUND": 6, "ERROR": 6}
    assert twelve.queries.query("outcome == 'ERROR'")["detail"].str.contains("holds no answer").all()


def test_an_archive_that_was_tampered_with_is_refused(tmp_path, capsys):
    file = tmp_path / "a.jsonl.gz"
    request = Request("h", "m", [{"role": "user", "content": "hello"}], 0.0, 1, 100, "", "edits-1", 0)
    honest = {"key": request.key, "request": json.loads(request.text), "answer": asdict(ANSWER)}
    lines = {
        "1 answers read, 1 of them new": honest,
        "line 1: the key is not the hash of the request": {**honest, "request": {**honest["request"], "sample": 1}},
        "line 1: the request has other fields": {**honest, "request": {"model": "m"}},
        "line 1: the answer has other fields": {**honest, "answer": {}},
    }
    for said, line in lines.items():
        file.write_bytes(gzip.compress(json.dumps(line).encode()))
        assert main(["import", str(file), "--cache", str(tmp_path)]) == (0 if line is honest else 2)
        output = capsys.readouterr()
        assert said in output.out + output.err
    file.write_bytes(b"no archive")
    assert main(["import", str(file), "--cache", str(tmp_path)]) == 2
    assert main(["export", str(tmp_path / "nowhere"), str(file)]) == 2


WRITE_MANY = """
import json, sys
from pathlib import Path
from sensecf_openai.cache import AnswerCache, Answer
folder, number, answer = sys.argv[1:]
cache = AnswerCache(Path(folder))
for i in range(100):
    cache.put(f"key-{i}", "{}", Answer(**{**json.loads(answer), "text": f"from {number}"}))
cache.close()
"""


def test_many_processes_share_one_cache(tmp_path):
    answer = json.dumps(asdict(ANSWER))
    words = [[sys.executable, "-c", WRITE_MANY, str(tmp_path), str(n), answer] for n in range(4)]
    writers = [subprocess.Popen(command) for command in words]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0, 0]
    cache = AnswerCache(tmp_path)
    assert len(list(cache.entries())) == 100
    before = cache.get("key-0")
    cache.put("key-0", "{}", replace(ANSWER, text="later"))
    assert cache.get("key-0") == before  # the first one stays


def test_an_answer_outlives_the_process_that_got_it(bench, tmp_path):
    """SIGKILL in mid-run: what had arrived is not asked again, only what was under way is."""
    command = [sys.executable, "-m", "sensecf_bench", "run", "--generators", "gpt-4-zero-shot"]
    command += ["--datasets", "breast-cancer", "--classifiers", "svm", "--queries", "24", "--allow", "network,paid"]
    command += ["--jobs", "1", "--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "run"), "--resamples", "100"]
    with FaultServer(latency=0.3) as server:
        command += ["--set", f"gpt-4-*.base_url={server.url}", "--set", "gpt-4-*.concurrency=4"]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        while len(server.delivered) < 10:
            assert process.poll() is None
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(1.0)  # what is under way comes to its end
        delivered, asked = set(server.delivered), set(server.asked)
        kept = _prompts_in(tmp_path / "cache")
        before = len(server.bodies)
        finished = subprocess.run(command, check=True, capture_output=True, text=True)
        again = server.asked[before:]
    assert "1 cells done" in finished.stdout
    assert not kept & set(again)
    assert len(kept) + len(again) == 24
    assert len(set(again)) == len(again)
    in_flight = asked - kept
    assert in_flight <= set(again)
    assert len(in_flight) <= 4  # the concurrency
    assert len(delivered - kept) <= 4  # handed to a process that was dead before it could write


def _prompts_in(folder):
    assert (folder / FILE).exists()
    cache = AnswerCache(folder)
    prompts = [json.loads(request)["messages"] for _, request, _ in cache.entries()]
    return {json.dumps([{"role": m["role"], "content": m["content"]} for m in prompt]) for prompt in prompts}
