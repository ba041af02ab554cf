"""The built-in tables, how tables are split, and a user's own: drafted, loaded, and refused with the reason."""

import gc
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sensecf_bench.contracts import FeatureSchema, Generator
from sensecf_bench.datasets.clinical import BreastCancer, DiabetesProgression
from sensecf_bench.datasets.drafting import decimal_step
from sensecf_bench.datasets.splits import stratified
from sensecf_bench.datasets.table import UserTable, infer, read_frame
from sensecf_bench.engine.context import prepare_data
from sensecf_bench.errors import DataError, SchemaError
from sensecf_bench.testing.local import local_setting

BUILT_IN = (BreastCancer, DiabetesProgression)


# -- built-in --------------------------------------------------------------------------------------------------------
def test_breast_cancer_is_the_table_everybody_knows():
    table = BreastCancer().load()
    assert table.frame.shape == (569, 30)
    assert table.classes == ("benign", "malignant")
    assert table.undesired == 1
    assert np.bincount(table.outcome).tolist() == [357, 212]
    assert set(table.schema.names) == set(table.frame.columns)
    assert table.schema.mutable.all()
    first = table.frame.iloc[0]
    assert (first["mean_radius"], first["worst_area"], table.outcome[0]) == (17.99, 2019.0, 1)


def test_diabetes_progression_is_the_table_everybody_knows():
    table = DiabetesProgression().load()
    assert table.frame.shape == (442, 10)
    assert table.classes == ("slower progression", "faster progression")
    assert table.undesired == 1
    assert [f.name for f in table.schema.features if not f.mutable] == ["age_years", "sex"]
    assert table.frame.iloc[0][["age_years", "sex", "bmi_kg_m2", "glucose_mg_dl"]].tolist() == [59, "2", 32.1, 87]
    assert (table.outcome[0], table.outcome.min(), table.outcome.max()) == (151, 25, 346)


@pytest.mark.parametrize("cls", BUILT_IN)
def test_a_built_in_table_fits_its_own_schema(cls):
    table = cls().load()
    matrix = table.schema.encode(table.frame)
    decoded = table.schema.decode(matrix)
    for name in table.schema.names:
        assert decoded[name].tolist() == table.frame[name].tolist()
    low, high = table.schema.hard_bounds
    assert np.all((matrix >= low) & (matrix <= high))
    assert len(set(table.ids)) == len(table.ids) == len(table.frame) == len(table.outcome)
    assert table.source
    assert table.licence


@pytest.mark.parametrize("cls", BUILT_IN)
def test_the_precision_of_a_built_in_feature_is_how_it_is_written(cls):
    table = cls().load()
    for feature in table.schema.features:
        if feature.kind == "continuous":
            values = table.frame[feature.name].to_numpy()
            assert np.abs(values - np.round(values / feature.precision) * feature.precision).max() < 1e-6
            coarser = 10 * feature.precision
            assert np.abs(values - np.round(values / coarser) * coarser).max() > feature.precision / 2


@pytest.mark.parametrize("cls", BUILT_IN)
@pytest.mark.parametrize("seed", [0, 7])
def test_a_split_is_complete_disjoint_and_stratified(cls, seed):
    data = prepare_data(cls(), seed)
    n = len(data.matrix)
    parts = (data.train, data.validation, data.test)
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    assert [len(p) for p in parts] == pytest.approx([0.6 * n, 0.2 * n, 0.2 * n], abs=2)
    share = data.labels.mean()
    for part in parts:
        assert data.labels[part].mean() == pytest.approx(share, abs=0.06)


@pytest.mark.parametrize("cls", BUILT_IN)
def test_a_split_depends_on_the_seed_and_on_nothing_else(cls):
    table, other = cls().load(), cls().load()
    one, same, different = cls().split(table, 0), cls().split(other, 0), cls().split(table, 1)
    for part in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(one, part), getattr(same, part))
    assert set(one.test) != set(different.test)


def test_diabetes_labels_look_at_the_training_rows_only():
    dataset = DiabetesProgression()
    table = dataset.load()
    train = dataset.split(table, 0).train
    labels = dataset.labels(table, train)
    assert labels.tolist() == [int(y > np.median(table.outcome[train])) for y in table.outcome]
    others = np.setdiff1d(np.arange(len(table.outcome)), train)
    outcome = table.outcome.copy()
    outcome[others] = 1e6
    shifted = dataset.labels(replace(table, outcome=outcome), train)
    np.testing.assert_array_equal(shifted[train], labels[train])
    assert shifted[others].all()


@settings(max_examples=25, deadline=None)
@given(st.integers(5, 60), st.integers(5, 60), st.integers(0, 2**32 - 1))
def test_any_two_classes_are_split_in_proportion(first, second, seed):
    outcome = np.repeat([0, 1], [first, second])
    split = stratified(outcome, seed)
    parts = (split.train, split.validation, split.test)
    assert sorted(np.concatenate(parts).tolist()) == list(range(first + second))
    for part, share in zip(parts, (0.6, 0.2, 0.2), strict=True):
        assert np.bincount(outcome[part], minlength=2) == pytest.approx(np.array([first, second]) * share, abs=2)


def test_a_class_too_small_to_be_split_is_refused():
    with pytest.raises(DataError, match="cannot be split into training, validation and test rows"):
        stratified(np.array([0] * 20 + [1]), seed=0)


# -- how values are written ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([1, 2, 30], 1.0),
        ([12.5, 3.0], 0.1),
        ([0.25, 0.5], 0.01),
        ([1.0, np.nan, 2.125], 0.001),
        ([1 / 3], 1e-6),
    ],
)
def test_the_decimal_step_is_the_finest_in_use(values, step):
    assert decimal_step(np.array(values)) == pytest.approx(step)


# -- a user's own ----------------------------------------------------------------------------------------------------
def people(n=60):
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "person": [f"p-{i:02d}" for i in range(n)],
            "age": rng.integers(20, 80, n),
            "bmi": np.round(rng.normal(27, 4, n), 1),
            "smoker": rng.integers(0, 2, n),
            "drug": rng.choice(["insulin", "metformin", "none at all"], n),
            "visits": ["a", "b"] * (n // 2),
            "centre": "north",
            "diabetic": ["yes", "no"] * (n // 2),
        }
    )


@pytest.fixture
def written(tmp_path):
    """Write a table and its YAML as drafted, after changes to either; gives the path of the YAML."""

    def write(frame=None, ending=".csv", **changes):
        frame = people() if frame is None else frame
        path = tmp_path / f"people{ending}"
        frame.to_parquet(path) if ending == ".parquet" else frame.to_csv(path, index=False)
        clean = tmp_path / "clean.csv"
        people().to_csv(clean, index=False)
        draft, _ = infer(clean, "diabetic", "yes")
        schema_file = tmp_path / "people.yaml"
        content = {**draft, "file": path.name, **changes}
        schema_file.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not ...}), encoding="utf-8")
        return schema_file

    return write


def loaded(path):
    return prepare_data(UserTable(UserTable.Options(schema_file=path)), seed=0)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_drafted_table_is_loaded_as_it_was_written(tmp_path, ending):
    frame = people()
    path = tmp_path / f"people{ending}"
    frame.to_parquet(path) if ending == ".parquet" else frame.to_csv(path, index=False)
    draft, notes = infer(path, "diabetic")
    (tmp_path / "people.yaml").write_text(yaml.safe_dump(draft), encoding="utf-8")
    table = UserTable(UserTable.Options(schema_file=tmp_path / "people.yaml")).load()

    kinds = {f.name: f.kind for f in table.schema.features}
    assert kinds == {
        "age": "integer",
        "bmi": "continuous",
        "smoker": "binary",
        "drug": "categorical",
        "visits": "binary",
    }
    features = {f.name: f for f in table.schema.features}
    assert features["bmi"].precision == 0.1
    assert features["smoker"].levels == ("0", "1")
    assert features["drug"].levels == ("insulin", "metformin", "none at all")
    assert all(f.mutable and f.direction == "any" and f.bounds == (None, None) for f in table.schema.features)

    decoded = table.schema.decode(table.schema.encode(table.frame))
    for name in table.schema.names:
        assert decoded[name].map(str).tolist() == frame[name].map(str).tolist()
    assert table.name == "people"
    assert table.classes == ("no", "yes")
    assert table.undesired == 1
    assert table.ids == tuple(frame["person"])
    assert table.outcome.tolist() == [1, 0] * 30
    assert any("left out 'centre': it is constant" in note for note in notes)
    assert any("took 'person' for the id" in note for note in notes)
    assert any("took 'yes' for the undesired class" in note for note in notes)


def test_a_table_ends_up_ready_for_a_classifier(written):
    data = loaded(written(undesired="no"))
    assert data.target == 1
    assert data.matrix.shape == (60, 5)
    assert set(data.labels) == {0, 1}
    assert data.schema.scales is not None
    assert len(data.train) == 36


def test_rows_are_numbered_where_there_is_no_id_column(written):
    assert loaded(written(id=...)).ids[:2] == ("row-0", "row-1")


def test_a_tsv_is_read_by_its_ending(tmp_path):
    people().to_csv(tmp_path / "people.tsv", sep="\t", index=False)
    pd.testing.assert_frame_equal(read_frame(tmp_path / "people.tsv"), people(), check_dtype=False)


def features_of(*changed, without=()):
    """The drafted features with some of them changed."""
    changes = dict(changed)
    entries = [
        {"name": "age", "kind": "integer"},
        {"name": "bmi", "kind": "continuous", "precision": 0.1},
        {"name": "smoker", "kind": "binary", "levels": ["0", "1"]},
        {"name": "drug", "kind": "categorical", "levels": ["insulin", "metformin", "none at all"]},
        {"name": "visits", "kind": "binary", "levels": ["a", "b"]},
    ]
    return [{**e, **changes.get(e["name"], {})} for e in entries if e["name"] not in without]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"file": "absent.csv"}, DataError, "cannot read table .*absent.csv.*No such file"),
        ({"file": "people.xlsx"}, DataError, "unknown ending '.xlsx'"),
        ({"colour": "red"}, SchemaError, "yaml: unknown field 'colour'; did you mean"),
        ({"target": ...}, SchemaError, "target: Field required"),
        ({"features": []}, SchemaError, "a schema needs at least one feature"),
        ({"features": features_of(("age", {"kind": "whole"}))}, SchemaError, r"features.age.kind: Input should be"),
        (
            {"features": features_of(("age", {"colour": 1}))},
            SchemaError,
            r"features.age: unknown field 'colour'; known: name, kind",
        ),
        ({"features": features_of(("age", {"bounds": [9, 1]}))}, SchemaError, "features.age: .*'age': lower bound 9.0"),
        ({"features": features_of(("bmi", {"name": "age"}))}, SchemaError, "feature named twice: age"),
        (
            {"features": features_of(("bmi", {"name": "weight"}))},
            SchemaError,
            "'clean': the table has no column 'weight'",
        ),
        (
            {"features": features_of(("drug", {"kind": "continuous", "levels": []}))},
            SchemaError,
            "'clean': column 'drug', row 0: '.*' is not a finite number .60 such rows",
        ),
        (
            {"features": features_of(("bmi", {"kind": "categorical", "levels": ["1", "2"], "precision": None}))},
            SchemaError,
            r"column 'bmi', row 0: .* is not one of \['1', '2'\] .60 such rows",
        ),
        (
            {"features": features_of(("drug", {"levels": ["insulin", "metformin"]}))},
            SchemaError,
            "column 'drug', row .*: 'none at all' is not one of",
        ),
        (
            {"features": features_of(("age", {"bounds": [30, 120]}))},
            SchemaError,
            r"'clean': \d+ value\(s\) of 'age' lie outside its hard bounds \[30.0, 120.0\]",
        ),
        ({"target": "outcome"}, SchemaError, "target column 'outcome' is not in people.csv"),
        ({"id": "number"}, SchemaError, "id column 'number' is not in the table"),
        ({"id": "centre"}, DataError, "id column 'centre' has duplicates"),
        ({"undesired": "ill"}, SchemaError, r"undesired class 'ill' is not one of \['no', 'yes'\]"),
        ({"classes": ["no", "maybe"], "undesired": "no"}, SchemaError, r"'diabetic' holds \['yes'\], which is not in"),
        ({"classes": ["no"]}, SchemaError, "classes"),
        ({"classes": [False, True]}, SchemaError, "classes.0: .*YAML reads no, off and false as one.* in quotes"),
        ({"classes": [0, 1]}, SchemaError, "classes.0: .* put the number in quotes"),
        ({"undesired": True}, SchemaError, "undesired: .* in quotes"),
        (
            {"features": features_of(("age", {"mutabel": 1}))},
            SchemaError,
            "features.age: unknown field 'mutabel'; did you mean 'mutable'",
        ),
        ({"colour": "red", "undesired": 3}, SchemaError, "undesired: .*; unknown field 'colour'"),
        ({"name": "my data"}, SchemaError, "name: leaderboard files are called by this name"),
        ({"name": "../people"}, SchemaError, "name: leaderboard files"),
        ({"name": "readme"}, SchemaError, "and not README"),
        ({"classes": ["no", "yes", "maybe"]}, SchemaError, "classes"),
    ],
)
def test_a_wrong_schema_file_is_refused_naming_what_is_wrong(written, changes, error, message):
    with pytest.raises(error, match=message) as caught:
        loaded(written(**changes))
    assert isinstance(caught.value, error)


def with_holes(frame):
    frame.loc[[3, 5], "bmi"] = np.nan
    frame.loc[7, "drug"] = None
    return frame


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize(
    ("alter", "error", "message"),
    [
        (with_holes, DataError, r"has missing values: bmi \(2\), drug \(1\)"),
        (lambda f: f.assign(diabetic=f["diabetic"].where(f.index > 3)), DataError, r"missing values: diabetic \(4\)"),
        (lambda f: f.assign(diabetic="yes"), DataError, "rows of one class only: there is nothing to flip"),
        (lambda f: f.assign(diabetic=["yes", "no", "maybe"] * 20), SchemaError, r"'diabetic' holds \['maybe'\]"),
        (lambda f: f.assign(age=44), DataError, "constant in the training rows: age"),
        (lambda f: f.assign(drug="insulin", bmi=2.5), DataError, "constant in the training rows: bmi, drug"),
        (lambda f: f.assign(person="p"), DataError, "id column 'person' has duplicates"),
        (lambda f: f.assign(person=f["person"].where(f.index > 0)), DataError, r"has missing values: person \(1\)"),
        (
            lambda f: f.assign(bmi=f["bmi"].where(f.index != 9, np.inf)),
            SchemaError,
            "'bmi', row 9: .*inf.* is not a fin",
        ),
        (
            lambda f: f.assign(age=f["age"].astype(str) + " y"),
            SchemaError,
            "column 'age', row 0: '.* y' is not a finite",
        ),
        (lambda f: f.drop(columns="smoker"), SchemaError, "the table has no column 'smoker'"),
        (lambda f: f.iloc[:0], DataError, "one class only"),
        (lambda f: f.iloc[[*range(0, 60, 2), 1]], DataError, "cannot be split"),
    ],
)
def test_a_wrong_table_is_refused_naming_what_is_wrong(written, ending, alter, error, message):
    with pytest.raises(error, match=message):
        loaded(written(alter(people()), ending))


def test_a_fraction_in_an_integer_column_is_refused(written):
    frame = people()
    frame["age"] = frame["age"].astype(float)
    frame.loc[4, "age"] = 33.5
    with pytest.raises(SchemaError, match=r"column 'age', row 4: .*33\.5"):
        loaded(written(frame))


@pytest.mark.parametrize(("role", "column"), [("target", "diabetic"), ("id", "person")])
def test_the_target_and_the_id_cannot_be_features(written, role, column):
    extra = {"name": column, "kind": "categorical", "levels": sorted(people()[column].unique())}
    with pytest.raises(SchemaError, match=f"{role} column '{column}' is also a feature") as caught:
        loaded(written(features=[*features_of(), extra]))
    assert caught.value.fix


def test_what_is_no_schema_file_is_refused(tmp_path):
    path = tmp_path / "people.yaml"
    with pytest.raises(SchemaError, match=r"cannot read schema file .*people\.yaml: No such file") as caught:
        loaded(path)
    assert "data infer" in caught.value.fix
    for content, message in (("a: [", "is not valid YAML"), ("- 1", "is not a YAML mapping"), ("", "not a YAML mapp")):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(SchemaError, match=message):
            loaded(path)
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(SchemaError, match="is not valid YAML"):
        loaded(path)
    with pytest.raises(SchemaError, match="needs a schema file") as caught:
        UserTable().load()
    assert "table:FILE.yaml" in caught.value.fix


def test_what_is_no_table_is_refused(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"not parquet")
    (tmp_path / "a.csv").write_text("", encoding="utf-8")
    (tmp_path / "b.csv").write_text('a,b\n1,2\n"3,4,5\n', encoding="utf-8")
    for name in ("a.parquet", "a.csv", "b.csv", "absent.csv", "absent.parquet"):
        with pytest.raises(DataError, match=re.escape(name)):
            read_frame(tmp_path / name)


# -- drafting --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("frame", "target", "undesired", "message"),
    [
        (people(), "ill", None, "has no column 'ill'"),
        (people().assign(diabetic="yes"), "diabetic", None, "target 'diabetic' has 1 values, not 2"),
        (people(), "drug", None, "target 'drug' has 3 values, not 2"),
        (people(), "diabetic", "ill", "undesired class 'ill' is not a value of 'diabetic'"),
        (people()[["person", "centre", "diabetic"]], "diabetic", None, "no column besides the target can be a feature"),
    ],
)
def test_a_table_that_cannot_be_drafted_is_refused(tmp_path, frame, target, undesired, message):
    path = tmp_path / "people.csv"
    frame.to_csv(path, index=False)
    with pytest.raises(DataError, match=message):
        infer(path, target, undesired)


def test_a_draft_names_what_a_person_must_look_at(tmp_path):
    frame = with_holes(people()).assign(note=[f"text {i % 20}" for i in range(60)])
    path = tmp_path / "people.csv"
    frame.to_csv(path, index=False)
    draft, notes = infer(path, "diabetic", "no")
    assert draft["undesired"] == "no"
    assert "'bmi' has 2 missing values: fill or drop them first" in notes
    assert "'drug' has 1 missing values: fill or drop them first" in notes
    assert "left out 'note': text with 20 different values" in notes
    assert not [note for note in notes if "undesired class" in note]
    assert all(entry["mutable"] is True for entry in draft["features"])


def test_columns_that_the_harness_has_itself_are_left_out_of_a_draft(tmp_path):
    frame = people().assign(query_id=range(60), cf_age=range(60))
    frame.to_csv(tmp_path / "people.csv", index=False)
    draft, notes = infer(tmp_path / "people.csv", "diabetic")
    assert not {"query_id", "cf_age"} & {entry["name"] for entry in draft["features"]}
    assert all(any(f"left out {name!r}: the harness" in note for note in notes) for name in ("query_id", "cf_age"))


def test_missing_outcomes_are_pointed_out(tmp_path):
    frame = people()
    frame["diabetic"] = frame["diabetic"].where(frame.index > 3)
    frame.to_csv(tmp_path / "people.csv", index=False)
    assert "'diabetic' has 4 missing values: fill or drop them first" in infer(tmp_path / "people.csv", "diabetic")[1]


@pytest.mark.parametrize(
    ("stem", "name"),
    [("people", "people"), ("my data (2)", "my-data-2"), ("_x", "x"), ("README", "README-table"), ("数据", "table")],
)
def test_a_draft_is_called_what_a_file_can_be_called(tmp_path, stem, name):
    people().to_csv(tmp_path / f"{stem}.csv", index=False)
    draft, _ = infer(tmp_path / f"{stem}.csv", "diabetic")
    assert draft["name"] == name
    (tmp_path / "drafted.yaml").write_text(yaml.safe_dump(draft), encoding="utf-8")
    assert UserTable(UserTable.Options(schema_file=tmp_path / "drafted.yaml")).load().name == name


def test_a_column_of_small_values_is_drafted_so_that_they_differ(tmp_path):
    values = np.arange(1, 61) * 1e-9
    people().assign(bmi=values).to_csv(tmp_path / "people.csv", index=False)
    draft, _ = infer(tmp_path / "people.csv", "diabetic")
    (tmp_path / "people.yaml").write_text(yaml.safe_dump(draft), encoding="utf-8")
    schema = UserTable(UserTable.Options(schema_file=tmp_path / "people.yaml")).load().schema
    column = schema.names.index("bmi")
    alone = FeatureSchema((schema.features[column],))
    assert alone.changed(values[:1, None], values[-1:, None]).item()


# -- a setting for unit tests ----------------------------------------------------------------------------------------
def test_the_scratch_folder_of_a_local_setting_goes_with_its_generator():
    class Idle(Generator):
        name = "idle"

        def generate(self, queries):
            return None

    generator = local_setting("diabetes-progression", "svm", queries=2).fit(Idle())
    scratch = generator.task.scratch
    assert scratch.is_dir()
    del generator
    gc.collect()
    assert not scratch.exists()
