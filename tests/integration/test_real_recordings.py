"""Real recordings: each row ends in a report, and gaps are where they are known to be."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from wakeful.analysis import open_library

from .conftest import FINISHED

pytestmark = pytest.mark.real_data

ROWS = {
    "lishen": "sleep/lishen_openephys_raw",
    "misleep": "sleep/misleep_10min_raw/10mins_example_edf.edf",
    "A10": "sleep/neurodent_sample/Cage 2 A10-0_ColMajor.bin",
    "F22": "sleep/neurodent_sample/F22_recording.edf",
    "neuralynx": "recordings/neuralynx_mne-testing-data",
}


@pytest.mark.slow
def test_each_ends_in_a_report(lab, real_data):
    config = lab.library.root / "wakeful.toml"
    config.write_text(config.read_text().replace("block_s = 60", "block_s = 600"))
    numbers = {
        subject: lab.add(real_data / path, subject=subject) for subject, path in ROWS.items()
    }
    gaps = lab.add(real_data / ROWS["neuralynx"], subject="neuralynx", stream="2000Hz-2ch")
    folder = lab.add(real_data / "sleep" / "neurodent_sample", subject="both")
    views = lab.run()
    for subject, number in numbers.items():
        update = views[number].update
        assert update.status in FINISHED, f"{subject}: {update.message}"
        report = Path(update.link)
        assert report.stat().st_size > 50_000
        assert list(report.parent.glob("figures/*day.png"))
    assert "holds 3 streams; 2000Hz-5ch is used" in views[numbers["neuralynx"]].update.message
    assert views[gaps].update.status in FINISHED
    # Two animals in two formats in one folder: asked for, never guessed.
    assert "more than one format" in views[folder].update.message

    sessions = {
        f"{s.session.subject.identifier} {s.name}": s
        for s in open_library(lab.library.root).sessions()
    }
    (lishen,) = [s for k, s in sessions.items() if k.startswith("lishen")]
    spans = lishen.lfp.spans
    assert [round(b.start_s - a.stop_s, 3) for a, b in itertools.pairwise(spans)] == [0.256]
    assert lishen.hypnogram.minutes().keys() >= {0, 2, 3}
    (broken,) = [s for k, s in sessions.items() if k.endswith("2000Hz-2ch")]
    spans = broken.lfp.spans
    found = [b.start_s - a.stop_s for a, b in itertools.pairwise(spans)]
    np.testing.assert_allclose(found, [0.050, 0.0035, 0.0115], atol=6e-4)
