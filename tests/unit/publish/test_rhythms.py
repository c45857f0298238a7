"""Fits of spectra and connectivity go out with a session like any other table."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from tests.whole_session import make_contents

from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.epochs import Spectrogram
from wakeful.model.subject import Channel, Session, Subject
from wakeful.model.time import Interval, Span
from wakeful.publish.nwb import write_nwb
from wakeful.publish.zarr_store import write_zarr
from wakeful.steps import aperiodic, connectivity

N = 30


@pytest.fixture(scope="module")
def tables():
    rng = np.random.default_rng(0)
    frequency_hz = np.arange(0, 100.1, 0.25)
    power = (10 / np.maximum(frequency_hz, 0.25)) * rng.gamma(3, 1 / 3, (N, 2, 401))
    power[10] = np.nan
    session = Session(name="s", subject=Subject(identifier="M1"), start_utc=None, duration_s=120.0)
    block = Interval(0.0, 120.0)
    spectrogram = Spectrogram(
        start_s=np.arange(N) * 4.0,
        power_uv2_per_hz=power.astype(np.float32),
        frequency_hz=frequency_hz,
        regions=("CA1", "PFC"),
        channels=(("a",), ("b",)),
        epoch_s=4.0,
        method="planted",
    )
    fit = aperiodic.compute(
        aperiodic.Inputs(spectrogram=spectrogram, block=block, session=session), aperiodic.Params()
    )
    samples = rng.normal(0, 10, (2, 30_000)).astype(np.float32)
    channels = (Channel(name="a", region="CA1"), Channel(name="b", region="PFC"))
    lfp = Lfp(MemorySource(samples, channels, (Span(0.0, 30_000, 250.0, 0),)), 250.0)
    together = connectivity.compute(
        connectivity.Inputs(lfp=lfp, block=block, session=session), connectivity.Params()
    )
    return {"spectral_fit": fit.spectral_fit, "connectivity": together.connectivity}


def test_they_are_in_the_nwb_file_and_no_checker_minds(tables, tmp_path):
    import nwbinspector
    from pynwb import NWBHDF5IO

    path = write_nwb(make_contents(tables=tables), tmp_path / "session.nwb")
    with NWBHDF5IO(str(path), "r") as io:
        ecephys = io.read().processing["ecephys"]
        fit = ecephys["spectral_fit"]
        np.testing.assert_array_equal(fit["exponent"].data[:], tables["spectral_fit"].exponent)
        np.testing.assert_array_equal(fit["peak_hz"].data[:], tables["spectral_fit"].peak_hz)
        assert '"window_s": 20.0' in fit.description
        together = ecephys["connectivity"]
        np.testing.assert_array_equal(together["wpli"].data[:], tables["connectivity"].wpli)
        assert "volume conduction" in together.description
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, about how it is called
        found = list(nwbinspector.inspect_nwbfile(nwbfile_path=path))
    grave = ("CRITICAL", "BEST_PRACTICE_VIOLATION", "ERROR", "PYNWB_VALIDATION")
    assert [m.message for m in found if m.importance.name in grave] == []


def test_they_are_in_the_zarr_store(tables, tmp_path):
    import zarr

    path = write_zarr(make_contents(tables=tables), tmp_path / "session.zarr")
    group = zarr.open_group(str(path), mode="r")
    found = np.asarray(group["connectivity_coherence"])
    np.testing.assert_array_equal(found, tables["connectivity"].coherence)
    theta = np.asarray(group["spectral_fit_theta_hz"])
    np.testing.assert_array_equal(theta, tables["spectral_fit"].theta_hz)
    assert dict(group["connectivity_wpli"].attrs)["pairs"] == [["CA1", "PFC"]]
