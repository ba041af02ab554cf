"""The command line typed in this process. Another one takes half a second to start, and tells no more about what is said."""

import contextlib
import io
import sys
from dataclasses import dataclass
from unittest import mock

from sensecf_bench.cli import main


@dataclass(frozen=True)
class Said:
    """What came back, named as `subprocess.run` names it."""

    returncode: int
    stdout: str
    stderr: str


def typed(*words, cwd="."):
    """Type `sensecf-bench WORDS` in a folder. What plugins write past `sys.stdout` is not among what was said."""
    out, errors = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd),
        mock.patch.object(sys, "argv", ["sensecf-bench", *map(str, words)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
    ):
        try:
            main.main()
        except SystemExit as ended:
            return Said(int(ended.code or 0), out.getvalue(), errors.getvalue())
    raise AssertionError("the command line did not end by itself")
