"""docs/aireadi.md says what the catalogue, the task and the options say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from sensecf_bench.datasets.aireadi import catalogue, clinical, task
from sensecf_bench.datasets.aireadi.dataset import NOT_IN_RELEASE_1, Aireadi

DOCS = Path(__file__).parent.parent / "docs"
TEXT = (DOCS / "aireadi.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("make_aireadi", DOCS / "make_aireadi.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_tables_are_up_to_date(maker):
    assert maker.page(TEXT) == TEXT


def test_a_page_without_a_place_for_a_table_is_refused(maker):
    with pytest.raises(ValueError, match="places for task"):
        maker.page(TEXT.replace("<!-- task -->", ""))


def test_every_column_is_defined():
    assert all(f"| `{column.name}` | {column.unit} |" in TEXT for column in catalogue.COLUMNS)


@pytest.mark.parametrize(
    "said",
    [
        f"need {catalogue.LEAST_GLUCOSE_READINGS} of {catalogue.GLUCOSE_READINGS_PER_DAY} readings",
        "from {:.0f} to {:.0f} mg/dL".format(*catalogue.GLUCOSE_RANGE_MG_DL),
        f"{catalogue.EVENT_READINGS * 5} minutes above {catalogue.TARGET_RANGE_MG_DL[1]:.0f} mg/dL",
        f"more than {catalogue.NIGHT_GAP_SECONDS // 60} minutes apart",
        "sleep of {} to {} hours in bed".format(*(s // 3600 for s in catalogue.NIGHT_RANGE_SECONDS)),
        f"high stress from {task.HIGH_STRESS:.0f} on",
        f"{task.LEAST_DAYS} days of glucose, {task.LEAST_DAYS} of wear and {task.LEAST_DAYS} nights",
        "{} and {} mean that there is no answer".format(
            ", ".join(map(str, sorted(clinical.SURVEY_SENTINELS)[:-1])), max(clinical.SURVEY_SENTINELS)
        ),
    ],
)
def test_the_numbers_in_the_text_are_the_code_s(said):
    assert said in re.sub(r"\s+", " ", TEXT)


def test_the_options_and_their_defaults_are_the_code_s():
    defaults = Aireadi.Options()
    assert (defaults.threshold, defaults.least_days) == (task.HIGH_STRESS, task.LEAST_DAYS)
    assert all(f"`{name}" in TEXT for name in ("threshold", "unit", "least_days", "leave_out", "split: seeded"))
    assert NOT_IN_RELEASE_1 == ("sleep_efficiency_pct", "deep_sleep_pct", "rem_sleep_pct")
