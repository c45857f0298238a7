"""What `wakeful doctor` finds."""

from __future__ import annotations

import pytest

from wakeful.config import Config, Lab, write_library
from wakeful.service.checkup import examine
from wakeful.service.lock import hold_library


def verdicts(path):
    return {finding.what: finding for finding in examine(path)}


def test_a_good_library_has_nothing_bad(tmp_path):
    lab = Lab(time_zone="Europe/Berlin", lights_on="07:00", lights_off="19:00")
    write_library(tmp_path, Config(lab=lab))
    found = verdicts(tmp_path)
    assert {f.what for f in found.values() if f.verdict == "bad"} == set()
    assert "07:00" in found["time zone"].found
    assert found["database"].verdict == "good"


def test_what_is_missing_is_said_with_a_remedy(tmp_path):
    found = verdicts(tmp_path / "nowhere")
    assert found["library"].verdict == "bad"
    assert "wakeful init" in found["library"].remedy
    write_library(tmp_path, Config())
    found = verdicts(tmp_path)
    assert found["time zone"].verdict == "note"
    assert "Europe/Berlin" in found["time zone"].remedy


def test_a_damaged_database_and_a_running_service_are_found(tmp_path):
    library = write_library(tmp_path, Config())
    library.database.write_bytes(b"this is no database at all" * 100)
    with hold_library(library.root):
        found = verdicts(tmp_path)
    assert found["database"].verdict == "bad"
    assert "backup" in found["database"].remedy
    assert found["service"].verdict == "note"


def test_a_folder_that_is_a_file_is_bad(tmp_path):
    library = write_library(tmp_path, Config())
    library.jobs.rmdir()
    library.jobs.write_text("no folder")
    assert verdicts(tmp_path)["folder jobs"].verdict == "bad"


@pytest.mark.parametrize("name", ["lab #1", "what?", "50%20 of it"])
def test_a_library_may_lie_in_a_folder_of_any_name(tmp_path, name):
    library = write_library(tmp_path / name, Config())
    found = verdicts(library.root)["database"]
    assert (found.verdict, found.found) == ("good", f"{library.database} (0 rows)")
    # Nor was a file of a part of that name looked at, and thereby made, in its place.
    assert [path.name for path in tmp_path.iterdir()] == [name]
