"""NWB files, written by pynwb."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.ecephys import ElectricalSeries

from tests import acquisition_files as files
from tests.contract.examples import Example, example


def new_nwb(n_electrodes: int = 3) -> NWBFile:
    """A file with a table of electrodes, and nothing recorded."""
    nwb = NWBFile(
        session_description="a test",
        identifier="test",
        session_start_time=datetime(2024, 3, 1, 9, tzinfo=UTC),
    )
    device = nwb.create_device(name="amplifier")
    group = nwb.create_electrode_group(
        name="probe", description="wires", location="CA1", device=device
    )
    nwb.add_electrode_column(name="channel_name", description="as on the plug")
    for i in range(n_electrodes):
        nwb.add_electrode(
            x=100.0 * i, y=200.0, z=0.0, location="CA1", group=group, channel_name=f"CH{i}"
        )
    return nwb


def electrodes_of(nwb: NWBFile, rows: list[int]) -> object:
    return nwb.create_electrode_table_region(region=rows, description="those recorded")


def save(nwb: NWBFile, path: Path) -> Path:
    with NWBHDF5IO(path, "w") as io:
        io.write(nwb)
    return path


def _big(folder: Path) -> Path:
    nwb = new_nwb()
    series = ElectricalSeries(
        name="raw",
        data=np.zeros((2, 3), np.int16),
        electrodes=electrodes_of(nwb, [0, 1, 2]),
        rate=1000.0,
    )
    nwb.add_acquisition(series)
    path = save(nwb, folder / "a.nwb")
    with h5py.File(path, "r+") as file:
        node = file["acquisition/raw"]
        attributes = dict(node["data"].attrs)
        del node["data"]
        data = node.create_dataset("data", (400_000_000, 3), "<i2")
        data.attrs.update(attributes)
        data[-1] = 1
    return path


@example("nwb", big=_big)
def nwb(folder: Path) -> Example:
    """Time stamps with a gap; the gains of the channels differ."""
    samples = np.stack([files.ramp(5000, c) for c in range(3)])
    times = np.concatenate([np.arange(2000), np.arange(2500, 5500)]) / 1000 + 7.0
    nwb = new_nwb()
    nwb.add_acquisition(
        ElectricalSeries(
            name="raw",
            data=samples.T,
            electrodes=electrodes_of(nwb, [2, 0, 1]),
            timestamps=times,
            conversion=1e-6,
            channel_conversion=[0.5, 1.0, 2.0],
            offset=3e-6,
        )
    )
    return Example(
        save(nwb, folder / "day1.nwb"),
        "nwb",
        ("CH2", "CH0", "CH1"),
        1000,
        ((0.0, 2000), (2.5, 3000)),
        samples,
        (0.5, 1.0, 2.0),
        offset_uv=3.0,
        stored=None,
    )


@example("nwb-series", reader="nwb")
def nwb_series(folder: Path) -> Example:
    """Stretches of one stream as series of their own, in pieces that are packed."""
    from pynwb import H5DataIO

    samples = np.stack([files.ramp(4000, c) for c in range(3)]).astype(np.float32) / 8
    nwb = new_nwb()
    region = electrodes_of(nwb, [0, 1, 2])
    for i, (start_s, a, b) in enumerate(((0.0, 0, 1500), (4.0, 1500, 4000))):
        nwb.add_acquisition(
            ElectricalSeries(
                name=f"lfp_{i}",
                data=H5DataIO(samples[:, a:b].T, chunks=(256, 3), compression="gzip"),
                electrodes=region,
                rate=500.0,
                starting_time=start_s,
                conversion=1e-6,
            )
        )
    note = TimeSeries(name="speed", data=np.ones(50), unit="m/s", rate=10.0)
    nwb.add_acquisition(note)
    return Example(
        save(nwb, folder / "day1.nwb"),
        "nwb",
        ("CH0", "CH1", "CH2"),
        500,
        ((0.0, 1500), (4.0, 2500)),
        samples,
        1.0,
        stored=None,
    )
