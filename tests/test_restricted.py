"""Rows that may not be passed on: named by position, quoted nowhere, kept where only their owner can read them."""

import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sensecf_bench import api
from sensecf_bench.constraints import LinearConstraint
from sensecf_bench.contracts import FeatureSchema
from sensecf_bench.datasets.clinical import DiabetesProgression
from sensecf_bench.engine.context import prepare_data
from sensecf_bench.errors import DataError, SchemaError
from sensecf_bench.reports.publish import build

ODD = 4711.5  # nobody has it: 4711 in a text is a row given away


class Odd(DiabetesProgression):
    """The table with one row that does not fit the schema in one way or another."""

    name = "odd"
    why = ""
    feature, value = "age_years", ODD
    constraints = ()

    def load(self):
        table = super().load()
        frame = table.frame.copy()
        column = frame[self.feature].astype(object if isinstance(self.value, str) else float)
        column.iloc[7] = self.value
        schema = FeatureSchema(table.schema.features, constraints=self.constraints)
        return replace(table, frame=frame.assign(**{self.feature: column}), schema=schema)

    def restricted(self):
        return self.why


class Unreadable(Odd):
    value = f"about {ODD}"


class Unbound(Odd):
    feature = "bmi_kg_m2"


class Overstretched(Odd):
    feature, value = "bmi_kg_m2", 44.4711
    constraints = (LinearConstraint(name="weight", coefficients={"bmi_kg_m2": 1.0}, most=43.0),)


class Unsure(DiabetesProgression):
    """Nobody knows whether it may be shown."""

    def restricted(self):
        raise RuntimeError("no idea")


def refusal(cls, why):
    dataset = cls()
    dataset.why = why
    with pytest.raises((SchemaError, DataError)) as caught:
        prepare_data(dataset, seed=0)
    return caught.value.message


@pytest.mark.parametrize(
    ("cls", "told"),
    [
        (Odd, "column 'age_years', row 7: what it holds is not a whole number"),
        (Unreadable, "column 'age_years', row 7: what it holds is not a finite number"),
        (Overstretched, "the first of them row 7"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_without_its_values(cls, told):
    assert "4711" in refusal(cls, "")
    guarded = refusal(cls, "under licence")
    assert told in guarded
    assert "4711" not in guarded and "patient-007" not in guarded


def test_bounds_are_refused_by_their_number_of_values_alone():
    assert "4711" not in refusal(Unbound, "")


@pytest.mark.parametrize("why", ["", "under licence"])
def test_rows_are_called_by_their_position(why):
    class Plain(DiabetesProgression):
        def restricted(self):
            return why

    data, table = prepare_data(Plain(), seed=0), DiabetesProgression().load()
    expected = tuple(f"row-{i:05d}" for i in range(442)) if why else table.ids
    assert data.ids == expected
    np.testing.assert_array_equal(data.matrix, table.schema.encode(table.frame))


def test_a_dataset_that_cannot_say_is_taken_to_refuse():
    data = prepare_data(Unsure(), seed=0)
    assert data.ids[0] == "row-00000"
    assert "RuntimeError" in data.restricted


@pytest.fixture(scope="module")
def told(single_file_plugins, tmp_path_factory):
    """A run on a restricted table with a generator that tells all it sees, and what was published of it."""
    settings = api.RunConfig(
        datasets=("guarded", "diabetes-progression"),
        classifiers=("svm", "telling"),
        generators=("tattler", "nearest-opposite"),
        plugins=(single_file_plugins / "guarded.py",),
        cache=tmp_path_factory.mktemp("cache"),
        queries=5,
        jobs=1,
        resamples=100,
        augmentation="off",
    )
    folder = tmp_path_factory.mktemp("told") / "run"
    run = api.run(settings, folder)
    build(folder, folder.parent / "published")
    return run


def test_what_is_published_names_the_kind_of_a_failure_and_nothing_else(told):
    entry = {row["generator"]: row for row in told.document["rows"] if row["dataset"] == "guarded" and row["cell"]}
    assert entry["tattler"]["reason"] == "raised"
    assert (told.folder.parent / "published" / "guarded.md").read_text().count("telling") > 0
    for file in (told.folder.parent / "published").glob("guarded.*"):
        text = file.read_text()
        assert "cholesterol is" not in text and "cannot learn from" not in text and "patient-" not in text


def test_of_an_open_table_the_whole_message_is_told(told):
    rows = [row for row in told.document["rows"] if row["dataset"] == "diabetes-progression" and row["cell"]]
    assert "cholesterol is" in {row["generator"]: row for row in rows}["tattler"]["reason"]
    assert "cannot learn from" in (told.folder.parent / "published" / "diabetes-progression.json").read_text()


def test_no_record_of_a_restricted_cell_quotes_a_message(told):
    (record,) = told.folder.glob("cells/guarded--svm--tattler--*/record.json")
    assert "cholesterol" not in record.read_text()


def test_run_folders_name_nobody(told):
    ids = set(told.queries.loc[told.queries["cf_dataset"] == "guarded", "query_id"])
    assert ids and all(i.startswith("row-") for i in ids)
    owners = set(told.counterfactuals.loc[told.counterfactuals["cf_dataset"] == "guarded", "query_id"])
    assert owners <= ids


def test_a_run_folder_with_restricted_rows_is_its_owners_alone(told, small_run):
    assert stat.S_IMODE(told.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(small_run.folder.stat().st_mode) & 0o077


def test_what_generators_keep_of_restricted_rows_stays_in_the_run(told):
    """The cache holds what was seen of the open table; the restricted one's lies in the run."""
    (mine,) = told.folder.glob("cache/**/seen.txt")
    (theirs,) = Path(told.document["config"]["cache"]).glob("**/seen.txt")
    assert "row-0" in mine.read_text()
    assert "patient-" in theirs.read_text()
