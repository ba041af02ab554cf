"""A real server with a real model on this machine: `transformers serve`, and a LLaMA that knows nothing."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
SECONDS_TO_START = 120


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("model") / "small-llama"
    script = Path(__file__).with_name("small_model.py")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def address(model, tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tmp_path_factory.mktemp("home")
    command = [str(Path(sys.executable).with_name("transformers")), "serve", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--device", "cpu", str(model)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(home)}
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", server, home / "log")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            server.wait(30)


def _wait_for(url, server, log):
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        with contextlib.suppress(urllib.error.HTTPError):  # any answer will do
            try:
                urllib.request.urlopen(url)
            except urllib.error.HTTPError:
                raise
            except OSError:
                time.sleep(0.2)
                continue
        return
    raise AssertionError(log.read_text())


@pytest.mark.parametrize("generator", ["gpt-4-zero-shot", "gpt-4-few-shot"])
def test_every_query_has_an_outcome(bench, address, model, generator):
    options = {"model": str(model), "max_tokens": 24, "concurrency": 4}
    more = {"datasets": ("diabetes-progression",), "generator": generator, "timeout": 60.0}
    done = bench(address, options=options, **more)
    assert set(done.outcomes) <= {"FOUND", "UNPARSABLE", "REJECTED"}
    assert len(done.queries) == 6
    assert (done.queries["prompt_tokens"] > 500).all()
    assert (done.queries["completion_tokens"] > 0).all()
    assert (done.queries["usd"] == 0).all()  # nobody is paid for a model on this machine
    unread = done.queries.query("outcome == 'UNPARSABLE'")
    assert unread["detail"].str.len().gt(0).all()
    again = bench(address.replace("/v1", "/v1/"), "again", options=options, **more)
    assert again.queries["detail"].equals(done.queries["detail"])  # from the cache


def test_a_model_that_is_not_there_is_said_once(bench, address):
    done = bench(address, options={"model": "/nowhere/model", "retries": 0, "concurrency": 1}, timeout=60.0)
    assert done.outcomes == {"ERROR": 6}
