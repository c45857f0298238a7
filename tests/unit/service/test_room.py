"""Room on disks, in words and in numbers."""

from __future__ import annotations

import shutil

import pytest

from wakeful.config import Config, Library
from wakeful.oversight_config import Service
from wakeful.service.room import Room, disks_of, gigabytes, nearest_folder


def library(root, keep_free_gb: float) -> Library:
    return Library(root, Config(service=Service(keep_free_gb=keep_free_gb)))


def test_what_fits_is_not_held_up(tmp_path):
    assert Room(library(tmp_path, 0.0)).why_not(tmp_path / "raw" / "new", 1e6) == ""


def test_what_stays_free_is_counted(tmp_path):
    free_gb = shutil.disk_usage(tmp_path).free / 1e9
    assert Room(library(tmp_path, free_gb / 2)).why_not(tmp_path, free_gb / 4 * 1e9) == ""
    reason = Room(library(tmp_path, free_gb / 2)).why_not(tmp_path, free_gb * 0.75 * 1e9)
    assert reason.startswith("waits for room: ")
    assert str(tmp_path) in reason
    assert "keep_free_gb" in reason
    assert "`wakeful gc`" in reason


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
