"""Room on disks, in words and in numbers."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wakeful.config import Config, Library
from wakeful.oversight_config import Service
from wakeful.service.room import Room, disks_of, gigabytes, nearest_folder


def library(root, keep_free_gb: float) -> Library:
    return Library(root, Config(service=Service(keep_free_gb=keep_free_gb)))


def test_what_fits_is_not_held_up(tmp_path):
    assert Room(library(tmp_path, 0.0)).why_not(tmp_path / "raw" / "new", 1e6, "a") == ""


def test_what_stays_free_is_counted(tmp_path):
    free_gb = shutil.disk_usage(tmp_path).free / 1e9
    assert Room(library(tmp_path, free_gb / 2)).why_not(tmp_path, free_gb / 4 * 1e9, "a") == ""
    reason = Room(library(tmp_path, free_gb / 2)).why_not(tmp_path, free_gb * 0.75 * 1e9, "a")
    assert reason.startswith("waits for room: ")
    assert str(tmp_path) in reason
    assert "keep_free_gb" in reason
    assert "`wakeful gc`" in reason


def test_two_that_fit_alone_do_not_both_begin(tmp_path):
    room = Room(library(tmp_path, 0.0))
    most = 0.6 * shutil.disk_usage(tmp_path).free
    raw, results = tmp_path / "raw", tmp_path / "results"
    assert room.why_not(raw, most, "first") == ""
    assert "for what is at work" in room.why_not(results, most, "second")
    assert room.why_not(raw, most / 6, "small") == ""
    room.begin()  # in the next pass the second comes first, and the room is still promised
    assert room.why_not(results, most, "second") != ""
    assert room.why_not(raw, most, "first") == ""
    # The first has ended, and asks no more.
    room.begin()
    room.begin()
    assert room.why_not(results, most, "second") == ""


def test_what_runs_keeps_its_room_though_it_does_not_fit(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    room = Room(library(tmp_path, 0.0))
    room.promise(tmp_path, 2.0 * free, "running")
    assert room.why_not(tmp_path, 1.0, "other") != ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("abcde"), st.floats(0.0, 1.5), st.booleans())))
def test_what_is_promised_fits_together(tmp_path, asked):
    # The disk is a real one, on which others write meanwhile: equal to a part in fifty.
    free = shutil.disk_usage(tmp_path).free
    room = Room(library(tmp_path, 0.0))
    now: dict[str, float] = {}
    before: dict[str, float] = {}
    for owner, share, is_next_pass in asked:
        if is_next_pass:
            room.begin()
            before, now = now, {}
        others = sum(v for k, v in (before | now).items() if k != owner)
        if room.why_not(tmp_path, share * free, owner) == "":
            now[owner] = share
            assert others + share <= 1.02
        else:
            now.pop(owner, None)
            before.pop(owner, None)
            assert others + share >= 0.98


def test_a_folder_that_is_not_there_lies_on_the_disk_of_the_one_above(tmp_path):
    assert nearest_folder(tmp_path / "a" / "b") == tmp_path
    (number,) = disks_of([tmp_path / "a", tmp_path, tmp_path])
    assert disks_of([tmp_path / "a", tmp_path])[number] == (tmp_path / "a", tmp_path)


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 MB"), (850e6, "850 MB"), (12.34e9, "12.3 GB"), (354e9, "354 GB"), (2e12, "2,000 GB")],
)
def test_amounts_in_words(n_bytes, text):
    assert gigabytes(n_bytes) == text
