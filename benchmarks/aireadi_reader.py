"""Reading the wearables of an AI-READI release: megabytes a second, side by side with the ways a user would read them.

    sensecf-bench data aireadi synthesize --participants 150 --release 3 --out DIR
    python benchmarks/aireadi_reader.py DIR [--repeats 3] [--sample-mb 150]

Every way gives the same: times as seconds UTC, and values. The peers read a sample of people (they are slow), our reader the
same sample, in turns; then our reader alone reads the whole folder with one and with two processes, and a quarter of it, for
its memory. Parsers that are not installed are left out. Files are read once before, so that none is measured from the disk.
Writes results/aireadi_reader.json and results/aireadi_reader.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import numpy as np

from sensecf_bench.datasets.aireadi.kinds import LAYOUT, START_PATHS, StreamKind
from sensecf_bench.datasets.aireadi.layout import Release
from sensecf_bench.datasets.aireadi.regular import parse_regular
from sensecf_bench.datasets.aireadi.streams import read_stream
from sensecf_bench.datasets.aireadi.times import seconds_of
from sensecf_bench.engine.provenance import provenance

RESULTS = Path(__file__).with_name("results")
FULL_RELEASE_MB = 45_000
PROCESSES = (1, 2)
File = tuple[Path, StreamKind]
Way = Callable[[Path, StreamKind], object]


# -- the ways --------------------------------------------------------------------------------------------------------


def ours(path: Path, kind: StreamKind) -> object:
    return read_stream(path, kind, 3)


def with_lists(loads: Callable[[bytes], object]) -> Way:
    """A loop over the records, times by datetime.fromisoformat: what one writes by hand."""

    def read(path: Path, kind: StreamKind) -> object:
        times, values = [], []
        key = value_key(kind)
        for record in records_of(loads(path.read_bytes()), kind):
            frame = record["effective_time_frame"]
            text = frame["date_time"] if "date_time" in frame else frame["time_interval"]["start_date_time"]
            times.append(int(datetime.fromisoformat(text).timestamp()))
            values.append(record[key]["value"] if key else record["sleep_stage_state"])
        return np.array(times), values

    return read


def msgspec_typed() -> Way:
    """The likeliest other choice: msgspec decoding into records that hold nothing else, and our vectorised times."""
    import msgspec

    span = msgspec.defstruct("Span", [("start_date_time", str)])
    frame = msgspec.defstruct("Frame", [("date_time", str | None, None), ("time_interval", span | None, None)])
    value = msgspec.defstruct("Value", [("value", int | float | str)])
    decoders = {}
    for kind, layout in LAYOUT.items():
        measured = ("measured", value) if value_key(kind) else ("measured", str)
        names = {"measured": value_key(kind) or "sleep_stage_state", "records": layout.body_key}
        record = msgspec.defstruct("Record", [measured, ("effective_time_frame", frame)], rename=names)
        body = msgspec.defstruct("Body", [("records", list[record])], rename=names)
        decoders[kind] = msgspec.json.Decoder(msgspec.defstruct("File", [("body", body)]))

    def read(path: Path, kind: StreamKind) -> object:
        records = decoders[kind].decode(path.read_bytes()).body.records
        frames = [record.effective_time_frame for record in records]
        texts = [frame.date_time or frame.time_interval.start_date_time for frame in frames]
        values = [record.measured for record in records]
        return seconds_of(texts), values if kind is StreamKind.SLEEP else [value.value for value in values]

    return read


def json_normalize(path: Path, kind: StreamKind) -> object:
    import pandas as pd

    with path.open() as file:
        table = pd.json_normalize(records_of(json.load(file), kind))
    start = next((".".join(keys) for keys, _ in START_PATHS if ".".join(keys) in table), None)
    times = pd.to_datetime(table[start]) if start else None
    value = ".".join(LAYOUT[kind].value_paths[0][0])
    return times, table[value] if value in table else table.get("sleep_stage_state")


def pyarrow_json(path: Path, kind: StreamKind) -> object:
    """pyarrow reads a file as one row with a list; it knows no NaN and no mixed types, so many files are refused."""
    import pyarrow as pa
    from pyarrow import json as arrow

    size = path.stat().st_size + 1
    table = arrow.read_json(
        pa.BufferReader(path.read_bytes()), read_options=arrow.ReadOptions(use_threads=False, block_size=size)
    )
    records = table["body"].combine_chunks().field(LAYOUT[kind].body_key).flatten()
    frame = records.field("effective_time_frame")
    names = [field.name for field in frame.type]
    texts = frame.field("date_time") if "date_time" in names else frame.field("time_interval").field("start_date_time")
    key = value_key(kind)
    return texts.cast(pa.timestamp("s")).to_numpy(zero_copy_only=False), records.field(key).field(
        "value"
    ) if key else None


def ways() -> dict[str, Way]:
    """Everything that is installed; of the JSON libraries, each with the loop of `with_lists`."""
    found: dict[str, Way] = {"json.load + json_normalize": json_normalize, "json.load + lists": with_lists(json.loads)}
    for name in ("orjson", "msgspec", "simdjson"):
        try:
            module = __import__(f"{name}.json" if name == "msgspec" else name)
        except ImportError:
            continue
        found[f"{name} + lists"] = with_lists(module.json.decode if name == "msgspec" else module.loads)
    if "msgspec + lists" in found:
        found["msgspec into typed records"] = msgspec_typed()
    return {**found, "pyarrow.json": pyarrow_json, "read_stream": ours}


def value_key(kind: StreamKind) -> str | None:
    return None if kind is StreamKind.SLEEP else LAYOUT[kind].value_paths[0][0][0]


def records_of(document: object, kind: StreamKind) -> list[dict]:
    return document["body"][LAYOUT[kind].body_key]  # type: ignore[index]


# -- measuring -------------------------------------------------------------------------------------------------------


def megabytes(files: list[File]) -> float:
    return sum(path.stat().st_size for path, _ in files) / 1e6


def seconds(way: Way, files: list[File]) -> tuple[float, list[File], float]:
    """Processor seconds over the files, and those it cannot read with their megabytes taken out of the account."""
    refused, spent = [], 0.0
    for path, kind in files:
        started = time.process_time()
        try:
            way(path, kind)
            spent += time.process_time() - started
        except Exception:  # noqa: BLE001  a peer's own error, of any type, is a finding
            refused.append((path, kind))
    return spent, refused, megabytes([file for file in files if file not in refused])


def compare(files: list[File], repeats: int) -> dict[str, dict[str, float | int]]:
    rates: dict[str, list[float]] = {}
    refusals: dict[str, int] = {}
    available = ways()
    for _ in range(repeats):  # in turns, because the machine's speed drifts
        for name, way in available.items():
            spent, refused, read = seconds(way, files)
            rates.setdefault(name, []).append(read / spent if spent else 0.0)
            refusals[name] = len(refused)
    return {name: {"mb_per_s": statistics.median(rates[name]), "refused": refusals[name]} for name in rates}


def read_all(files: list[File]) -> tuple[int, float, float]:
    """Which process read the files, its processor seconds for them, and its highest memory so far in megabytes."""
    started = time.process_time()
    for path, kind in files:
        read_stream(path, kind, 3)
    spent = time.process_time() - started
    return os.getpid(), spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def whole(people: list[list[File]], processes: int) -> dict[str, float]:
    """Rates over everybody, a person a job, by the clock and by processor time; the highest memory of any process."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        pool.map(read_all, [[]] * processes)  # the interpreters have started and imported
        started = time.perf_counter()
        done = list(pool.imap_unordered(read_all, people))
        took = time.perf_counter() - started
    read = megabytes([file for files in people for file in files])
    spent = sum(each for _, each, _ in done)
    return {
        "mb": read,
        "seconds": took,
        "processor_seconds": spent,
        "mb_per_s": read / took,
        "mb_per_processor_s": read / spent,
        "peak_mb_per_process": max(memory for *_, memory in done),
    }


def pairs(people: list[list[File]], repeats: int) -> dict[str, object]:
    runs: dict[int, list[dict[str, float]]] = {n: [] for n in PROCESSES}
    for _ in range(repeats):
        for n in PROCESSES:
            runs[n].append(whole(people, n))
    best = {str(n): max(each, key=lambda run: run["mb_per_s"]) for n, each in runs.items()}
    ratios = [two["mb_per_s"] / one["mb_per_s"] for one, two in zip(runs[1], runs[2], strict=True)]
    return {**best, "faster_with_two": statistics.median(ratios)}


def by_kind(files: list[File]) -> Iterator[tuple[str, dict[str, float]]]:
    for kind in StreamKind:
        of_kind = [file for file in files if file[1] is kind]
        if of_kind:
            spent, _, read = seconds(ours, of_kind)
            regular = sum(parse_regular(path.read_bytes(), LAYOUT[kind]) is not None for path, _ in of_kind)
            yield kind.value, {"mb_per_s": read / spent, "files": len(of_kind), "regular": regular}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--whole-repeats", type=int, default=3)
    parser.add_argument("--sample-mb", type=float, default=150)
    options = parser.parse_args()
    release = Release.open(options.folder)
    people = [[(path, kind) for kind, path in files.items()] for _, files in sorted(release.files.items()) if files]
    sample: list[File] = []
    while megabytes(sample) < options.sample_mb and len(sample) < sum(map(len, people)):
        sample = [file for files in people[: 1 + len(sample) // len(people[0])] for file in files]
    for files in people:
        for path, _ in files:
            path.read_bytes()  # into the page cache
    load = os.getloadavg()[0]
    peers = compare(sample, options.repeats)
    result = {
        "command": f"python benchmarks/aireadi_reader.py DIR --repeats {options.repeats} "
        f"--whole-repeats {options.whole_repeats} --sample-mb {options.sample_mb:g}",
        "provenance": provenance(),
        "load_average_at_start": load,
        "cohort": {"release": release.number, "people": len(people), "mb": megabytes([f for p in people for f in p])},
        "sample": {"mb": megabytes(sample), "files": len(sample), "kinds": Counter(kind.value for _, kind in sample)},
        "one_core": peers,
        "kinds": dict(by_kind(sample)),
        "whole": pairs(people, options.whole_repeats),
        "quarter": whole(people[: max(1, len(people) // 4)], 1),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "aireadi_reader.json").write_text(json.dumps(result, indent=1) + "\n")
    (RESULTS / "aireadi_reader.md").write_text(page(result))
    print(page(result))


def page(result: dict) -> str:
    p, cohort, rates, whole_, quarter = (
        result["provenance"],
        result["cohort"],
        result["one_core"],
        result["whole"],
        result["quarter"],
    )
    base = rates["read_stream"]["mb_per_s"]
    lines = [
        "# Reading an AI-READI release",
        f"`{result['command']}` on {p['date']}, {p['cores']} cores, Python {p['python']}.",
        f"A synthetic cohort of release {cohort['release']}: {cohort['people']} people, {cohort['mb']:,.0f} MB of stream files. "
        f"The comparison is over the first {result['sample']['mb']:.0f} MB of it, in one process, by processor time.",
        f"The machine's load average was {result['load_average_at_start']:.1f} at the start: where that is above the number of cores, "
        "rates by the clock are those of a share of the machine, and only processor time compares.",
        "",
        "| reading values and times, one process | MB/s | read_stream is faster by | files refused |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| {name} | {rate['mb_per_s']:.0f} | {base / rate['mb_per_s']:.1f} | {rate['refused']} of {result['sample']['files']} |"
            for name, rate in rates.items()
            if rate["mb_per_s"]
        ),
        "",
        "Refused files are out of the account of the library that refuses them: strict JSON has no NaN, pyarrow no mixed types.",
        "",
        "| stream | MB/s | files | read by the regular pattern |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| {kind} | {rate['mb_per_s']:.0f} | {rate['files']} | {rate['regular']} |"
            for kind, rate in result["kinds"].items()
        ),
        "",
        "| the whole cohort | MB/s by the clock | MB per processor second | seconds | highest memory of a process, MB |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {name} | {run['mb_per_s']:.0f} | {run['mb_per_processor_s']:.0f} | {run['seconds']:.1f} | {run['peak_mb_per_process']:.0f} |"
            for name, run in (
                ("a quarter of the people, one process", quarter),
                ("one process", whole_["1"]),
                ("two processes", whole_["2"]),
            )
        ),
        "",
        f"Two processes are {whole_['faster_with_two']:.2f} times as fast as one by the clock (median of runs in turns). At these rates the "
        f"wearables of a full-size release (45 GB) are read in {FULL_RELEASE_MB / whole_['1']['mb_per_s'] / 60:.1f} minutes by one "
        f"process and {FULL_RELEASE_MB / whole_['2']['mb_per_s'] / 60:.1f} by two, if the disk is as fast; files came from memory here.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
