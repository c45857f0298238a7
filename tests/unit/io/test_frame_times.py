"""What cameras write beside their videos: units, columns, damage."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from wakeful.io.frame_times import read_frame_times, read_pulses, write_frame_times
from wakeful.model.clock import FrameFlag, FrameTimes
from wakeful.model.errors import BadParameters, BadRecording

TIMES_S = np.cumsum(np.full(90, 1 / 30))


@pytest.mark.parametrize(("scale", "unit"), [(1, "s"), (1e3, "ms"), (1e6, "us"), (1e9, "ns")])
@pytest.mark.parametrize("origin_s", [0.0, 1.7e9])
def test_units_are_told_from_the_numbers(tmp_path, scale, unit, origin_s):
    path = tmp_path / "frames.txt"
    # Decimals by hand: Unix nanoseconds are more than a float holds.
    values = [
        f"{round(origin_s * scale) + t * scale:.9f}" if scale == 1
        else str(int(origin_s) * int(scale) + round(t * scale))
        for t in TIMES_S
    ]  # fmt: skip
    path.write_text("\n".join(values))
    read = read_frame_times(path)
    assert (read.unit, read.unit_from) == (unit, "the numbers")
    np.testing.assert_allclose(
        read.device_s, TIMES_S - TIMES_S[0], atol=1e-3 if scale == 1e3 else 1e-6
    )
    assert read.counter is None


def test_nanoseconds_since_1970_lose_nothing(tmp_path):
    first = 1_700_000_000_123_456_789
    np.save(tmp_path / "t.npy", first + np.arange(50, dtype=np.int64) * 33_333_333)
    read = read_frame_times(tmp_path / "t.npy")
    assert read.unit == "ns"
    assert np.array_equal(read.device_s, np.arange(50) * 33_333_333 * 1e-9)


def test_a_unit_that_could_be_two_is_asked_for(tmp_path):
    path = tmp_path / "frames.txt"
    path.write_text("\n".join(str(i * 0.9) for i in range(40)))  # 1.1 Hz, or 1.1 kHz
    with pytest.raises(BadRecording, match=r"frames are 0\.9 apart; say the unit"):
        read_frame_times(path)
    assert read_frame_times(path, unit="s").device_s[1] == 0.9
    assert read_frame_times(path, unit="ms").device_s[1] == pytest.approx(0.0009)


def test_the_columns_name_says_the_unit(tmp_path):
    path = tmp_path / "frames.csv"
    path.write_text(
        "frame_id;timestamp (ms);x\n"
        + "".join(f"{i + 7 * (i > 9)};{i * 900};1\n" for i in range(20))
    )
    read = read_frame_times(path)
    assert (read.unit, read.unit_from, read.column) == ("ms", "the column's name", "timestamp (ms)")
    assert read.device_s[1] == 0.9
    assert read.counter is not None
    assert np.flatnonzero(np.diff(read.counter) == 8).tolist() == [9]


def test_rows_that_are_merely_numbered_are_no_counter(tmp_path):
    path = tmp_path / "frames.csv"
    path.write_text("frame,time_s\n" + "".join(f"{i},{t}\n" for i, t in enumerate(TIMES_S)))
    assert read_frame_times(path).counter is None


@pytest.mark.parametrize("end", ["", "+02:00", "Z"])
def test_dates_are_read(tmp_path, end):
    begin = datetime(2026, 5, 1, 23, 59, 59, tzinfo=UTC)
    path = tmp_path / "frames.txt"
    moments = [(begin + timedelta(seconds=float(t))).replace(tzinfo=None) for t in TIMES_S]
    path.write_text("\n".join(f"{m.isoformat(timespec='microseconds')}123{end}" for m in moments))
    read = read_frame_times(path)
    assert read.unit == "iso"
    np.testing.assert_allclose(read.device_s, TIMES_S - TIMES_S[0], atol=2e-6)


def test_several_columns_are_asked_about(tmp_path):
    path = tmp_path / "frames.csv"
    path.write_text("time_start,time_stop\n" + "".join(f"{t},{t + 0.01}\n" for t in TIMES_S))
    with pytest.raises(BadRecording, match="say which it is: time_start, time_stop"):
        read_frame_times(path)
    assert read_frame_times(path, column="time_stop").column == "time_stop"
    with pytest.raises(BadRecording, match="has no column end"):
        read_frame_times(path, column="end")


def test_damaged_rows_are_named_not_left_out(tmp_path):
    path = tmp_path / "frames.csv"
    path.write_text("a,time\n0,0.0\n1,0.033\n2,\n3,nan\n4,0.1\n")
    with pytest.raises(BadRecording, match=r"2 frames have no time \(frames 2, 3"):
        read_frame_times(path)
    path.write_text("a,time\n0,0.0\n1\n2,0.1\n")
    with pytest.raises(BadRecording, match=r"1 rows do not have 2 cells \(rows 3\)"):
        read_frame_times(path)
    path.write_text("")
    with pytest.raises(BadRecording, match="is empty"):
        read_frame_times(path)
    (tmp_path / "x.npy").write_bytes(b"not numpy")
    with pytest.raises(BadRecording, match="can't be read"):
        read_frame_times(tmp_path / "x.npy")
    with pytest.raises(BadRecording, match="can't be read"):
        read_frame_times(tmp_path / "none.csv")


def test_pulses_keep_their_times(tmp_path):
    path = tmp_path / "pulses.txt"
    path.write_text("5.25\n6.5\n5.75\n")
    assert read_pulses(path).tolist() == [5.25, 6.5, 5.75]


def test_frame_times_are_written_one_row_a_frame(tmp_path):
    frames = FrameTimes(
        start_s=np.array([1.0, np.nan, 1.5]),
        flag=np.array([FrameFlag.MEASURED, FrameFlag.AT_STEP, FrameFlag.REACHED], np.int8),
    )
    write_frame_times(tmp_path / "t.csv", frames)
    assert (tmp_path / "t.csv").read_text().splitlines() == [
        "frame,time_s,how",
        "0,1.000000,measured",
        "1,,at step",
        "2,1.500000,reached",
    ]
    write_frame_times(tmp_path / "t.npy", frames)
    assert np.array_equal(np.load(tmp_path / "t.npy"), frames.start_s, equal_nan=True)
    with pytest.raises(BadParameters, match=r"not as \.txt"):
        write_frame_times(tmp_path / "t.txt", frames)
