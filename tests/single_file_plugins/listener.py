"""Writes down what it is told of a run, beside where the run was started."""

import json
from pathlib import Path

from sensecf_bench import hookimpl

LOG = Path("heard.jsonl")


def write(event, **facts):
    with LOG.open("a", encoding="utf-8") as log:
        log.write(json.dumps({"event": event, **facts}) + "\n")


@hookimpl
def sensecf_cell_started(cell):
    write("cell started", generator=cell["generator"])


@hookimpl
def sensecf_cell_finished(record):
    write("cell finished", outcomes=record["outcomes"])


@hookimpl
def sensecf_run_finished(summary):
    write("run finished", rows=len(summary["rows"]))
