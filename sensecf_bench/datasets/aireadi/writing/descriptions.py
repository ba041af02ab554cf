"""The files at the root of a release that say what it is; every one of them says that this one is synthetic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sensecf_bench.datasets.aireadi.synthetic_mark import DESCRIPTION, MARK

DOI = {1: "10.60775/fairhub.1", 2: "10.60775/fairhub.2", 3: "10.60775/fairhub.3"}
NOTICE = (
    "SYNTHETIC DATA. Made by `sensecf-bench data aireadi synthesize` from a generative model. Nobody in it exists, no value "
    "comes from a participant of AI-READI, and nothing about health can be learned from it."
)


def write_descriptions(root: Path, release: int, seed: int, participants: int) -> None:
    """README, change log, licence, health sheet and the JSON descriptions."""
    origin = f"Layout of AI-READI release {release}; {participants} people, seed {seed}."
    pages = {
        "README.md": f"# Synthetic AI-READI\n\n{NOTICE}\n\n{origin}\n",
        "CHANGELOG.md": f"# Synthetic AI-READI\n\n{NOTICE}\n",
        "LICENSE.txt": f"{NOTICE}\n\nThe files may be used and passed on freely (MIT licence).\n",
        "healthsheet.md": f"# Healthsheet\n\n{NOTICE}\n",
    }
    for name, text in pages.items():
        (root / name).write_text(text, encoding="utf-8")
    documents: dict[str, dict[str, Any]] = {
        DESCRIPTION: {
            MARK: True,
            "title": [{"titleValue": "SYNTHETIC data in the layout of the AI-READI flagship dataset"}],
            "version": f"{release}.0.0",
            "description": [{"descriptionValue": f"{NOTICE} {origin}", "descriptionType": "Abstract"}],
            "generator": {"name": "sensecf-bench", "seed": seed, "participants": participants},
            "imitates": {"identifierValue": DOI[release], "identifierType": "DOI"},
        },
        "study_description.json": {MARK: True, "briefSummary": NOTICE},
        "dataset_structure_description.json": {
            "schema": "https://schema.aireadi.org/v0.1.0/dataset_structure_description.json",
            MARK: True,
            "directoryList": [
                {"directoryName": name, "directoryDescription": about}
                for name, about in (
                    ("clinical_data", "synthetic clinical data in the OMOP common data model"),
                    ("wearable_activity_monitor", "synthetic recordings of a wrist-worn monitor"),
                    ("wearable_blood_glucose", "synthetic continuous glucose monitoring"),
                )
            ],
            "metadataFileList": [
                {"metadataFileName": name, "metadataFileDescription": "says that the data are synthetic"}
                for name in (*pages, DESCRIPTION, "study_description.json", "participants.json")
            ],
        },
    }
    for name, document in documents.items():
        write_json(root / name, document)


def write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=4) + "\n", encoding="utf-8")
