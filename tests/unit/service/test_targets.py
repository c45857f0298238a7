"""Sessions from rows and recordings: names and clocks."""

# ruff: noqa: DTZ001 -- local times without a zone are what acquisition files carry

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from wakeful.service.targets import local_to_utc, session_name


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
