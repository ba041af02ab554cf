"""Recordings of a terminal in the docs: what was typed, what came back, and a machine of its own to repeat it on."""

import os
import re
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
ANYTHING = "…"  # in a recording: whatever stands there
DONE = "done   "  # how a run says that a cell is finished
STARTER = "#!{python}\nimport sys\nfrom sensecf_bench.cli.main import main\nsys.exit(main())\n"


@dataclass(frozen=True)
class Step:
    """A command and what it said, standard output and errors together."""

    command: str
    said: str


def blocks(page, language):
    return [text for found, text in BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


def steps(recording):
    """The steps of a console block."""
    parts = re.split(r"^\$ ", recording, flags=re.MULTILINE)[1:]
    return [Step(*(part.partition("\n")[::2])) for part in parts]


def agrees(expected, said):
    """Whether what was said is what was recorded, apart from the places left open."""
    last = _trimmed(expected).removesuffix(f"\n{ANYTHING}")
    open_end = "" if last == _trimmed(expected) else ".*"
    pattern = ".*?".join(map(re.escape, last.split(ANYTHING))) + open_end
    return re.fullmatch(pattern, _trimmed(said), re.DOTALL) is not None


def _trimmed(text):
    """Without spaces at the ends, and cells that two workers finish side by side in one order."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    ordered = [
        sorted(some) if done else list(some) for done, some in groupby(lines, lambda line: line.startswith(DONE))
    ]
    return "\n".join(line for some in ordered for line in some)


class Machine:
    """An environment that sees what is installed here and can have more, in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder / "work"
        self.folder.mkdir(parents=True)
        env = folder / "env"
        subprocess.run([sys.executable, "-m", "venv", env], check=True)
        (site,) = env.glob("lib/python*/site-packages")
        (site / "here.pth").write_text(self._here())
        starter = env / "bin" / "sensecf-bench"
        starter.write_text(STARTER.format(python=env / "bin" / "python"))
        starter.chmod(0o755)
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))},
            "PATH": f"{env / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(env),
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "COLUMNS": "120",
            "NO_COLOR": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
        }

    @staticmethod
    def _here():
        """Where libraries lie here; an editable installation's own .pth files are not followed, so they are written out."""
        site = Path(sysconfig.get_paths()["purelib"])
        more = [line for pth in site.glob("*.pth") for line in pth.read_text().splitlines() if line.startswith("/")]
        return "\n".join([str(site), *more]) + "\n"

    def type(self, command):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout

    def repeat(self, recording):
        """Type every command of a recording; returns the steps that came out otherwise, with what was said."""
        return [(step, said) for step in steps(recording) if not agrees(step.said, said := self.type(step.command))]
