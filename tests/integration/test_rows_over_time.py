"""Rows whose sources go, change, or look alike."""

from __future__ import annotations

import shutil
from pathlib import Path

from wakeful.analysis import open_library

from .conftest import FINISHED


def test_a_mirror_outlives_its_source(lab, copy_of):
    source = copy_of("gone")
    lab.add(source, analyses="band_power")
    first = lab.run()[1].update
    shutil.rmtree(source)
    again = lab.run()[1]
    assert again.update.status in FINISHED, again.update.message
    assert again.n_made == 0
    assert again.update.link == first.link
    assert again.update.finished == first.finished


def test_two_recordings_of_one_name_and_start_are_published_apart(lab, copy_of):
    lab.add(copy_of("day1/rec"), analyses="muscle")
    lab.add(copy_of("day2/rec"), analyses="muscle")
    links = {view.update.link for view in lab.run().values()}
    assert len(links) == 2
    for link in links:
        assert (Path(link).parent / "source.txt").read_text().strip().endswith("/rec")
    assert {view.update.link for view in lab.run().values()} == links


def test_a_recording_without_brain_channels_gives_what_it_can(lab, copy_of):
    source = copy_of("emg")
    table = source / "channels.csv"
    table.write_text(table.read_text().replace(",lfp,", ",other,"))
    lab.add(source)
    view = lab.run()[1]
    assert view.update.status in FINISHED, view.update.message
    assert "left out: spectrogram" in view.update.message
    assert "no channel lies in the brain" in view.update.message
    names = {p.name for p in (Path(view.update.link).parent / "figures").iterdir()}
    assert "2026-01-12_muscle.png" in names


def test_one_bad_row_does_not_hide_the_others_from_python(lab, copy_of, small_recording):
    lab.add(small_recording, analyses="muscle")
    bad = copy_of("bad")
    lab.add(bad, analyses="muscle")
    lab.run()
    (bad / "channels.csv").write_text("channel,kind\nCSC1,nonsense\n")
    lab.run()
    sessions = open_library(lab.library.root).sessions()
    assert len(sessions) == 1
    assert sessions[0].muscle.n_rows == 60


def test_a_damaged_mirror_is_never_computed_on(lab, small_recording):
    lab.add(small_recording, analyses="muscle")
    lab.run()
    (path,) = lab.library.raw.glob("*/data/CSC4.ncs")
    data = bytearray(path.read_bytes())
    data[-2000] ^= 1
    stat = path.stat()
    path.write_bytes(data)
    import os

    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    config = lab.library.root / "wakeful.toml"
    config.write_text(config.read_text() + "\n[parameters.low.convert]\nlfp_rate_hz = 500.0\n")
    lab.add(small_recording, analyses="muscle", params="low")
    message = lab.run()[2].update.message
    assert "are not what was taken in" in message
    assert "CSC4.ncs" in message
