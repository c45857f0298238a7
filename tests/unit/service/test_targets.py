"""Sessions from rows and recordings: names and clocks."""

# ruff: noqa: DTZ001 -- local times without a zone are what acquisition files carry

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakeful.config import Config, Lab, Library
from wakeful.model.recording import Description
from wakeful.service.targets import find_start, local_to_utc, session_name


@pytest.mark.parametrize(
    ("local", "utc", "ambiguous"),
    [
        (datetime(2026, 7, 1, 12), datetime(2026, 7, 1, 10, tzinfo=UTC), False),
        (datetime(2026, 1, 1, 12), datetime(2026, 1, 1, 11, tzinfo=UTC), False),
        (datetime(2026, 10, 25, 2, 30), datetime(2026, 10, 25, 0, 30, tzinfo=UTC), True),
        (datetime(2026, 3, 29, 2, 30), datetime(2026, 3, 29, 1, 30, tzinfo=UTC), True),
    ],
)
def test_local_times_become_utc_and_doubt_is_said(local, utc, ambiguous):
    assert local_to_utc(local, "Europe/Berlin") == (utc, ambiguous)


def test_names_are_safe_and_sort_by_time(tmp_path):
    start = datetime(2026, 1, 12, 10, tzinfo=UTC)
    assert session_name(Path("/x/rat 1 (late)"), start, "Europe/Berlin") == (
        "2026-01-12_11-00-00_rat-1--late"
    )
    assert session_name(Path("/x/.."), None, "UTC") == "recording"
    file = tmp_path / "a.b.edf"
    file.touch()
    assert session_name(file, None, "UTC") == "a.b"


def describe(start: datetime | None, *, local: bool = True) -> Description:
    utc = None if start is None else start.replace(tzinfo=UTC)
    return Description(
        format="edf", root="r", streams=(), start_utc=utc, start_is_local=local and utc is not None
    )


def library_of(tmp_path: Path, **starts: datetime) -> Library:
    return Library(tmp_path, Config(lab=Lab(time_zone="Europe/Berlin", starts=starts)))


TWICE = datetime(2026, 10, 25, 2, 30)
NEVER = datetime(2026, 3, 29, 2, 30)


def test_a_start_in_the_repeated_hour_is_said_and_its_correction_works(tmp_path):
    start, (warning,) = find_start(describe(TWICE), "night", library_of(tmp_path))
    assert start == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert "came twice, the first (02:30 CEST) is used" in warning
    told = re.search(r'"night" = "(.+)" under \[lab.starts\]', warning)
    assert told is not None
    corrected = library_of(tmp_path, night=datetime.fromisoformat(told[1]))
    assert find_start(describe(TWICE), "night", corrected) == (
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
        (),
    )
    # To confirm the first reading silences the warning, too.
    confirmed = library_of(tmp_path, night=start)
    assert find_start(describe(TWICE), "night", confirmed) == (start, ())


def test_a_start_that_never_was_is_said_with_what_it_can_have_been(tmp_path):
    start, (warning,) = find_start(describe(NEVER), "night", library_of(tmp_path))
    assert start == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert "did not exist, 03:30 CEST is used" in warning
    assert '"2026-03-29T01:30:00+01:00"' in warning


def test_wakeful_toml_tells_starts_that_files_do_not_and_outvotes_them_with_a_warning(tmp_path):
    told = datetime(2026, 5, 1, 8, tzinfo=UTC)
    library = library_of(tmp_path, night=told)
    assert find_start(describe(None), "night", library) == (told, ())
    assert find_start(describe(None), "day", library) == (None, ())
    start, (warning,) = find_start(describe(datetime(2026, 5, 1, 8)), "night", library)
    assert start == told
    assert "its files say 2026-05-01 08:00:00" in warning
    start, warnings = find_start(describe(datetime(2026, 5, 1, 8), local=False), "night", library)
    assert (start, warnings) == (told, ())


@given(
    st.datetimes(datetime(2005, 1, 1), datetime(2030, 1, 1)),
    st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/Havana", "Asia/Kathmandu"]),
)
def test_utc_reads_back_as_the_local_time_wherever_that_existed(local, zone):
    utc, doubtful = local_to_utc(local, zone)
    back = utc.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert back == local or doubtful
    assert abs(back - local) <= timedelta(hours=1)
