"""From rows to files that are handed on."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import wakeful
from wakeful.cli import app
from wakeful.io.store import Store
from wakeful.model.arrays import Lfp
from wakeful.model.errors import UnknownResult

SHARING = """
[sharing]
institution = "A university"
experimenters = ["Doe, Jane"]

[subjects.M1]
species = "mouse"
birth = 2025-11-03
sex = "F"
"""
TWO_ANIMALS = """channel,subject,region,kind
CSC1,M1,CA1,lfp
CSC2,M1,CA1,lfp
CSC3,M2,PFC,lfp
CSC4,M2,PFC,lfp
CSC5,M2,PFC,lfp
CSC6,M1,CA1,lfp
CSC7,M2,PFC,lfp
CSC8,M2,PFC,lfp
EMG1,M1,neck,emg
"""


def invoke(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == code, f"{done.output} {done.exception!r}"
    return done.output


def electrodes(path: Path) -> tuple[list[str], object]:
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(str(path), "r") as io:
        nwb = io.read()
        return nwb.electrodes["channel_name"][:].tolist(), nwb.subject


@pytest.mark.slow
def test_a_row_is_handed_on_packed_and_unpacked(lab, copy_of, tmp_path):
    config = lab.library.root / "wakeful.toml"
    config.write_text(config.read_text() + SHARING)
    recording = copy_of("mouse")
    (recording / "channels.csv").write_text(TWO_ANIMALS)
    lab.add(recording, analyses="band_power")
    lab.add(recording, subject="M2", analyses="band_power")
    lab.run()
    where = ("--library", str(lab.library.root))
    sessions = {s.session.subject.identifier: s for s in wakeful.open_library(where[1]).sessions()}
    session = sessions["M1"]
    # The two animals share a recording and a name: rows are told apart by their subject.
    file = session.export_nwb(tmp_path / "m1.nwb")
    names, subject = electrodes(file)
    assert names == ["CSC1", "CSC2", "CSC6"]
    assert (subject.species, subject.sex) == ("Mus musculus", "F")
    assert subject.date_of_birth.date() == date(2025, 11, 3)
    assert electrodes(sessions["M2"].export_nwb(tmp_path / "m2.nwb"))[0] == [
        "CSC3",
        "CSC4",
        "CSC5",
        "CSC7",
        "CSC8",
    ]

    lfp = session.lfp
    whole = [lfp.read_uv(s.first_sample, s.n_samples) for s in lfp.spans]
    store = Store(lab.library.results)
    assert "packed" in invoke("compress", *where)
    receipts = [r for r in store.receipts() if r.step == "convert"]
    assert receipts
    assert all(not (r.folder / "lfp.npy").exists() for r in receipts)
    assert all(store.damaged_files(r) == () for r in receipts)
    packed = wakeful.open_library(where[1]).sessions()[0].lfp
    for span, planted in zip(packed.spans, whole, strict=True):
        np.testing.assert_array_equal(packed.read_uv(span.first_sample, span.n_samples), planted)
    dataset = xr.open_zarr(session.export_zarr(tmp_path / "m1.zarr"))
    lfp_uv = dataset.lfp * dataset.lfp_gain_uv + dataset.lfp_offset_uv
    np.testing.assert_allclose(lfp_uv, np.concatenate(whole, axis=1)[:3], rtol=1e-5)
    assert "holds" in invoke("verify", receipts[0].key, *where)
    # What needs the LFP is made from packed blocks.
    lab.add(recording, analyses="muscle")
    assert all(view.n_results == view.n_present for view in lab.run().values())
    assert "unpacked" in invoke("compress", "--undo", *where)
    assert all(store.damaged_files(r) == () for r in receipts)
    assert all((r.folder / "lfp.npy").is_file() for r in receipts)

    damaged = receipts[0].folder / "lfp.npy"
    data = bytearray(damaged.read_bytes())
    data[-1] ^= 1
    damaged.write_bytes(bytes(data))
    assert "does not match its receipt" in invoke("compress", *where, code=1)
    assert damaged.is_file()


@pytest.mark.slow
def test_what_there_is_so_far(lab, small_recording, tmp_path):
    lab.add(small_recording, analyses="band_power")
    lab.run()
    (session,) = wakeful.open_library(lab.library.root).sessions()
    store = Store(lab.library.results)
    last = max(
        (r for r in store.receipts() if r.step in ("convert", "band_power")),
        key=lambda r: (r.tree["interval_s"]["start_s"], r.step == "convert"),
    )
    assert last.step == "convert"
    whole = session.lfp
    for file in last.folder.iterdir():
        file.unlink()
    last.folder.rmdir()
    with pytest.raises(UnknownResult):
        _ = session.lfp
    some = session.so_far("lfp")
    assert isinstance(some, Lfp)
    assert some.spans[-1].stop_s == pytest.approx(180, abs=0.01)
    assert whole.spans[-1].stop_s == pytest.approx(240, abs=0.01)
    with pytest.raises(UnknownResult, match="--so-far"):
        session.export_nwb(tmp_path / "a.nwb")
    path = session.export_nwb(tmp_path / "a.nwb", so_far=True)
    from pynwb import NWBHDF5IO

    with NWBHDF5IO(str(path), "r") as io:
        nwb = io.read()
        assert "1 of" in nwb.notes
        series = nwb.processing["ecephys"]["LFP"]["ElectricalSeriesLFP"]
        assert series.timestamps[-1] == pytest.approx(180, abs=0.01)
        reasons = nwb.invalid_times.to_dataframe()
        np.testing.assert_allclose(reasons.stop_time.iloc[-1], 240, atol=0.01)


@pytest.mark.slow
def test_groups_are_hidden_in_what_is_handed_on_until_somebody_says_why(
    lab, small_recording, tmp_path
):
    from pynwb import NWBHDF5IO

    config = lab.library.root / "wakeful.toml"
    config.write_text(
        config.read_text()
        + SHARING
        + 'genotype = "Scn1a+/-"\nstrain = "C57BL/6J"\ndrug = "stiripentol"\ndose = "10 mg/kg"\n'
        + 'surgery = "implant in S1"\n[blinding]\nhide_groups = true\n'
    )
    lab.add(small_recording, analyses="muscle")
    lab.run()
    where = ("--library", str(lab.library.root))

    def export(name: str) -> tuple[str | None, str | None, str | None, str]:
        (session,) = wakeful.open_library(where[1]).sessions()
        path = session.export_nwb(tmp_path / name, wakeful.NwbOptions(lfp=False))
        with NWBHDF5IO(str(path), "r") as io:
            nwb = io.read()
            return nwb.subject.genotype, nwb.pharmacology, nwb.surgery, nwb.notes or ""

    genotype, drug, surgery, notes = export("hidden.nwb")
    assert genotype in (None, "unknown")
    assert drug is None
    assert surgery == "implant in S1"
    assert "hidden (blinding)" in notes
    assert "groups are shown now" in invoke("unblind", "--reason", "all is scored", *where)
    genotype, drug, _, notes = export("shown.nwb")
    assert (genotype, drug) == ("Scn1a+/-", "stiripentol 10 mg/kg")
    assert "blinding" not in notes
