"""Pairs of a binary file and a table."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io.recording import read_recording
from wakeful.model.errors import BadRecording, TruncatedFile


def test_int16_and_millivolts_in_the_order_of_the_table(tmp_path: Path) -> None:
    (tmp_path / "a_Meta.csv").write_text(
        "BinColumn,Label,SampleRate,Units,Precision\n2,EMG,500,mV,int16\n1,EEG,500,mV,int16\n"
    )
    samples = np.arange(200, dtype="<i2").reshape(2, 100)
    (tmp_path / "a_ColMajor.bin").write_bytes(samples.tobytes())
    recording = read_recording(tmp_path)
    (stream,) = recording.description.streams
    assert [(c.name, c.gain_uv) for c in stream.channels] == [("EMG", 1000.0), ("EEG", 1000.0)]
    out = np.empty((2, 100), np.int16)
    recording.open(stream.name).read(0, out)
    np.testing.assert_array_equal(out, samples[::-1])


def test_everything_wrong_with_the_table_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "a_ColMajor.bin").write_bytes(b"\0" * 64)
    (tmp_path / "a_Meta.csv").write_text(
        "BinColumn,Label,SampleRate,Units,Precision\nx,EEG,0,kg,float99\n2,,500,uV,float32\n"
    )
    with pytest.raises(BadRecording) as caught:
        read_recording(tmp_path)
    for text in ("row 2: BinColumn", "row 2: SampleRate", "row 2: Units", "row 2: Precision",
                 "row 3: Label", "a_Meta.csv"):  # fmt: skip
        assert text in str(caught.value)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("Label\nEEG\n", "no column BinColumn | no column SampleRate"),
        ("BinColumn,Label,SampleRate,Units,Precision\n", "no rows"),
        (
            "BinColumn,Label,SampleRate,Units,Precision\n1,a,5,uV,int16\n3,b,6,uV,int16\n",
            "BinColumn must count from 1 to 2, each once | SampleRate differs",
        ),
    ],
)
def test_tables_that_can_not_be_used(tmp_path: Path, table: str, text: str) -> None:
    (tmp_path / "a_ColMajor.bin").write_bytes(b"\0" * 64)
    (tmp_path / "a_Meta.csv").write_text(table)
    with pytest.raises(BadRecording) as caught:
        read_recording(tmp_path)
    assert text in str(caught.value)


def test_a_truncated_file(files: ModuleType, tmp_path: Path) -> None:
    path = files.write_binary_csv(tmp_path, 100)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(TruncatedFile, match="1,196 bytes are not a whole number"):
        read_recording(path)


@pytest.mark.real_data
def test_the_sample_of_two_mice(real_data: Path) -> None:
    folder = real_data / "sleep" / "neurodent_sample"
    path = folder / "Cage 2 A10-0_ColMajor.bin"
    recording = read_recording(path)
    (stream,) = recording.description.streams
    assert stream.name == "1000Hz-10ch"
    assert stream.duration_s == 60.0
    assert [c.name for c in stream.channels][:3] == ["C-009", "C-010", "C-012"]
    assert recording.description.start_utc is None
    out = np.empty((10, 1000), np.float32)
    recording.open(stream.name).read(59_000, out)
    raw = np.fromfile(path, "<f4").reshape(10, 60_000)
    np.testing.assert_array_equal(out, raw[:, 59_000:])
    with pytest.raises(BadRecording, match=r"more than one format.*A10_recording\.edf.*ColMajor"):
        read_recording(folder)
