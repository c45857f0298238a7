"""Every real recording that neo reads: the same samples, to the bit, whatever the format.

neo's own limits are worked around here and nowhere else: it refuses gaps in .ncs files unless told
how to cut them, leaves out the last block of .plx files, and knows no BDF (pyedflib is the peer
for that, in the tests of the EDF reader).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wakeful.io.recording import read_recording

pytestmark = pytest.mark.real_data

NEURALYNX = "recordings/neuralynx_mne-testing-data"
NCS = (
    "LAHC1.ncs",
    "LAHC2.ncs",
    "LAHC3.ncs",
    "LAHC1_3_gaps.ncs",
    "LAHC2_3_gaps.ncs",
    "LAHCu1.ncs",
    "xAIR1.ncs",
    "xEKG1.ncs",
)
OPEN_EPHYS = "recordings/openephys/v0.6.7_OpenEphys/Record Node "
EDF = (
    "recordings/edf_mne/test.edf",
    "recordings/edf_mne/test_uneven_samp.edf",
    "seizure/pt01_awake/pt1aw2_0001_reduced.edf",
    "sleep/misleep_10min_raw/10mins_example_edf.edf",
    "sleep/neurodent_sample/A10_recording.edf",
    "sleep/neurodent_sample/F22_recording.edf",
)
CASES = (
    *((f"{NEURALYNX}/{name}", "neuralynx") for name in NCS),
    (f"{OPEN_EPHYS}101", "openephys"),
    (f"{OPEN_EPHYS}105", "openephys"),
    ("recordings/intan_IntanToNWB/example_intan_file.rhd", "intan"),
    ("recordings/plexon_buzcode/16sp_lfp_with_2coords.plx", "plexon"),
    ("recordings/plexon_buzcode/opx141ch1to3analogOnly003.plx", "plexon"),
    *((path, "edf") for path in EDF),
)


def _neuralynx(path: Path) -> Any:
    from neo.rawio import NeuralynxRawIO

    return NeuralynxRawIO(
        dirname=str(path.parent), include_filenames=[path.name], gap_tolerance_ms=1.0
    )


def _openephys(path: Path) -> Any:
    from neo.rawio import OpenEphysRawIO

    return OpenEphysRawIO(dirname=str(path))


def _intan(path: Path) -> Any:
    from neo.rawio import IntanRawIO

    return IntanRawIO(str(path))


def _plexon(path: Path) -> Any:
    from neo.rawio import PlexonRawIO

    return PlexonRawIO(str(path), progress_bar=False)


def _edf(path: Path) -> Any:
    from neo.rawio import EDFRawIO

    return EDFRawIO(str(path))


PEERS: dict[str, Callable[[Path], Any]] = {
    "neuralynx": _neuralynx,
    "openephys": _openephys,
    "intan": _intan,
    "plexon": _plexon,
    "edf": _edf,
}


def _all_of(peer: Any, index: int, column: int, row: Any) -> np.ndarray:
    """All samples of one channel as neo stores them, segment after segment."""
    if type(peer).__name__ == "PlexonRawIO":
        blocks = peer._data_blocks[5][int(row["id"])]
        parts = [peer._memmap[b["pos"] : b["pos"] + b["size"]].view("<i2") for b in blocks]
        return np.concatenate(parts)
    segments = range(peer.segment_count(0))
    return np.concatenate(
        [
            np.asarray(peer.get_analogsignal_chunk(0, part, stream_index=index))[:, column]
            for part in segments
        ]
    )


@pytest.mark.parametrize(("name", "kind"), CASES, ids=[path for path, _ in CASES])
def test_values_equal_those_of_neo(real_data: Path, name: str, kind: str) -> None:
    path = real_data / name
    peer = PEERS[kind](path)
    peer.parse_header()
    recording = read_recording(path)
    ours: dict[tuple[float, str], np.ndarray] = {}
    for stream in recording.description.streams:
        n_samples = sum(span.n_samples for span in stream.spans)
        source = recording.open(stream.name)
        values = np.empty((len(stream.channels), n_samples), source.dtype)
        for span in stream.spans:
            source.read(span.first_sample, values[:, span.first_sample : span.stop_sample])
        for channel, row in zip(stream.channels, values, strict=True):
            ours[stream.rate_hz, channel.name] = row
    channels = peer.header["signal_channels"]
    n_compared = 0
    for index, stream_row in enumerate(peer.header["signal_streams"]):
        members = channels[channels["stream_id"] == stream_row["id"]]
        for column, row in enumerate(members):
            if kind == "intan" and str(stream_row["name"]).startswith("USB board digital"):
                continue
            theirs = _all_of(peer, index, column, row)
            mine = ours[float(row["sampling_rate"]), str(row["name"])]
            if kind == "intan":
                # Intan's zero is 32,768 in the file; ours is 0.
                theirs = (theirs.astype(np.int32) - 32_768).astype(np.int16)
            np.testing.assert_array_equal(mine, theirs, err_msg=str(row["name"]))
            n_compared += 1
    assert n_compared
