"""A download as a folder: finding the release in it, which one it is, who took part, and what is wrong with it."""

import json
import os

import pytest
from aireadi_raw import record, write
from hypothesis import given
from hypothesis import strategies as st

from sensecf_bench.datasets.aireadi.identifiers import person_key, site_zone
from sensecf_bench.datasets.aireadi.kinds import LAYOUT, StreamKind
from sensecf_bench.datasets.aireadi.layout import Release
from sensecf_bench.datasets.aireadi.manifests import COLUMN
from sensecf_bench.datasets.aireadi.problems import Trouble
from sensecf_bench.errors import DataError

HR, STRESS, GLUCOSE, SLEEP = StreamKind.HEART_RATE, StreamKind.STRESS, StreamKind.GLUCOSE, StreamKind.SLEEP
CALORIES = StreamKind.CALORIES
TIME = "2024-01-15T20:05:30Z"
COLUMNS = (
    "clinical_site study_group age study_visit_date recommended_split wearable_activity_monitor wearable_blood_glucose"
)
PEOPLE = {
    "1999": "UW healthy 57 2024-01-15 train TRUE TRUE",
    "7999": "UAB insulin_controlled 61 2024-02-01 test TRUE FALSE",
    "4999": "UCSD oral_medication_and_or_non_insulin_injectable_medication_controlled 40 2024-03-10 val TRUE TRUE",
}


def folder_of(root, kind, person, datatype=None):
    layout = LAYOUT[kind]
    return root / (datatype or layout.datatype) / kind.value / layout.device / person


def stream(root, kind, person="1999", release=3, folder=None, **how):
    records = [record(kind, TIME, 7.1, end=TIME, label="light", release=release)] * 2
    return write(folder or folder_of(root, kind, person), kind, records, person=person, release=release, **how)


def participants(root, people=PEOPLE, id_column="person_id", end="\n", columns=COLUMNS):
    lines = ["\t".join([id_column, *columns.split()]), *("\t".join([who, *row.split()]) for who, row in people.items())]
    root.mkdir(parents=True, exist_ok=True)
    (root / "participants.tsv").write_bytes((end.join(lines) + end).encode())


def manifest(root, datatype, listed, id_column="person_id", ending="_filepath", more=()):
    """`listed[person][kind]` is a path, "None", or true for the regular path."""
    kinds = [kind for kind, layout in LAYOUT.items() if layout.datatype == datatype]
    lines = ["\t".join([id_column, *(COLUMN[kind] + ending for kind in kinds), *more])]
    for person, files in listed.items():
        cells = []
        for kind in kinds:
            name = folder_of(root, kind, person) / f"{person}_{LAYOUT[kind].suffix}.json"
            cells.append({True: f"/{name.relative_to(root)}"}.get(files.get(kind, "None"), files.get(kind, "None")))
        lines.append("\t".join([person, *cells, *("1" for _ in more)]))
    (root / datatype).mkdir(parents=True, exist_ok=True)
    (root / datatype / "manifest.tsv").write_text("\n".join(lines) + "\n")


def download(root, release=3, kinds=(HR, STRESS, GLUCOSE), people=PEOPLE):
    """A sound release with some streams of everybody."""
    id_column = "person_id" if release == 3 else "participant_id"
    participants(root, people, id_column)
    for datatype in ("wearable_activity_monitor", "wearable_blood_glucose"):
        listed = {who: {kind: True for kind in kinds if LAYOUT[kind].datatype == datatype} for who in people}
        records = "physical_activity_num_" + ("records" if release == 1 else "days")
        manifest(root, datatype, listed, id_column, more=[records] if datatype.endswith("monitor") else [])
    for person in people:
        for kind in kinds:
            stream(root, kind, person, release)
    return root


def troubles(release):
    return [problem.trouble for problem in release.problems]


# -- finding the release ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("below", ["", "dataset", "dataset/dataset", "0f3a-guid/dataset", "aireadi"])
def test_the_root_is_found(tmp_path, below):
    root = download(tmp_path / below)
    release = Release.open(tmp_path)
    assert release.root == root
    assert release.problems == ()
    assert set(release.files["1999"]) == {HR, STRESS, GLUCOSE}


@pytest.mark.parametrize("datatype", ["wearable_activity_monitor", "clinical_data"])
def test_doubled_folders(tmp_path, datatype):
    download(tmp_path)
    (tmp_path / "clinical_data").mkdir()
    (tmp_path / "clinical_data" / "person.csv").write_text("person_id\n")
    (tmp_path / datatype).rename(tmp_path / "moved")
    (tmp_path / datatype).mkdir()
    (tmp_path / "moved").rename(tmp_path / datatype / datatype)
    release = Release.open(tmp_path)
    assert all(set(files) == {HR, STRESS, GLUCOSE} for files in release.files.values())
    assert release.table("person").is_file()
    assert release.table("measurement") is None
    assert release.problems == ()


def test_no_release_several_releases_and_no_folder(tmp_path):
    with pytest.raises(DataError, match=r"no AI-READI release here"):
        Release.open(tmp_path)
    with pytest.raises(DataError, match="there is no such folder"):
        Release.open(tmp_path / "missing")
    download(tmp_path / "a" / "dataset")
    download(tmp_path / "b" / "dataset")
    with pytest.raises(DataError, match="several releases") as caught:
        Release.open(tmp_path)
    assert str(tmp_path / "a" / "dataset") in caught.value.message


# -- which release ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_number_of_a_release(tmp_path, number):
    release = Release.open(download(tmp_path, number, kinds=(HR, SLEEP, CALORIES, GLUCOSE)))
    assert (release.number, release.mini) == (number, False)
    assert release.problems == ()


@pytest.mark.parametrize("doi", ["10.60775/fairhub.4", None])
def test_the_mini_release(tmp_path, doi):
    download(tmp_path, people=PEOPLE if doi else {str(9000 + i): PEOPLE["1999"] for i in range(100)})
    if doi:
        (tmp_path / "dataset_description.json").write_text(json.dumps({"identifier": {"identifierValue": doi}}))
    release = Release.open(tmp_path)
    assert (release.number, release.mini) == (3, True)


def test_what_a_description_says_counts_as_one_clue(tmp_path):
    download(tmp_path)
    (tmp_path / "dataset_description.json").write_text(json.dumps({"version": "2.0.0"}))
    release = Release.open(tmp_path)
    assert release.number == 3
    assert troubles(release) == [Trouble.MIXED_RELEASES]
    assert "release 2" in release.problems[0].what


@pytest.mark.parametrize("content", ["{", "[]", "[" * 100_000, '{"version": 5}'])
def test_a_description_that_cannot_be_read_is_no_clue(tmp_path, content):
    download(tmp_path)
    (tmp_path / "dataset_description.json").write_text(content)
    assert Release.open(tmp_path).problems == ()


def test_two_releases_mixed_are_named(tmp_path):
    download(tmp_path, 3)
    for person in PEOPLE:
        stream(tmp_path, GLUCOSE, person, release=1)
    release = Release.open(tmp_path)
    assert release.number == 3
    assert set(troubles(release)) == {Trouble.MIXED_RELEASES}
    assert {problem.path.name for problem in release.problems} == {f"{person}_DEX.json" for person in PEOPLE}
    assert "is of release 1, the folder of release 3" in release.problems[0].what


# -- who took part ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_participants_table(tmp_path, end):
    download(tmp_path)
    participants(tmp_path, end=end)
    people = Release.open(tmp_path).people
    assert list(people) == ["1999", "7999", "4999"]
    first, second = people["1999"], people["7999"]
    assert (first.clinical_site, first.study_group, first.age_years) == ("UW", "healthy", 57)
    assert (first.visit_date, first.split, first.zone) == ("2024-01-15", "train", "America/Los_Angeles")
    assert (second.study_group, second.zone) == ("insulin_dependent", "America/Chicago")
    assert second.datatypes == {"wearable_activity_monitor"}


def test_cells_that_cannot_be_used(tmp_path):
    people = {
        "1001": "UW healthy 57 2024-01-15 train TRUE TRUE",
        "1002": "UW healthy 570 2024-01-15 holdout TRUE TRUE",
        "1003": "UW healthy old 2024-01-15 train TRUE TRUE",
        "1004": "UW healthy",
        "1005": "UW None None None None TRUE FALSE",
        "": "UW healthy 57 2024-01-15 train TRUE TRUE",
    }
    download(tmp_path)
    participants(tmp_path, people)
    with (tmp_path / "participants.tsv").open("a") as file:
        file.write("\t".join(["1001", *people["1002"].split()]) + "\n")
    for person in PEOPLE:
        for kind in (HR, STRESS, GLUCOSE):
            (folder_of(tmp_path, kind, person) / f"{person}_{LAYOUT[kind].suffix}.json").unlink()
    release = Release.open(tmp_path)
    assert list(release.people) == ["1001", "1002", "1003", "1005"]
    assert [release.people[who].age_years for who in release.people] == [57, None, None, None]
    assert release.people["1002"].split == ""
    assert sorted(troubles(release)) == sorted([Trouble.BAD_VALUE] * 3 + [Trouble.BAD_ROW] * 2 + [Trouble.REPEATED_ID])
    assert any("line 3" in str(problem) for problem in release.problems)
    assert not any(value in problem.what for problem in release.problems for value in ("570", "old", "holdout"))


def test_a_table_without_ids_or_of_other_bytes(tmp_path):
    download(tmp_path)
    participants(tmp_path, id_column="subject")
    with pytest.raises(DataError, match="no column person_id or participant_id; found subject"):
        Release.open(tmp_path)
    (tmp_path / "participants.tsv").write_bytes(b"person_id\n\xff\n")
    with pytest.raises(DataError, match="no UTF-8 text at byte 10"):
        Release.open(tmp_path)
    (tmp_path / "participants.tsv").write_bytes(b"\n")
    with pytest.raises(DataError, match="found nothing"):
        Release.open(tmp_path)


def test_a_table_of_zero_bytes_is_as_good_as_none(tmp_path):
    download(tmp_path)
    (tmp_path / "participants.tsv").write_bytes(b"")
    release = Release.open(tmp_path)
    assert troubles(release) == [Trouble.NO_PARTICIPANTS_TABLE]
    assert "has zero bytes" in str(release.problems[0])
    assert set(release.people) == set(PEOPLE)


def test_a_tail_of_nul_bytes_is_a_row_that_cannot_be_used(tmp_path):
    download(tmp_path)
    for table in (tmp_path / "participants.tsv", tmp_path / "wearable_activity_monitor" / "manifest.tsv"):
        table.write_bytes(table.read_bytes() + bytes(200_000))
    release = Release.open(tmp_path)
    assert troubles(release) == [Trouble.BAD_ROW]
    assert set(release.people) == set(PEOPLE)


def test_without_a_table_everybody_with_files_takes_part(tmp_path):
    download(tmp_path)
    (tmp_path / "participants.tsv").unlink()
    release = Release.open(tmp_path)
    assert set(release.people) == set(PEOPLE)
    assert (release.people["7999"].age_years, release.people["7999"].zone) == (None, "America/Chicago")
    assert troubles(release) == [Trouble.NO_PARTICIPANTS_TABLE]


def test_files_of_an_unknown_id_are_left_out(tmp_path):
    download(tmp_path)
    stream(tmp_path, HR, "5555")
    stream(tmp_path, STRESS, "5555")
    release = Release.open(tmp_path)
    assert "5555" not in release.files
    assert troubles(release) == [Trouble.UNKNOWN_ID]
    assert (release.problems[0].person_id, "2 stream files" in release.problems[0].what) == ("5555", True)


def test_folders_with_a_prefix(tmp_path):
    participants(tmp_path, {"AIREADI-1999": PEOPLE["1999"]})
    path = stream(tmp_path, HR, "1999", folder=folder_of(tmp_path, HR, "AIREADI-1999"))
    other = stream(tmp_path, STRESS, "AIREADI-1999", folder=folder_of(tmp_path, STRESS, "AIREADI-1999"))
    assert Release.open(tmp_path).files == {"1999": {HR: path, STRESS: other}}


@given(st.integers(1, 10**6))
def test_ids_in_every_spelling(number):
    spellings = (f"{number}", f" {number}\n", f"AIREADI-{number}", f"aireadi-{number}", f"{number}.0")
    assert {person_key(text) for text in spellings} == {str(number)}


def test_zones_of_sites():
    zones = [site_zone(site, "900001") for site in ("UW", "UCSD", "UAB", "")]
    assert zones == ["America/Los_Angeles", "America/Los_Angeles", "America/Chicago", "America/Los_Angeles"]


# -- manifests and files ---------------------------------------------------------------------------------------------


def test_none_in_the_manifest_and_no_file(tmp_path):
    download(tmp_path)
    manifest(tmp_path, "wearable_blood_glucose", {"1999": {GLUCOSE: "None"}})
    for person in PEOPLE:
        (folder_of(tmp_path, GLUCOSE, person) / f"{person}_DEX.json").unlink()
    release = Release.open(tmp_path)
    assert set(release.files["1999"]) == {HR, STRESS}
    assert release.problems == ()


def test_there_and_not_listed_is_used(tmp_path):
    download(tmp_path)
    manifest(tmp_path, "wearable_blood_glucose", {"1999": {GLUCOSE: "None"}})
    release = Release.open(tmp_path)
    assert GLUCOSE in release.files["1999"]
    assert GLUCOSE in release.files["7999"]
    assert troubles(release) == [Trouble.NOT_LISTED]


def test_a_half_copied_download(tmp_path):
    download(tmp_path)
    missing = folder_of(tmp_path, HR, "4999") / "4999_heartrate.json"
    missing.unlink()
    empty = folder_of(tmp_path, STRESS, "1999") / "1999_stress.json"
    empty.write_bytes(b"")
    release = Release.open(tmp_path)
    assert set(release.files["4999"]) == {STRESS, GLUCOSE}
    assert set(release.files["1999"]) == {HR, GLUCOSE}
    found = {problem.trouble: (problem.path, problem.person_id) for problem in release.problems}
    assert found == {Trouble.NOT_THERE: (missing, "4999"), Trouble.EMPTY_FILE: (empty, "1999")}


@pytest.mark.parametrize("ending", ["_filepath", "_filename"])
def test_the_manifest_leads_to_files_elsewhere(tmp_path, ending):
    participants(tmp_path, {"1999": PEOPLE["1999"]})
    path = stream(tmp_path, GLUCOSE, folder=tmp_path / "wearable_blood_glucose" / "elsewhere")
    listed = {"1999": {GLUCOSE: "/wearable_blood_glucose/elsewhere/1999_DEX.json"}}
    manifest(tmp_path, "wearable_blood_glucose", listed, ending=ending)
    assert Release.open(tmp_path).files["1999"] == {GLUCOSE: path}


def test_a_manifest_cannot_lead_out_of_the_release(tmp_path):
    root = tmp_path / "release"
    participants(root, {"1999": PEOPLE["1999"]})
    stream(tmp_path, GLUCOSE, folder=tmp_path)
    manifest(root, "wearable_blood_glucose", {"1999": {GLUCOSE: "/../1999_DEX.json"}})
    release = Release.open(root)
    assert release.files["1999"] == {}
    assert Trouble.NOT_THERE in troubles(release)


@pytest.mark.parametrize("content", [b"", b"a\tb\n1\t2\n", b"person_id\n1999\n", b"\xff\xfe\n"])
def test_without_a_usable_manifest_files_are_found_by_their_names(tmp_path, content):
    download(tmp_path)
    (tmp_path / "wearable_blood_glucose" / "manifest.tsv").write_bytes(content)
    release = Release.open(tmp_path)
    assert GLUCOSE in release.files["1999"]
    assert troubles(release) == [Trouble.BAD_MANIFEST]
    (tmp_path / "wearable_blood_glucose" / "manifest.tsv").unlink()
    assert troubles(Release.open(tmp_path)) == [Trouble.NO_MANIFEST]


def test_a_datatype_that_was_not_downloaded(tmp_path):
    download(tmp_path, kinds=(HR, STRESS))
    (tmp_path / "wearable_blood_glucose" / "manifest.tsv").unlink()
    (tmp_path / "wearable_blood_glucose").rmdir()
    release = Release.open(tmp_path)
    assert troubles(release) == [Trouble.NO_DATATYPE]
    assert set(release.files["1999"]) == {HR, STRESS}


def test_the_folder_of_calories_as_the_documentation_calls_it(tmp_path):
    participants(tmp_path, {"1999": PEOPLE["1999"]})
    folder = tmp_path / "wearable_activity_monitor" / "physical_activity_cal" / "garmin_vivosmart5" / "1999"
    path = stream(tmp_path, CALORIES, folder=folder)
    assert Release.open(tmp_path).files["1999"] == {CALORIES: path}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("below", ["", "garmin_vivosmart5", "garmin_vivosmart5/1999"])
def test_a_folder_that_may_not_be_read_is_named(tmp_path, below):
    download(tmp_path)
    closed = tmp_path / "wearable_activity_monitor" / "stress" / below
    closed.chmod(0)
    try:
        assert Trouble.UNREADABLE in troubles(Release.open(tmp_path))
    finally:
        closed.chmod(0o755)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_closed_folder_beside_the_release_is_none_of_its_business(tmp_path):
    root = download(tmp_path / "0f3a-guid" / "dataset")
    closed = tmp_path / "lost+found"
    closed.mkdir(mode=0)
    try:
        assert Release.open(tmp_path).root == root
    finally:
        closed.chmod(0o755)


def test_two_releases_at_different_depths_are_two(tmp_path):
    download(tmp_path / "r2" / "dataset", release=2)
    download(tmp_path / "r3")
    with pytest.raises(DataError, match="holds several releases"):
        Release.open(tmp_path)


def test_a_synthetic_folder_of_a_hundred_people_is_not_the_mini_release(tmp_path):
    everybody = {f"{900001 + i}": "UW healthy 57 2024-01-15 train FALSE FALSE" for i in range(100)}
    participants(tmp_path, everybody)
    stream(tmp_path, HR, "900001")
    assert Release.open(tmp_path).mini
    (tmp_path / "dataset_description.json").write_text('{"isSynthetic": true}')
    assert not Release.open(tmp_path).mini
