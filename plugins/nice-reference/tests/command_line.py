"""The command as a user types it."""

import subprocess
import sys


def bench(*words, check=True):
    done = subprocess.run([sys.executable, "-m", "sensecf_bench", *words], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done
