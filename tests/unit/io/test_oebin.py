"""structure.oebin."""

from __future__ import annotations

import json
from types import ModuleType

import pytest

from wakeful.io.oebin import parse_oebin
from wakeful.model.errors import BadRecording
from wakeful.model.subject import ChannelKind


def _parse(content: object) -> object:
    return parse_oebin(json.dumps(content).encode(), "structure.oebin")


def test_units_and_kinds_of_channels(files: ModuleType) -> None:
    entry = files.flat.oebin_stream(["CH1", "EMG2", "ADC1", "AUX1", "AP1_SYNC", "TEMP"])
    entry["channels"][2]["bit_volts"] = 0.00015258789
    entry["channels"][5]["units"] = "C"
    (stream,) = _parse({"continuous": [entry]}).streams
    assert [c.kind for c in stream.channels] == [
        ChannelKind.LFP, ChannelKind.EMG, ChannelKind.OTHER, ChannelKind.OTHER, ChannelKind.TTL,
        ChannelKind.OTHER,
    ]  # fmt: skip
    assert [c.gain_uv for c in stream.channels[:4]] == pytest.approx(
        [0.195, 0.195, 152.58789, 195_000]
    )
    assert stream.channels[5].notes == "measured in C, not in volts"
    millivolts = files.flat.oebin_stream(["CH1"], units="mV")
    (stream,) = _parse({"continuous": [millivolts]}).streams
    assert stream.channels[0].gain_uv == 195


def test_folders_as_any_system_writes_them(files: ModuleType) -> None:
    entry = files.flat.oebin_stream(["CH1"], folder="Rhythm_FPGA-100.0\\")
    assert _parse({"continuous": [entry]}).streams[0].folder == "Rhythm_FPGA-100.0"


def test_all_that_is_wrong_is_named(files: ModuleType) -> None:
    entry = files.flat.oebin_stream(["CH1", "CH2"])
    entry |= {"folder_name": "/etc", "sample_rate": "fast", "num_channels": 3}
    entry["channels"][1] |= {"bit_volts": None, "channel_name": ""}
    with pytest.raises(BadRecording) as caught:
        _parse({"continuous": [entry], "events": {"a": 1}})
    text = str(caught.value)
    for part in (
        "folder_name is '/etc'",
        "sample_rate is 'fast'",
        "3 channels promised, 2 described",
        "channel 2: no name",
        "channel 2: bit_volts is missing",
        "'events' is not a list",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"", "can't be parsed"),
        (b"[1, 2]", "holds no list of streams"),
        (b'{"continuous": 3}', "'continuous' is not a list"),
        (b"[" * 100_000, "can't be parsed"),
        (b'{"continuous": [{"folder_name": "a/", "sample_rate": 1e999, "channels": []}]}', "inf"),
    ],
)
def test_files_that_are_damaged(raw: bytes, what: str) -> None:
    with pytest.raises(BadRecording, match=what):
        parse_oebin(raw, "structure.oebin")


def test_two_streams_in_one_folder(files: ModuleType) -> None:
    entry = files.flat.oebin_stream(["CH1"])
    with pytest.raises(BadRecording, match="two streams lie in one folder"):
        _parse({"continuous": [entry, entry]})
