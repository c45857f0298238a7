"""Finding the format, and choosing a stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wakeful.io import registry
from wakeful.io.channel_kinds import guess_kind
from wakeful.io.recording import choose_stream, load_readers, natural_key, read_recording
from wakeful.model.errors import AmbiguousStream, BadRecording, NoRecording
from wakeful.model.recording import Description, Recording, Stream
from wakeful.model.subject import Channel, ChannelKind
from wakeful.model.time import Span


def test_nothing_at_the_path(tmp_path: Path) -> None:
    with pytest.raises(NoRecording, match=r"no such file or folder.*network share"):
        read_recording(tmp_path / "gone")


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(NoRecording, match=r"the folder is empty.*the copy has ended"):
        read_recording(tmp_path)
    (tmp_path / ".hidden.ncs").write_bytes(b"x")
    with pytest.raises(NoRecording, match="the folder is empty"):
        read_recording(tmp_path)


def test_nothing_that_can_be_read_says_what_was_found(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.MP4", "notes.txt", "README"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(NoRecording) as caught:
        read_recording(tmp_path)
    text = str(caught.value)
    assert "2 x .mp4" in text
    assert "1 without an ending" in text
    assert "Neuralynx (.ncs)" in text
    assert str(tmp_path) in text
    with pytest.raises(NoRecording, match=r"1 x \.mp4"):
        read_recording(tmp_path / "a.mp4")


def test_a_recording_in_a_folder_below(files: ModuleType, tmp_path: Path) -> None:
    below = tmp_path / "2024-03-01_10-00-00"
    below.mkdir()
    files.write_ncs(below / "CSC1.ncs", files.ncs_header(), files.ncs_records(3))
    with pytest.raises(NoRecording, match=r"its sub-folders do.*2024-03-01_10-00-00"):
        read_recording(tmp_path)


def test_several_formats_in_one_folder(files: ModuleType, tmp_path: Path) -> None:
    files.write_ncs(tmp_path / "CSC1.ncs", files.ncs_header(), files.ncs_records(3))
    files.write_edf(tmp_path / "a.edf", ["EEG"], [100], 2)
    with pytest.raises(BadRecording) as caught:
        read_recording(tmp_path)
    assert "Neuralynx (.ncs): CSC1.ncs" in str(caught.value)
    assert "a.edf" in str(caught.value)
    assert read_recording(tmp_path / "a.edf").description.format == "edf"
    assert read_recording(tmp_path / "CSC1.ncs").description.format == "neuralynx"


def test_a_relative_path_and_capital_endings(
    files: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write_ncs(tmp_path / "CSC1.NCS", files.ncs_header(), files.ncs_records(3))
    monkeypatch.chdir(tmp_path)
    description = read_recording(Path()).description
    assert description.root == str(tmp_path)
    assert description.streams[0].files == ("CSC1.NCS",)


def test_a_reader_is_one_decorated_function(tmp_path: Path) -> None:
    load_readers()
    before = dict(registry.READERS)
    seen: list[Path] = []

    @registry.reader(name="mine", title="Mine (.mine)", sniff=registry.by_suffix(".mine"))
    def open_mine(found: registry.Found) -> Recording:
        seen.extend(found.files)
        raise NoRecording("only a test")

    try:
        (tmp_path / "a.mine").write_bytes(b"")
        with pytest.raises(NoRecording, match="only a test"):
            read_recording(tmp_path)
        assert seen == [tmp_path / "a.mine"]
        with pytest.raises(ValueError, match="two readers are called 'edf'"):
            registry.reader(name="edf", title="", sniff=registry.by_suffix(".e"))(open_mine)
    finally:
        registry.READERS.clear()
        registry.READERS.update(before)


def test_numbers_in_names_sort_by_size() -> None:
    names = ["CSC10.ncs", "CSC2.ncs", "csc1.ncs", "7.ncs", "A.ncs"]
    ordered = sorted((Path(name) for name in names), key=natural_key)
    assert [p.name for p in ordered] == ["7.ncs", "A.ncs", "csc1.ncs", "CSC2.ncs", "CSC10.ncs"]


def _stream(
    name: str, n_channels: int, seconds: float, kind: ChannelKind = ChannelKind.LFP
) -> Stream:
    return Stream(
        name=name,
        rate_hz=100,
        channels=tuple(Channel(name=f"{name}{i}", kind=kind) for i in range(n_channels)),
        spans=(Span(0.0, round(seconds * 100), 100.0, 0),),
    )


def _description(streams: Sequence[Stream]) -> Description:
    return Description(format="x", root="/r", streams=tuple(streams), start_utc=None)


def test_one_stream_is_taken() -> None:
    only = _stream("a", 1, 1)
    assert choose_stream(_description([only])) == (only, ())


def test_of_several_the_one_with_most_channel_seconds_is_taken_and_said() -> None:
    streams = [_stream("short", 5, 10), _stream("long", 2, 100), _stream("tiny", 1, 1)]
    chosen, (warning,) = choose_stream(_description(streams))
    assert chosen.name == "long"
    assert "short, tiny are not" in warning
    assert "column `stream`" in warning


@pytest.mark.parametrize("wanted", ["short", "long"])
def test_a_wanted_stream_is_taken(wanted: str) -> None:
    streams = [_stream("short", 5, 10), _stream("long", 2, 100)]
    chosen, warnings = choose_stream(_description(streams), wanted)
    assert chosen.name == wanted
    assert warnings == ()


def test_an_unknown_stream_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(BadRecording, match=r"no stream 'LFP'.*choose one of: short, long"):
        choose_stream(_description([_stream("short", 5, 10), _stream("long", 2, 100)]), "LFP")


@pytest.mark.parametrize(("seconds", "tie"), [(9.0, False), (9.1, True), (10.0, True)])
def test_a_tie_is_asked_about(seconds: float, tie: bool) -> None:
    description = _description([_stream("a", 1, 10), _stream("b", 1, seconds), _stream("c", 1, 1)])
    if tie:
        with pytest.raises(AmbiguousStream, match=r"3 streams.*`stream`: a, b, c"):
            choose_stream(description)
    else:
        assert choose_stream(description)[0].name == "a"


def test_channels_that_are_no_brain_do_not_count() -> None:
    streams = [_stream("aux", 9, 100, ChannelKind.OTHER), _stream("brain", 1, 50)]
    assert choose_stream(_description(streams))[0].name == "brain"


@pytest.mark.parametrize("leads_s", [-3000.0, 0.0, 3000.0])
def test_which_stream_is_ahead_while_more_is_written_does_not_matter(leads_s: float) -> None:
    few, many = _stream("few", 4, 8000 + leads_s), _stream("many", 8, 8000 - leads_s)
    growing = [replace(stream, growing=True, settled_s=0.0) for stream in (few, many)]
    assert choose_stream(_description(growing))[0].name == "many"


def test_no_stream_at_all() -> None:
    with pytest.raises(NoRecording, match="holds no stream"):
        choose_stream(_description([]))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("CSC12", ChannelKind.LFP),
        ("LAHC1", ChannelKind.LFP),
        ("A-013", ChannelKind.LFP),
        ("ACC_left", ChannelKind.LFP),
        ("EMG_neck", ChannelKind.EMG),
        ("xEMGr", ChannelKind.EMG),
        ("EEG Fpz-Cz", ChannelKind.EEG),
        ("ECoG3", ChannelKind.EEG),
        ("Trigger", ChannelKind.TTL),
        ("TTL_in", ChannelKind.TTL),
        ("sync", ChannelKind.TTL),
        ("Status", ChannelKind.TTL),
        ("ADC3", ChannelKind.OTHER),
        ("A-AUX1", ChannelKind.OTHER),
        ("xEKG1", ChannelKind.OTHER),
        ("xAIR1", ChannelKind.OTHER),
        ("Chair4", ChannelKind.LFP),
        ("", ChannelKind.LFP),
    ],
)
def test_kinds_are_guessed_from_names(name: str, kind: ChannelKind) -> None:
    assert guess_kind(name) is kind


# --- recordings in folders below ------------------------------------------------------------------


def _open_ephys(files: ModuleType, folder: Path) -> Path:
    return files.flat.write_open_ephys(folder, np.arange(500), rate_hz=1000.0)


def test_formats_whose_files_lie_below_are_found_there(files: ModuleType, tmp_path: Path) -> None:
    _open_ephys(files, tmp_path / "a" / "experiment1" / "recording1")
    (tmp_path / "notes.txt").write_text("x")
    description = read_recording(tmp_path).description
    assert description.format == "openephys-binary"
    assert description.ignored_files == ("notes.txt",)


def test_hidden_folders_are_not_looked_into(files: ModuleType, tmp_path: Path) -> None:
    _open_ephys(files, tmp_path / ".trash" / "experiment1" / "recording1")
    with pytest.raises(NoRecording):
        read_recording(tmp_path)


def test_samples_in_the_folder_itself_come_first(files: ModuleType, tmp_path: Path) -> None:
    files.write_ncs(tmp_path / "CSC1.ncs", files.ncs_header(), files.ncs_records(3))
    _open_ephys(files, tmp_path / "old" / "experiment1" / "recording1")
    assert read_recording(tmp_path).description.format == "neuralynx"


def test_two_formats_below_one_folder(files: ModuleType, tmp_path: Path) -> None:
    _open_ephys(files, tmp_path / "a" / "experiment1" / "recording1")
    files.flat.write_spikeglx(tmp_path / "b" / "m_g0_t0.imec0.lf.bin", 100)
    with pytest.raises(BadRecording, match="more than one format"):
        read_recording(tmp_path)


def test_too_many_files_below_to_be_one_recording(
    files: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wakeful.io.recording._MAX_BELOW", 3)
    _open_ephys(files, tmp_path / "a" / "experiment1" / "recording1")
    with pytest.raises(BadRecording, match="more than 3 files in its sub-folders"):
        read_recording(tmp_path)


def test_a_recording_beside_others_is_not_taken_for_all(files: ModuleType, tmp_path: Path) -> None:
    _open_ephys(files, tmp_path / "monday" / "experiment1" / "recording1")
    (tmp_path / "analysis").mkdir()
    np.save(tmp_path / "analysis" / "spikes.npy", np.arange(3))
    assert read_recording(tmp_path).description.format == "openephys-binary"
    (tmp_path / "tuesday").mkdir()
    files.write_ncs(tmp_path / "tuesday" / "CSC1.ncs", files.ncs_header(), files.ncs_records(3))
    with pytest.raises(BadRecording, match=r"several recordings in its sub-folders.*tuesday"):
        read_recording(tmp_path)
