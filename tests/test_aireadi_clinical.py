"""The visit's tables: keys, sentinels, duplicates, units and what is damaged."""

from __future__ import annotations

import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensecf_bench.datasets.aireadi.clinical import TABLES, item_key, read_clinical

COLUMNS = ("person_id", "{}_id", "{}_source_value", "value_as_number", "unit_source_value")
INDEX = {1: (), 2: (), 3: ("",), "mini": ("", "X")}


def write(folder, table, rows, index=("",), columns=COLUMNS):
    folder.mkdir(exist_ok=True)
    with (folder / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*index, *(c.format(table) for c in columns)])
        for i, (person, source, value, *unit) in enumerate(rows):
            writer.writerow(
                [*(i for _ in index), person, i, source[:49], value, *(unit or ("",))][: len(index) + len(columns)]
            )


def tables(folder):
    paths = {table: folder / f"{table}.csv" for table in TABLES}
    return {table: path if path.exists() else None for table, path in paths.items()}


def read(folder, measurement=(), observation=(), **how):
    write(folder, "measurement", measurement, **how)
    write(folder, "observation", observation, **how)
    return read_clinical(tables(folder))


VISIT = [
    (900001, "bmi_vsorres, BMI", 31.5),
    (900001, "bp1_sysbp_vsorres, Systolic (mmHg)", 130),
    (900001, "bp2_sysbp_vsorres, Systolic (mmHg)", 120),
    (900001, "bp1_diabp_vsorres, Diastolic (mmHg)", 80),
    (900001, "lbscat_a1c, Hemoglobin - g/dL", 13.9, "g/dL"),
]
HBA1C = "import_hba1c, Hemoglobin A1c/Hemoglobin.total in Blood"
SURVEYS = [(900001, "cestl, CESD-10 Score", 7), (900001, "paidscore, PAID score", 3)]


@pytest.mark.parametrize(("release", "hba1c"), [(1, "HbA1c (%)"), (2, "HbA1c (%)"), (3, HBA1C), ("mini", HBA1C)])
def test_a_visit_of_each_release(tmp_path, release, hba1c):
    clinical = read(tmp_path / "c", [*VISIT, (900001, hba1c, 6.1)], SURVEYS, index=INDEX[release])
    assert clinical.people == {
        "900001": {
            "bmi_kg_m2": 31.5,
            "hba1c_pct": 6.1,
            "systolic_bp_mmhg": 125.0,
            "diastolic_bp_mmhg": 80.0,
            "paid5_score": 3.0,
            "cesd10_score": 7.0,
        }
    }
    assert not clinical.quirks and not clinical.problems


def test_keys_are_the_text_before_the_first_comma():
    assert item_key("bp1_sysbp_vsorres, Systolic (mmHg), seated") == "bp1_sysbp_vsorres"
    assert item_key("HbA1c (%)") == "hba1c (%)"
    assert item_key(" MOCA_total_score ") == "moca_total_score"


@pytest.mark.parametrize("refusal", [555, 777, 888, 999, 99])
def test_an_unanswered_score_is_missing_and_counted(tmp_path, refusal):
    clinical = read(tmp_path / "c", VISIT, [(900001, "cestl, CESD-10 Score", refusal)])
    assert "cesd10_score" not in clinical.people["900001"]
    assert clinical.quirks == {"observation.cestl: not answered": 1}


def test_a_score_without_its_total_is_the_sum_of_its_items_if_all_are_there(tmp_path):
    items = [(900001, f"ces{i}, item {i}", i % 4) for i in range(1, 11)]  # 1 2 3 0 1 2 3 0 1 2
    assert read(tmp_path / "all", (), items).people["900001"]["cesd10_score"] == 15
    assert read(tmp_path / "one absent", (), items[1:]).people["900001"] == {}
    refused = [*items[1:], (900001, "ces1, item 1", 777)]
    assert read(tmp_path / "one refused", (), refused).people["900001"] == {}
    assert read(tmp_path / "total", (), [*items, (900001, "cestl, score", 9)]).people["900001"]["cesd10_score"] == 9


def test_measured_twice_is_the_mean_and_scored_twice_the_first(tmp_path):
    twice = [(900001, "bmi_vsorres, BMI", 30), (900001, "bmi_vsorres, BMI", 31)]
    scores = [(900001, "paidscore, PAID score", 4), (900001, "paidscore, PAID score", 7)]
    known = read(tmp_path / "c", twice, scores).people["900001"]
    assert (known["bmi_kg_m2"], known["paid5_score"]) == (30.5, 4)


@pytest.mark.parametrize(
    ("value", "unit", "why"),
    [
        (43, "mmol/mol", "import_hba1c: in mmol/mol"),
        (43, "", "import_hba1c: outside [2, 20]"),
        (-6, "%", "import_hba1c: outside [2, 20]"),
        ("", "%", "import_hba1c: no number"),
        ("haemolysed", "%", "import_hba1c: no number"),
        ("nan", "%", "import_hba1c: no number"),
    ],
)
def test_wrong_units_and_absurd_values_are_missing_and_counted(tmp_path, value, unit, why):
    clinical = read(tmp_path / "c", [*VISIT, (900001, HBA1C, value, unit)])
    assert "hba1c_pct" not in clinical.people["900001"]
    assert clinical.quirks == {f"measurement.{why}": 1}
    path = tmp_path / "c" / "measurement.csv"
    told = () if "no number" in why else (f"{path}: 1 × measurement.{why}; left out",)  # people may have no number
    assert clinical.problems == told


@pytest.mark.parametrize("unit", ["%", "", " ", "N/A", "% of total"])
def test_units_as_the_release_may_write_them(tmp_path, unit):
    assert read(tmp_path / "c", [(900001, HBA1C, 5.7, unit)]).people["900001"]["hba1c_pct"] == 5.7


def test_an_absent_table_is_a_problem_and_the_other_is_read(tmp_path):
    write(tmp_path, "measurement", VISIT)
    clinical = read_clinical(tables(tmp_path))
    assert clinical.people["900001"]["bmi_kg_m2"] == 31.5
    assert clinical.problems == ("clinical_data/observation.csv: not in this download",)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00person", b"person_id,other\n900001,2\n"])
def test_a_table_that_cannot_be_read_is_named(tmp_path, content):
    write(tmp_path, "observation", SURVEYS)
    (tmp_path / "measurement.csv").write_bytes(content)
    clinical = read_clinical(tables(tmp_path))
    assert len(clinical.problems) == 1 and str(tmp_path / "measurement.csv") in clinical.problems[0]
    assert clinical.people["900001"]["cesd10_score"] == 7


def test_a_torn_row_is_counted_and_the_rest_goes_on(tmp_path):
    write(tmp_path, "measurement", VISIT)
    write(tmp_path, "observation", SURVEYS)
    with (tmp_path / "measurement.csv").open("a", encoding="utf-8") as file:
        file.write("7,900002,12")
    clinical = read_clinical(tables(tmp_path))
    assert clinical.people["900001"]["bmi_kg_m2"] == 31.5
    assert clinical.quirks == {"measurement: row with 3 fields instead of 6": 1}


def test_a_table_without_units_is_read(tmp_path):
    assert read(tmp_path / "c", VISIT, SURVEYS, columns=COLUMNS[:-1]).people["900001"]["bmi_kg_m2"] == 31.5


answers = st.lists(
    st.tuples(
        st.integers(900000, 900005),
        st.sampled_from([HBA1C, "bmi_vsorres, BMI", "cestl, a\nlabel", 'paid_scrd, "scared"', "ces1, x", "whr, 1"]),
        st.one_of(st.floats(allow_nan=True), st.text(max_size=5), st.sampled_from([0, 7, 99, 777])),
        st.text(max_size=4),
    ),
    max_size=30,
)


@given(answers, answers)
def test_whatever_stands_in_the_tables_only_possible_values_come_out(tmp_path_factory, measurement, observation):
    clinical = read(tmp_path_factory.mktemp("c"), measurement, observation)
    limits = {"hba1c_pct": (2, 20), "bmi_kg_m2": (8, 120), "cesd10_score": (0, 30)}
    for known in clinical.people.values():
        assert all(limits[name][0] <= value <= limits[name][1] for name, value in known.items())
