"""Bad rows and bad recordings: a clear error in the row, nothing lost, the other rows go on."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from wakeful.sheet.interface import Status

HEADER = 16_384
RECORD = 1_044


def spoil_empty(folder):
    for path in folder.iterdir():
        path.unlink()


def spoil_truncated(folder):
    path = folder / "CSC2.ncs"
    path.write_bytes(path.read_bytes()[:-100])


def spoil_zeros(folder):
    path = folder / "CSC3.ncs"
    path.write_bytes(bytes(path.stat().st_size))


def spoil_text(folder):
    for path in folder.glob("*.ncs"):
        path.write_text("this is no recording")
    (folder / "channels.csv").unlink()


def spoil_channels(folder):
    path = folder / "channels.csv"
    path.write_text(path.read_text().replace("CSC1,", "CSC99,"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_empty, ["empty folder", "check that"]),
        (spoil_truncated, ["CSC2.ncs", "within a record", "copy it again"]),
        (spoil_zeros, ["CSC3"]),
        (spoil_text, [".ncs"]),
        (spoil_channels, ["CSC99", "did you mean", "channels.csv"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_spoilt_recordings_say_what_is_wrong_and_the_others_go_on(
    lab, copy_of, small_recording, spoil, words
):
    folder = copy_of("spoilt")
    spoil(folder)
    bad = lab.add(folder, analyses="convert")
    good = lab.add(small_recording, analyses="convert", rerun="1")
    views = lab.run()
    assert views[good].update.status == Status.DONE
    message = views[bad].update.message
    if spoil is spoil_zeros:
        # The other channels are whole: the row is done, and says which file was left aside.
        assert views[bad].update.status in (Status.DONE_WITH_WARNINGS, Status.NEEDS_ATTENTION)
    else:
        assert views[bad].update.status == Status.NEEDS_ATTENTION, message
    for word in words:
        assert word in message


def test_unequal_rates_are_told_apart_and_said(lab, copy_of):
    folder = copy_of("rates")
    path = folder / "EMG1.ncs"
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    header = data[:HEADER].tobytes().replace(b"-SamplingFrequency 2000", b"-SamplingFrequency 1000")
    records = data[HEADER:].reshape(-1, RECORD)[::2].copy()
    records[:, 12:16] = np.frombuffer(np.uint32(1000).tobytes(), np.uint8)
    stamps = records[:, :8].copy().view("<u8").ravel()
    start = int(stamps[0])
    half = len(records) // 3
    records = records[:half]
    new = start + np.arange(half, dtype="<u8") * np.uint64(512_000)
    records[:, :8] = new.view(np.uint8).reshape(-1, 8)
    path.write_bytes(header + records.tobytes())
    lab.add(folder, analyses="convert")
    view = lab.run()[1]
    assert view.update.status == Status.DONE_WITH_WARNINGS, view.update.message
    assert "holds 2 streams" in view.update.message
    assert "column `stream`" in view.update.message


def test_no_channels_file_is_a_warning_and_regions_are_unknown(lab, copy_of):
    folder = copy_of("plain")
    (folder / "channels.csv").unlink()
    lab.add(folder, analyses="spectrogram")
    view = lab.run()[1]
    assert view.update.status == Status.DONE_WITH_WARNINGS
    assert "regions are unknown" in view.update.message


def test_bad_cells_are_all_named_at_once(lab, small_recording):
    lab.add(small_recording, subject="../../etc", analyses="sleeep", priority="high")
    lab.add(small_recording, subject="=HYPERLINK(1)", analyses="convert")
    good = lab.add(small_recording, analyses="convert")
    views = lab.run()
    first = views[1].update.message
    assert views[1].update.status == Status.NEEDS_ATTENTION
    for words in ("subject", "is a path", 'did you mean "sleep"', "priority", "whole number"):
        assert words in first
    assert "formula" in views[2].update.message
    assert views[good].update.status == Status.DONE
    assert not (lab.library.root.parent / "etc").exists()


def test_a_row_that_is_not_ticked_waits(lab, small_recording):
    lab.add(small_recording, run="")
    view = lab.run()[1]
    assert view.update.status == Status.WAITING
    assert not list(lab.library.jobs.iterdir())


def test_a_corrected_row_goes_on(lab, small_recording):
    lab.add(small_recording, analyses="konvert")
    assert lab.run()[1].update.status == Status.NEEDS_ATTENTION
    lab.edit(1, "analyses", "convert")
    assert lab.run()[1].update.status == Status.DONE


def test_the_same_recording_twice_is_an_error_in_the_second_row(lab, small_recording):
    lab.add(small_recording, analyses="convert")
    lab.add(small_recording, analyses="sleep")
    views = lab.run()
    assert views[1].update.status == Status.DONE
    assert "asks for the same as row 1" in views[2].update.message


def test_a_recording_that_is_still_written_is_left_alone(lab, copy_of):
    config = lab.library.root / "wakeful.toml"
    config.write_text(config.read_text().replace("settle_s = 0", "settle_s = 2"))
    folder = copy_of("fresh")
    os.utime(folder / "CSC1.ncs")
    lab.add(folder, analyses="convert")
    seen = []
    from wakeful.catalog import load_catalog
    from wakeful.config import open_library
    from wakeful.executors.local import LocalExecutor
    from wakeful.ledger import Ledger
    from wakeful.service.reconcile import Service
    from wakeful.sheet.local import LocalSheet

    library = open_library(lab.library.root)
    with Ledger.open(library.database) as ledger:
        sheet = LocalSheet(ledger, actor="test")
        service = Service(library, ledger, sheet, LocalExecutor(), load_catalog())
        (view,) = service.run_once(lambda views, _: seen.append(views[0].update))
    assert seen[0].status == Status.WAITING
    assert "still being written" in seen[0].message
    assert view.update.status == Status.DONE


def test_a_recording_that_vanished_is_said(lab, copy_of):
    folder = copy_of("gone")
    lab.add(folder, analyses="convert")
    shutil.rmtree(folder)
    view = lab.run()[1]
    assert view.update.status == Status.NEEDS_ATTENTION
    assert "recording" in view.update.message
