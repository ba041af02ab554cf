"""The key is nowhere but in the request: a canary is looked for in everything a run writes."""

import subprocess
import sys

import pytest
from fault_server import FaultServer
from hypothesis import given
from hypothesis import strategies as st
from sensecf_openai.keys import HIDDEN, SHORTEST, redactor
from sensecf_openai.options import GPTOptions

CANARY = "sk-proj-CaNaRy7f3a9Qx2LwZt8VbN4mK6pR1sD5gH0jE"
ENDS = (CANARY[:9], CANARY[-9:])


@pytest.mark.parametrize("play", ["answer", "echo 401", "echo 403", "echo 400", "echo 500", "formless", "prose"])
def test_no_file_and_no_output_holds_the_key(tmp_path, monkeypatch, play):
    monkeypatch.setenv("CLINIC_KEY", CANARY)
    monkeypatch.setenv("OPENAI_LOG", "debug")  # the client's own log is a run's output too
    command = [
        sys.executable,
        "-m",
        "sensecf_bench",
        "run",
        "--generators",
        "gpt-4-few-shot",
        "--allow",
        "network,paid",
    ]
    command += ["--datasets", "breast-cancer", "--classifiers", "svm", "--queries", "3", "--resamples", "100"]
    command += ["--augmentation", "off"]
    command += ["--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "run"), "--jobs", "1"]
    with FaultServer(play, key="" if play.startswith("echo") else CANARY) as server:
        command += ["--set", f"gpt-4-*.base_url={server.url}", "--set", "gpt-4-*.api_key_env=CLINIC_KEY"]
        command += ["--set", "gpt-4-*.retries=1"]
        finished = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert server.bodies
    (tmp_path / "stdout").write_text(finished.stdout)
    (tmp_path / "stderr").write_text(finished.stderr)
    if play == "answer":
        assert "1 cells done" in finished.stdout
    if play in ("echo 401", "echo 403"):
        assert len(server.bodies) == 1
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert any(file.name == "answers.sqlite" for file in written)
    for file in written:
        content = file.read_bytes()
        for part in (CANARY, *ENDS):
            assert part.encode() not in content, f"{part} in {file}"


@given(st.text("abcdefghij", min_size=SHORTEST, max_size=40), st.text("abcdefghij ", max_size=60), st.data())
def test_no_longer_part_of_a_key_gets_through(key, around, data):
    start = data.draw(st.integers(0, len(key) - SHORTEST))
    stop = data.draw(st.integers(start + SHORTEST, len(key)))
    clean = redactor(key)(f"{around}{key[start:stop]}{around}")
    assert not any(key[i : i + SHORTEST] in clean.replace(HIDDEN, "\n") for i in range(len(key) - SHORTEST + 1))


def test_what_is_no_key_is_left_alone():
    said = "The response_format asks for too much of task-2."
    assert redactor("")(said) == redactor(CANARY)(said) == said


@pytest.mark.parametrize(
    "given",
    [{"api_key_env": CANARY}, {"base_url": f"https://{CANARY}@host/v1"}, {"base_url": f"https://h/v1?key={CANARY}"}],
)
def test_a_key_in_the_wrong_place_is_refused_without_repeating_it(given):
    with pytest.raises(ValueError, match="api_key_env") as refusal:
        GPTOptions.model_validate(given)
    assert CANARY not in str(refusal.value)
    name, value = next(iter(given.items()))
    command = [sys.executable, "-m", "sensecf_bench", "run", "--generators", "gpt-4-zero-shot", "--dry-run"]
    said = subprocess.run([*command, "--set", f"gpt-4-*.{name}={value}"], capture_output=True, text=True)
    assert said.returncode == 2
    assert CANARY not in said.stdout + said.stderr


def test_the_key_of_one_provider_does_not_go_to_another(bench, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    with FaultServer("answer", key=CANARY) as server:
        done = bench(server)
    assert done.outcomes == {"ERROR": 6}  # it was not sent to a server that is not OpenAI's
    assert CANARY not in repr(GPTOptions())
