"""`sensecf-bench data aireadi`: what it prints, writes, and exits with."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest
from aireadi_release import Somebody, crowd, path_of, write_person, write_release
from typer.testing import CliRunner

from sensecf_bench.cli.main import app
from sensecf_bench.errors import BenchError

PEOPLE = 6


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    people = crowd(PEOPLE)
    people[5].without = ("continuous_glucose_monitoring",)
    return write_release(tmp_path_factory.mktemp("cli") / "dataset", people)


@pytest.fixture
def root(written, tmp_path):
    return shutil.copytree(written, tmp_path / "dataset")


@pytest.fixture
def aireadi(tmp_path):
    def command(*arguments):
        arguments = [str(a) for a in arguments]
        return CliRunner().invoke(
            app, ["data", "aireadi", *arguments, "--cache", str(tmp_path / "cache"), "--jobs", "1"]
        )

    return command


def test_check_says_what_is_there_and_who_is_usable(root, aireadi):
    told = aireadi("check", root)
    assert told.exit_code == 0, told.output
    assert f"AI-READI release 3 at {root}" in told.stdout
    assert "SYNTHETIC" not in told.stdout
    assert "6 participants" in told.stdout
    assert "usable for the task: 5 of 6, 2 of them under high stress" in told.stdout
    assert "1 fewer than 3 glucose days (900006)" in told.stdout
    assert "problems: none" in told.stdout
    assert any(line.split() == ["heart_rate", "6", f"{6 * 6 * 72:,}"] for line in told.stdout.splitlines())


def test_check_as_json_has_everybody_left_out_and_why(root, aireadi):
    report = json.loads(aireadi("check", root, "--json").stdout)
    assert report["excluded"] == {"900006": ["fewer than 3 glucose days"]}
    assert (report["release"], report["participants"], report["usable"], report["high_stress"]) == (3, 6, 5, 2)
    assert report["streams"]["continuous_glucose_monitoring"]["files"] == 5
    assert report["clinical"] == dict.fromkeys(report["clinical"], 6)
    assert report["problems"] == []


def test_a_folder_one_above_does_too(root, aireadi):
    assert aireadi("check", root.parent).exit_code == 0


def test_a_synthetic_folder_is_called_so(tmp_path, aireadi):
    write_release(tmp_path / "dataset", [Somebody("900001")], synthetic=True)
    assert aireadi("check", tmp_path / "dataset").stdout.startswith("SYNTHETIC, in the layout of AI-READI release 3")


def damaged(root):
    path = path_of(root, "900002", "stress", "stress")
    path.write_bytes(path.read_bytes()[:4000])
    return path


def test_a_truncated_file_is_named_and_the_rest_goes_on(root, aireadi):
    path = damaged(root)
    report = json.loads(aireadi("check", root, "--json").stdout)
    assert len(report["problems"]) == 1 and str(path) in report["problems"][0]
    assert report["excluded"]["900002"] == ["no mean_stress"]
    assert report["usable"] == 4


def test_strict_stops_at_the_first_problem(root, aireadi):
    path = damaged(root)
    for command in (("check", root), ("features", root, "--out", root.parent / "f.parquet")):
        stopped = aireadi(*command, "--strict")
        assert isinstance(stopped.exception, BenchError) and stopped.exception.exit_code == 2
        assert str(path) in stopped.exception.message
    assert not (root.parent / "f.parquet").exists()


def test_strict_lets_a_whole_release_pass(root, aireadi):
    assert aireadi("check", root, "--strict").exit_code == 0


def test_files_of_another_release_are_told_of_however_few(root, aireadi):
    """Opening a release looks at the first, middle and last person's files; these two are none of them."""
    for person in ("900002", "900005"):
        path = path_of(root, person, "stress", "stress")
        document = json.loads(path.read_text())
        del document["header"]["timezone"]  # as releases 1 and 2 write it
        path.write_text(json.dumps(document))
    (problem,) = json.loads(aireadi("check", root, "--json").stdout)["problems"]
    assert str(path_of(root, "900002", "stress", "stress")) in problem
    assert "one of 2 of 6 stress files that another release than 3 wrote" in problem
    assert "problems: 1" in aireadi("check", root).stdout  # from what is kept, too
    assert "one of 2 of 6 stress files" in aireadi("check", root, "--strict").exception.message


def rewritten(root, stream, old, new):
    path = path_of(root, "900001", stream, stream)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def torn(root):
    path = root / "clinical_data" / "measurement.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-2], ",".join(lines[-2].split(",")[:3])]) + "\n")


def in_other_units(root):
    path = root / "clinical_data" / "measurement.csv"
    lines = path.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if "import_hba1c" in line)
    lines[at] += "mmol/mol"
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda root: write_person(root, Somebody("900099")), "900099, who is not in the participants table"),
        (lambda root: path_of(root, "900003", "sleep", "sleep").write_bytes(b""), "has zero bytes"),
        (lambda root: path_of(root, "900003", "sleep", "sleep").unlink(), "the copy is incomplete"),
        (lambda root: shutil.rmtree(root / "clinical_data"), "measurement.csv: not in this download"),
        (
            lambda root: shutil.copy(
                path_of(root, "900001", "sleep", "sleep"), path_of(root, "900003", "sleep", "sleep")
            ),
            "another person",
        ),
        (lambda root: rewritten(root, "stress", '"pst"', '"Asia/Tokyo"'), "another time zone than this person's other"),
        (
            lambda root: rewritten(root, "stress", "2024-01-16T08:00:00Z", "0001-01-01T00:00:00Z"),
            "1 records from before 2020",
        ),
        (
            lambda root: rewritten(root, "sleep", "2024-01-16T14:00:00Z", "2025-01-16T14:00:00Z"),
            "physically impossible",
        ),
        (lambda root: torn(root), "row with 3 fields instead of 6"),
        (lambda root: in_other_units(root), "1 × measurement.import_hba1c: in mmol/mol"),
    ],
    ids=[
        *("unknown-id", "zero-bytes", "half-copied", "no-clinical-data", "swapped"),
        *("other-zone", "year-1", "long-stage", "torn-row", "other-unit"),
    ],
)
def test_what_is_wrong_with_a_download_is_told_and_stops_the_strict(root, aireadi, harm, told):
    harm(root)
    report = json.loads(aireadi("check", root, "--json").stdout)
    assert any(told in problem for problem in report["problems"]), report["problems"]
    assert isinstance(aireadi("check", root, "--strict").exception, BenchError)


def test_features_are_written_with_the_person_as_index(root, tmp_path, aireadi):
    out = tmp_path / "features.parquet"
    assert f"wrote 6 people to {out}" in aireadi("features", root, "--out", out).stdout
    frame = pd.read_parquet(out)
    assert frame.index.name == "person_id" and list(frame.index) == [f"{900001 + i}" for i in range(PEOPLE)]
    assert frame.loc["900002", "mean_stress"] == 36
    assert frame["mean_glucose_mg_dl"].isna().tolist() == [False] * 5 + [True]
    daily = tmp_path / "days.parquet"
    aireadi("features", root, "--out", daily, "--unit", "person-day")
    days = pd.read_parquet(daily)
    assert days.index.names == ["person_id", "local_date"]
    assert days.loc[("900002", "2024-01-17"), "mean_stress"] == 36


def test_features_overwrite_nothing_unasked(root, tmp_path, aireadi):
    out = tmp_path / "features.parquet"
    out.write_text("mine")
    refused = aireadi("features", root, "--out", out)
    assert isinstance(refused.exception, BenchError) and out.read_text() == "mine"
    assert aireadi("features", root, "--out", out, "--force").exit_code == 0
    assert len(pd.read_parquet(out)) == PEOPLE


def test_features_that_cannot_be_written_are_an_error(root, tmp_path, aireadi):
    refused = aireadi("features", root, "--out", tmp_path / "nowhere" / "features.parquet")
    assert isinstance(refused.exception, BenchError) and "cannot write" in refused.exception.message


def test_problems_are_warned_of_without_filling_the_screen(root, tmp_path, aireadi):
    for i in range(PEOPLE):
        path_of(root, f"{900001 + i}", "stress", "stress").write_bytes(b"{")
    told = aireadi("features", root, "--out", tmp_path / "features.parquet")
    assert told.exit_code == 0
    assert told.stderr.count("warning:") == 6 and "1 more problems" in told.stderr


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_a_folder_without_a_release_is_an_error(tmp_path, aireadi, folder):
    (tmp_path / "cache").mkdir()
    refused = aireadi("check", tmp_path / folder if folder != "." else tmp_path / "cache")
    assert isinstance(refused.exception, BenchError) and refused.exception.exit_code == 2
    assert refused.exception.fix
