"""What the release's files are known to do, each with a name, so that every one that is met can be counted and told."""

from __future__ import annotations

from enum import StrEnum


class Quirk(StrEnum):
    """A peculiarity of a stream file. It is counted in records, or once a file where it concerns the whole file."""

    NULL_HEADER = "null_header"
    NO_TIMEZONE = "no_timezone"
    UNKNOWN_TIMEZONE = "unknown_timezone"
    OTHER_PERSON = "header_of_another_person"
    OTHER_RELEASE = "keys_of_another_release"
    EMPTY_STREAM = "empty_stream"
    DEAD_STREAM = "dead_stream"
    NOT_A_RECORD = "not_a_record"
    UNREADABLE_TIME = "unreadable_time"
    IMPLAUSIBLE_TIME = "implausible_time"
    UNREADABLE_VALUE = "unreadable_value"
    NOT_A_READING = "not_a_reading"
    UNEXPECTED_UNIT = "unexpected_unit"
    SENTINEL = "sentinel"
    NAN_VALUE = "nan_value"
    BLANK_VALUE = "blank_value"
    LOW_READING = "low_reading"
    HIGH_READING = "high_reading"
    IMPLAUSIBLE_VALUE = "implausible_value"
    UNKNOWN_LABEL = "unknown_label"
    UNSORTED = "unsorted"
    EXACT_DUPLICATE = "exact_duplicate"
    CONFLICTING_TIME = "conflicting_time"
    LONG_ACTIVITY = "long_activity"
    ZERO_LENGTH = "zero_length_interval"
    NEGATIVE_LENGTH = "negative_length_interval"
    OVERLAPPING = "overlapping_interval"


MEANING: dict[Quirk, str] = {
    Quirk.NULL_HEADER: "the file has no header",
    Quirk.NO_TIMEZONE: "the header names no time zone (releases 1 and 2); the site's is used",
    Quirk.UNKNOWN_TIMEZONE: "the header's time zone is neither pst, cst nor a known zone; the site's is used",
    Quirk.OTHER_PERSON: "the header names another person than the file's name does",
    Quirk.OTHER_RELEASE: "header or records are written as another release writes them (counted once a file)",
    Quirk.EMPTY_STREAM: "the file holds no records",
    Quirk.DEAD_STREAM: "the file holds records, and not one of them is a measurement",
    Quirk.NOT_A_RECORD: "an entry is not a JSON object; dropped",
    Quirk.UNREADABLE_TIME: "a record without a time that can be read; dropped",
    Quirk.IMPLAUSIBLE_TIME: "a record from before 2020 or after 2039, such as 1989-12-31, where the device's clock begins; dropped",
    Quirk.UNREADABLE_VALUE: "a value that is neither a number nor a known word; masked",
    Quirk.NOT_A_READING: "a glucose event other than an estimated glucose value; dropped",
    Quirk.UNEXPECTED_UNIT: "a value in another unit than the release's; masked",
    Quirk.SENTINEL: "a number that stands for no measurement, such as heart rate 0 or stress -1; masked",
    Quirk.NAN_VALUE: "the bare token NaN, which is no JSON; masked",
    Quirk.BLANK_VALUE: "an empty text or null where a number belongs; masked",
    Quirk.LOW_READING: 'glucose "Low", below the sensor\'s range; labelled, without a number',
    Quirk.HIGH_READING: 'glucose "High", above the sensor\'s range; labelled, without a number',
    Quirk.IMPLAUSIBLE_VALUE: "a number outside what is physically possible; masked",
    Quirk.UNKNOWN_LABEL: "a sleep stage unknown to the device; masked",
    Quirk.UNSORTED: "the records do not ascend in time; sorted (counted once a file)",
    Quirk.EXACT_DUPLICATE: "a record that repeats another exactly; dropped",
    Quirk.CONFLICTING_TIME: "a reading at a second that has another, different reading too; both masked",
    Quirk.LONG_ACTIVITY: "an activity of more than a day, as a watch without power leaves; masked, and its minutes are nobody's",
    Quirk.ZERO_LENGTH: "an interval that ends when it begins; kept",
    Quirk.NEGATIVE_LENGTH: "an interval that ends before it begins; masked",
    Quirk.OVERLAPPING: "an interval that begins before an earlier one has ended; kept",
}
