"""benchmarks/gpu/language_models.py runs at toy size, so that it will where there is a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "gpu" / "language_models.py"


def test_answering_and_the_grammar_are_measured(tmp_path):
    chosen = [
        "--models",
        "llama-3.1-8b",
        "--stages",
        "speed",
        "constraint",
        "--people",
        "4",
        "--loop",
        "1",
        "--repeats",
        "1",
    ]
    command = [sys.executable, str(SCRIPT), *chosen, "--out", str(tmp_path)]
    toy = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, env=toy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "gpu_language_models.json").read_text())["models"]["llama-3.1-8b"]
    assert {"speed", "constraint"} <= found.keys()
    assert (tmp_path / "gpu_language_models.md").read_text() in done.stdout
