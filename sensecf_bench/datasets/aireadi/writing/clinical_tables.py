"""The OMOP tables of `clinical_data`, for the items that the features and their readers look at, and some beside them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.datasets.aireadi.cohort import Cohort
from sensecf_bench.datasets.aireadi.cohort.draws import of_person

if TYPE_CHECKING:
    from sensecf_bench.datasets.aireadi.writing.injection import Injected

LONGEST_SOURCE_VALUE = 49
LAB, SURVEY = 32856, 32862
EQUALS, BELOW = 4172703, 4171756
PREFER_NOT_TO_SAY = 777
TROPONIN_LIMIT = 6.0  # ng/L; what is below is written as "< 6"

PERSON = (
    "person_id", "gender_concept_id", "year_of_birth", "month_of_birth", "day_of_birth", "birth_datetime",
    "race_concept_id", "ethnicity_concept_id", "location_id", "provider_id", "care_site_id", "person_source_value",
    "gender_source_value", "gender_source_concept_id", "race_source_value", "race_source_concept_id",
    "ethnicity_source_value", "ethnicity_source_concept_id",
)  # fmt: skip
VISIT = (
    "visit_occurrence_id", "person_id", "visit_concept_id", "visit_start_date", "visit_start_datetime",
    "visit_end_date", "visit_end_datetime", "visit_type_concept_id", "provider_id", "care_site_id",
    "visit_source_value", "visit_source_concept_id", "admitted_from_concept_id", "admitted_from_source_value",
    "discharged_to_concept_id", "discharged_to_source_value", "preceding_visit_occurrence_id",
)  # fmt: skip
MEASUREMENT = (
    "measurement_id", "person_id", "measurement_concept_id", "measurement_date", "measurement_datetime",
    "measurement_time", "measurement_type_concept_id", "operator_concept_id", "value_as_number",
    "value_as_concept_id", "unit_concept_id", "range_low", "range_high", "provider_id", "visit_occurrence_id",
    "visit_detail_id", "measurement_source_value", "measurement_source_concept_id", "unit_source_value",
    "unit_source_concept_id", "value_source_value", "measurement_event_id", "meas_event_field_concept_id",
    "qualifier_concept_id", "qualifier_source_value",
)  # fmt: skip
OBSERVATION = (
    "observation_id", "person_id", "observation_concept_id", "observation_date", "observation_datetime",
    "observation_type_concept_id", "value_as_number", "value_as_string", "value_as_concept_id",
    "qualifier_concept_id", "unit_concept_id", "provider_id", "visit_occurrence_id", "visit_detail_id",
    "observation_source_value", "observation_source_concept_id", "unit_source_value", "qualifier_source_value",
    "value_source_value", "observation_event_id", "obs_event_field_concept_id",
)  # fmt: skip
CONDITION = (
    "condition_occurrence_id", "person_id", "condition_concept_id", "condition_start_date",
    "condition_start_datetime", "condition_end_date", "condition_end_datetime", "condition_type_concept_id",
    "condition_status_concept_id", "stop_reason", "provider_id", "visit_occurrence_id", "visit_detail_id",
    "condition_source_value", "condition_source_concept_id", "condition_status_source_value",
)  # fmt: skip
PROCEDURE = (
    "procedure_occurrence_id", "person_id", "procedure_concept_id", "procedure_date", "procedure_datetime",
    "procedure_end_date", "procedure_end_datetime", "procedure_type_concept_id", "modifier_concept_id", "quantity",
    "provider_id", "visit_occurrence_id", "visit_detail_id", "procedure_source_value",
    "procedure_source_concept_id", "modifier_source_value",
)  # fmt: skip

CESD_CONCEPTS = (1761605, 1761791, 1761895, 1761503, 1761675, 1761739, 1761695, 1761700, 1761319, 1761073)
PAID_KEYS = ("paid_scrd", "paid_dpr", "paid_wr", "paid_eng", "paid_cml")
FIRST_PAID_CONCEPT, PAID_TOTAL, CESD_TOTAL = 2005200044, 2005200049, 1761347
FOOT_CONCEPT = 4047085


@dataclass(frozen=True)
class Lab:
    """A laboratory value under its names in releases 1 and 2 and in release 3."""

    early: str
    late: str
    concept: int
    unit: str


HBA1C = Lab("HbA1c (%)", "import_hba1c, Hemoglobin A1c/Hemoglobin.total in Blood", 3004410, "%")
GLUCOSE = Lab("Glucose (mg/dL)", "import_glucose, Glucose [Mass/volume] in Serum or Plasma", 3004501, "mg/dL")
TROPONIN = Lab("Troponin-T (ng/L)", "import_troponin_t, Troponin T.cardiac [Mass/volume]", 40769783, "ng/L")


def write_clinical_tables(folder: Path, cohort: Cohort, release: int, injected: Injected) -> None:
    """Write all six tables."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = _Tables(cohort, release, injected)
    index = 0 if release < 3 else 1  # release 3 has an unnamed column of row numbers, the mini release two
    two = 2 if "second-index" in injected.names else index
    _write(folder / "person.csv", PERSON, tables.people())
    _write(folder / "visit_occurrence.csv", VISIT, tables.visits())
    _write(folder / "measurement.csv", MEASUREMENT, tables.measurements(), two)
    _write(folder / "observation.csv", OBSERVATION, tables.observations(), index)
    _write(folder / "condition_occurrence.csv", CONDITION, tables.conditions())
    _write(folder / "procedure_occurrence.csv", PROCEDURE, tables.procedures())


def _write(path: Path, columns: Sequence[str], rows: Iterator[Mapping[str, Any]], index: int = 0) -> None:
    """A CDM table: rows are numbered in its first column unless that is the person, blanks where a row says nothing."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*("", "X")[:index], *columns])
        for number, row in enumerate(rows, start=1):
            numbered = row if columns is PERSON else {columns[0]: number, **row}
            writer.writerow([number] * index + [numbered.get(column, "") for column in columns])


class _Tables:
    """Rows of the tables, person by person."""

    def __init__(self, cohort: Cohort, release: int, injected: Injected) -> None:
        self.cohort, self.release, self.injected = cohort, release, injected
        self.ids = [str(person) for person in cohort.people.ids]
        self.dates = [str(date) for date in cohort.people.visit.astype("M8[D]")]

    def people(self) -> Iterator[dict[str, Any]]:
        redacted = {name: 0 for name in PERSON if name.endswith("concept_id")}
        for i, person in enumerate(self.ids):
            born = int(self.dates[i][:4]) - int(self.cohort.people.age[i])
            yield redacted | {
                "person_id": person,
                "year_of_birth": born,
                "month_of_birth": 0,
                "day_of_birth": 0,
                "birth_datetime": "1970-01-01 00:00:00",
                "person_source_value": person,
            }

    def visits(self) -> Iterator[dict[str, Any]]:
        for i, person in enumerate(self.ids):
            for source, concept in (
                ("pacmpdat, Date Assessment Performed", 9202),
                ("lbdattim2, Date & Time Draw Performed", 32036),
            ):
                date = {f"visit_{edge}_date": self.dates[i] for edge in ("start", "end")}
                times = {f"visit_{edge}_datetime": f"{self.dates[i]} 00:00:00" for edge in ("start", "end")}
                yield {
                    "person_id": person,
                    "visit_concept_id": concept,
                    "visit_type_concept_id": SURVEY,
                    "visit_source_value": source[:LONGEST_SOURCE_VALUE],
                    **date,
                    **times,
                }

    def measurements(self) -> Iterator[dict[str, Any]]:
        people, here = self.cohort.people, self.cohort.people.presence
        for i in range(len(people)):
            rng = of_person(self.cohort.seed, i, "laboratory")
            if here.hba1c[i]:
                yield self._lab(i, HBA1C, float(people.hba1c[i]))
            yield self._lab(i, GLUCOSE, float(round(people.usual_glucose[i] * 0.9 + 8 * rng.standard_normal(), 0)))
            troponin = round(float(np.exp(2.1 + 0.6 * rng.standard_normal())), 1)
            below = troponin < TROPONIN_LIMIT
            yield self._lab(i, TROPONIN, TROPONIN_LIMIT if below else troponin, BELOW if below else EQUALS)
            if not here.body[i]:
                continue
            height = round(float(169 + 9 * rng.standard_normal()), 1)
            weight = round(float(people.bmi[i]) * (height / 100) ** 2, 1)
            body: list[tuple[str, int, float]] = [
                ("height_vsorres, Height (cm)", 3036277, height),
                ("weight_vsorres, Weight (kilograms)", 3025315, weight),
                ("bmi_vsorres, BMI", 4245997, float(people.bmi[i])),
            ]
            for k in (0, 1):
                body += [
                    (f"bp{k + 1}_sysbp_vsorres, Systolic (mmHg)", 3004249, float(people.systolic[i, k])),
                    (f"bp{k + 1}_diabp_vsorres, Diastolic (mmHg)", 3012888, float(people.diastolic[i, k])),
                    (f"pulse_vsorres{'_2' * k}, Heart Rate (bpm)", 4239408, float(70 + rng.integers(-12, 25))),
                ]
            for source, concept, value in body:
                yield self._measured(i, source, concept, value, SURVEY, 0, "")

    def _lab(self, i: int, lab: Lab, value: float, operator: int = EQUALS) -> dict[str, Any]:
        source = lab.early if self.release < 3 else lab.late
        row = self._measured(i, source, lab.concept, value, LAB, operator, lab.unit)
        return row | {"value_source_value": f"{'<' if operator == BELOW else ''}{value:g}"}

    def _measured(
        self, i: int, source: str, concept: int, value: float, kind: int, operator: int, unit: str
    ) -> dict[str, Any]:
        return {
            "person_id": self.ids[i],
            "measurement_concept_id": concept,
            "measurement_date": self.dates[i],
            "measurement_datetime": f"{self.dates[i]} 00:00:00",
            "measurement_type_concept_id": kind,
            "operator_concept_id": operator,
            "value_as_number": repr(value),
            "unit_concept_id": 0,
            "visit_occurrence_id": 2 * i + (2 if kind == LAB else 1),
            "measurement_source_value": source[:LONGEST_SOURCE_VALUE],
            "measurement_source_concept_id": 0,
            "unit_source_value": unit,
        }

    def observations(self) -> Iterator[dict[str, Any]]:
        people, here = self.cohort.people, self.cohort.people.presence
        for i, person in enumerate(self.ids):
            rng = of_person(self.cohort.seed, i, "questionnaire")
            studied = 44786673 if self.release < 3 else 42528934
            yield self._observed(i, "studyid, Study ID", studied, float(person))
            yield self._observed(i, "cage, Age (in years)", 4265453, float(people.age[i]))
            yield self._observed(i, "brthyy, Year (e.g. 1967)", 4078999, float(self.dates[i][:4]) - int(people.age[i]))
            if here.cesd[i]:
                for k, concept in enumerate(CESD_CONCEPTS):
                    yield self._observed(i, f"ces{k + 1}, During the past week", concept, float(people.cesd[i, k]))
                yield self._observed(i, "cestl, CESD-10 Score", CESD_TOTAL, float(people.cesd[i].sum()))
            if here.paid[i]:
                silent = self.injected.hits("survey-sentinels", i)
                items = [PREFER_NOT_TO_SAY] * len(PAID_KEYS) if silent else people.paid[i].tolist()
                for k, key in enumerate(PAID_KEYS):
                    yield self._observed(i, f"{key}, In the past month", FIRST_PAID_CONCEPT + k, float(items[k]))
                total = PREFER_NOT_TO_SAY if silent else people.paid[i].sum()
                yield self._observed(i, "paidscore, PAID score", PAID_TOTAL, float(total))
            hours = float(rng.integers(1, 15))
            yield self._observed(i, "paate, How many hours since you last ate? (number of hours)", 2005200151, hours)
            smoked = float(rng.random() < 0.35)
            yield self._observed(i, "susmkncf, Have you smoked at least 100 cigarettes", 40766306, smoked)
            group = int(people.group[i])
            yield self._observed(i, "cmtrt_insln, Insulin", 2005200549, float(group == 3))
            yield self._observed(i, "cmtrt_a1c, Pills to control blood sugar", 2005200548, float(group >= 2))

    def _observed(self, i: int, source: str, concept: int, value: float) -> dict[str, Any]:
        return {
            "person_id": self.ids[i],
            "observation_concept_id": concept,
            "observation_date": self.dates[i],
            "observation_datetime": f"{self.dates[i]} 00:00:00",
            "observation_type_concept_id": SURVEY,
            "value_as_number": repr(value),
            "visit_occurrence_id": 2 * i + 1,
            "observation_source_value": source[:LONGEST_SOURCE_VALUE],
            "observation_source_concept_id": 0,
            "value_source_value": f"{value:g}",
        }

    def conditions(self) -> Iterator[dict[str, Any]]:
        by_group: tuple[tuple[tuple[str, int], ...], ...] = (
            (),
            (
                ("mhterm_predm, Pre-diabetes", 37018196),
                ("mh_a1c, Elevated A1C levels (elevated blood sugar)", 2005200547),
            ),
            (
                ("mhterm_dm2, Type II Diabetes", 201826),
                ("mh_a1c, Elevated A1C levels (elevated blood sugar)", 2005200547),
            ),
            (
                ("mhterm_dm2, Type II Diabetes", 201826),
                ("mh_a1c, Elevated A1C levels (elevated blood sugar)", 2005200547),
            ),
        )
        for i, person in enumerate(self.ids):
            day = {f"condition_{edge}_date": self.dates[i] for edge in ("start", "end")}
            times = {f"condition_{edge}_datetime": f"{self.dates[i]} 00:00:00" for edge in ("start", "end")}
            for source, concept in by_group[int(self.cohort.people.group[i])]:
                yield {
                    "person_id": person,
                    "condition_concept_id": concept,
                    "condition_type_concept_id": 45905770,
                    "condition_status_concept_id": 32893,
                    "visit_occurrence_id": 2 * i + 1,
                    "condition_source_value": source[:LONGEST_SOURCE_VALUE],
                    "condition_source_concept_id": 0,
                    **day,
                    **times,
                }

    def procedures(self) -> Iterator[dict[str, Any]]:
        for i, person in enumerate(self.ids):
            day = {f"procedure_{edge}date": self.dates[i] for edge in ("", "end_")}
            times = {f"procedure_{edge}datetime": f"{self.dates[i]} 00:00:00" for edge in ("", "end_")}
            for foot, name in (("mssrf", "Right"), ("msslf", "Left")):
                for site in range(1, 11):
                    source = f"{foot}{site}, {name} Foot - Site {site}"
                    yield {
                        "person_id": person,
                        "procedure_concept_id": FOOT_CONCEPT,
                        "procedure_type_concept_id": SURVEY,
                        "visit_occurrence_id": 2 * i + 1,
                        "procedure_source_value": source[:LONGEST_SOURCE_VALUE],
                        "procedure_source_concept_id": 0,
                        **day,
                        **times,
                    }
