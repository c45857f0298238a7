"""The channels file."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io.channels_file import (
    LabelledSource,
    apply_channels_file,
    find_channels_file,
    label_stream,
    read_channels_file,
)
from wakeful.io.recording import read_recording
from wakeful.model.arrays import MemorySource
from wakeful.model.errors import BadChannels
from wakeful.model.recording import Stream
from wakeful.model.subject import Channel, ChannelKind
from wakeful.model.time import Span

STREAM = Stream(
    name="1000Hz-3ch",
    rate_hz=1000.0,
    channels=(
        Channel(name="CSC1", gain_uv=-0.03, polarity=-1, reference="R1"),
        Channel(name="CSC2", gain_uv=0.03),
        Channel(name="EMG", kind=ChannelKind.EMG),
    ),
    spans=(Span(0.0, 10, 1000.0, 0),),
)


def _write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "channels.csv"
    path.write_text(text, encoding=encoding)
    return path


def test_every_column_is_applied_and_empty_cells_leave_what_was_there(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        "channel,subject,region,kind,reference,x_mm,y_mm,z_mm,notes\n"
        "EMG,M1,neck,,,,,,\n"
        'CSC1,M1,CA1,LFP,,-1.5,2,0.25,"pyramidal, upper"\n'
        "CSC2,M2,PFC,eeg,screw,,,,\n",
    )
    one, two, emg = apply_channels_file(STREAM, read_channels_file(path))
    assert (one.name, one.region, one.kind, one.subject) == ("CSC1", "CA1", ChannelKind.LFP, "M1")
    assert (one.x_mm, one.y_mm, one.z_mm, one.notes) == (-1.5, 2.0, 0.25, "pyramidal, upper")
    assert (one.reference, one.gain_uv, one.polarity) == ("R1", -0.03, -1)
    assert (two.kind, two.reference, two.subject) == (ChannelKind.EEG, "screw", "M2")
    assert (emg.kind, emg.region) == (ChannelKind.EMG, "neck")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_separators_and_encodings_of_spreadsheets(
    tmp_path: Path, separator: str, encoding: str
) -> None:
    lines = ["Channel,Region,Notes", "CSC1,CA1,\xe9", "", "CSC2,CA1,", "EMG,,", ",,"]
    path = _write(tmp_path, "\r\n".join(lines).replace(",", separator), encoding)
    channels = apply_channels_file(STREAM, read_channels_file(path))
    assert [c.region for c in channels] == ["CA1", "CA1", "unknown"]
    assert channels[0].notes == "\xe9"


def test_all_bad_cells_are_named_at_once_with_their_lines(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        "channel,kind,x_mm,region\n"
        "CSC1,lpf,1,CA1\n"
        ",lfp,1,CA1\n"
        "CSC2,lfp,left,=HYPERLINK(1)\n"
        "CSC1,lfp,nan,CA1\n"
        "EMG,emg,1,neck,extra\n",
    )
    with pytest.raises(BadChannels) as caught:
        read_channels_file(path)
    text = str(caught.value)
    for part in (
        "line 2: kind 'lpf' is not one of lfp, eeg, emg, ttl, other",
        "line 3: channel is empty",
        "line 4: x_mm 'left' is not a number",
        "line 4: region '=HYPERLINK(1)' looks like a formula",
        "line 5: x_mm 'nan' is not a number",
        "channel CSC1 is listed 2 times (lines 2, 5)",
        "line 6: 5 cells for 4 columns",
        str(path),
    ):
        assert part in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column `channel`"),
        ("name,region\nCSC1,CA1\n", "no column `channel` (found name, region)"),
        ("channel,regoin\nCSC1,CA1\n", "unknown columns regoin"),
        ("channel,region,region\nCSC1,a,b\n", "columns given twice: region"),
        ("channel,region\n\n", "there are no rows"),
    ],
)
def test_tables_that_can_not_be_used(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadChannels) as caught:
        read_channels_file(_write(tmp_path, text))
    assert message in str(caught.value)


def test_what_is_no_csv_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "channels.csv"
    path.write_bytes(b"PK\x03\x04\0\0")
    with pytest.raises(BadChannels, match="not a CSV file"):
        read_channels_file(path)
    with pytest.raises(BadChannels, match="can't be read"):
        read_channels_file(tmp_path / "gone.csv")


def test_unknown_and_missing_channels_are_named_at_once(tmp_path: Path) -> None:
    path = _write(tmp_path, "channel,region\nCSC1,CA1\nCSC22,CA1\nother-stream,CA1\n")
    with pytest.raises(BadChannels) as caught:
        apply_channels_file(STREAM, read_channels_file(path), others=["other-stream"])
    text = str(caught.value)
    assert "line 3: there is no channel CSC22 in the recording (did you mean CSC2?)" in text
    assert "no line for CSC2, EMG" in text
    assert "other-stream" not in text


def test_without_a_file_regions_are_unknown_and_it_is_said() -> None:
    stream, (warning,) = label_stream(STREAM, None)
    assert stream == STREAM
    assert "regions are unknown" in warning
    assert "--channels" in warning


def test_with_a_file_only_regions_left_out_are_said(tmp_path: Path) -> None:
    path = _write(tmp_path, "channel,region\nCSC1,CA1\nCSC2,\nEMG,\n")
    stream, (warning,) = label_stream(STREAM, path)
    assert stream.channels[0].region == "CA1"
    assert "no region for CSC2: " in warning
    path = _write(tmp_path, "channel,region\nCSC1,CA1\nCSC2,CA1\nEMG,\n")
    assert label_stream(STREAM, path)[1] == ()


def test_a_channels_file_in_the_folder_is_found(files: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "CSC1.ncs"
    files.write_ncs(path, files.ncs_header(), files.ncs_records(3))
    assert find_channels_file(tmp_path) is None
    written = _write(tmp_path, "channel,region\nCSC1,CA1\n")
    assert find_channels_file(tmp_path) == written
    assert find_channels_file(path) == written
    assert read_recording(tmp_path).description.ignored_files == ("channels.csv",)


def test_a_labelled_source_gives_the_rows_that_were_chosen() -> None:
    samples = np.arange(30, dtype=np.int16).reshape(3, 10)
    source = MemorySource(samples, STREAM.channels, STREAM.spans)
    chosen = (Channel(name="b", region="CA1"), Channel(name="a"))
    labelled = LabelledSource(source, chosen, [2, 0])
    assert labelled.channels == chosen
    assert labelled.spans == STREAM.spans
    assert labelled.dtype == np.int16
    out = np.empty((2, 4), np.int16)
    labelled.read(3, out)
    np.testing.assert_array_equal(out, samples[[2, 0], 3:7])
    labelled.read(3, out[:1], [1])
    np.testing.assert_array_equal(out[0], samples[0, 3:7])
    with pytest.raises(ValueError, match="2 channels for 3 rows"):
        LabelledSource(source, chosen)
