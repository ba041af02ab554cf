"""participants.tsv and participants.json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sensecf_bench.datasets.aireadi.catalogue import STUDY_GROUPS
from sensecf_bench.datasets.aireadi.cohort.people import SITES, SPLITS, People
from sensecf_bench.datasets.aireadi.writing.descriptions import NOTICE, write_json
from sensecf_bench.datasets.aireadi.writing.injection import Injected
from sensecf_bench.datasets.aireadi.writing.manifests import write_tsv

DATATYPES = (
    "cardiac_ecg", "clinical_data", "environment", "retinal_flio", "retinal_oct", "retinal_octa", "retinal_photography",
    "wearable_activity_monitor", "wearable_blood_glucose",
)  # fmt: skip
COLUMNS = ("clinical_site", "study_group", "age", "study_visit_date", "recommended_split")
ABOUT = {
    "clinical_site": ("site of the study visit", "string"),
    "study_group": ("recruitment stratum", "string"),
    "age": ("age in years at the visit", "integer"),
    "study_visit_date": ("date of the visit", "date"),
    "recommended_split": ("recommended use of the participant", "string"),
}


def id_column(release: int) -> str:
    """What the release calls a person's id in participants.tsv and the manifests."""
    return "person_id" if release >= 3 else "participant_id"


def write_participants(
    root: Path, people: People, release: int, injected: Injected, watch: Sequence[bool], sensor: Sequence[bool]
) -> None:
    """Both files. `watch` and `sensor` say who has at least one file of either datatype."""
    groups = list(STUDY_GROUPS)
    if "insulin-alias" in injected.names:
        groups[-1] = "insulin_controlled"
    here = {"clinical_data": [True] * len(people), DATATYPES[-2]: watch, DATATYPES[-1]: sensor}
    rows = [
        [
            str(people.ids[i]),
            SITES[people.site[i]],
            groups[people.group[i]],
            str(people.age[i]),
            str(people.visit[i].astype("M8[D]")),
            SPLITS[people.split[i]],
            *("TRUE" if name in here and here[name][i] else "FALSE" for name in DATATYPES),
        ]
        for i in range(len(people))
    ]
    write_tsv(root / "participants.tsv", (id_column(release), *COLUMNS, *DATATYPES), rows, line_end="\r\n")
    levels = {"clinical_site": SITES, "study_group": groups, "recommended_split": SPLITS}
    write_json(
        root / "participants.json",
        {id_column(release): {"description": f"id of a synthetic person. {NOTICE}", "data_type": "string"}}
        | {
            name: {"description": about, "data_type": kind}
            | ({"levels": {level: level for level in levels[name]}} if name in levels else {})
            | ({"unit": "years"} if name == "age" else {})
            for name, (about, kind) in ABOUT.items()
        },
    )
