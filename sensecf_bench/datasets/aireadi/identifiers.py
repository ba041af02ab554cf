"""How participants and their sites are named in the release."""

from __future__ import annotations

import re
from collections.abc import Mapping

ID_COLUMNS = ("person_id", "participant_id")  # release 3; releases 1 and 2
PREFIX = re.compile(r"aireadi-", re.IGNORECASE)
PACIFIC, CENTRAL = "America/Los_Angeles", "America/Chicago"
ZONE_OF_SITE = {"UW": PACIFIC, "UCSD": PACIFIC, "UAB": CENTRAL}
ALABAMA = "7"  # the first digit of ids given at UAB


def person_key(text: str) -> str:
    """The bare id: no `AIREADI-` before it, no `.0` that a spreadsheet put after it."""
    return PREFIX.sub("", text.strip(), count=1).removesuffix(".0")


def site_zone(clinical_site: str, person_id: str) -> str:
    """IANA name of the zone in which a participant lived, for files that name none. The id tells the site if need be."""
    return ZONE_OF_SITE.get(clinical_site, CENTRAL if person_id.startswith(ALABAMA) else PACIFIC)


def id_of(row: Mapping[str, str]) -> str:
    """The id in a row of a table, whichever release wrote it; empty if there is none."""
    return next((person_key(row[column]) for column in ID_COLUMNS if row.get(column)), "")
