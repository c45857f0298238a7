"""What `wakeful inspect` says of a recording with damaged records."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from wakeful.cli import app


def _files():
    path = next(p for p in Path(__file__).parents if p.name == "tests") / "acquisition_files.py"
    spec = importlib.util.spec_from_file_location("acquisition_files", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_recorded_gaps_and_quarantined_add_up_to_the_duration(tmp_path):
    files = _files()
    records = files.ncs_records(100, lost_after={49: 20_000})
    records[20:30] = np.zeros(10, records.dtype)
    files.write_ncs(tmp_path / "CSC1.ncs", files.ncs_header(), records)
    result = CliRunner().invoke(app, ["inspect", str(tmp_path)])
    assert result.exit_code == 0, result.output
    (line,) = [text for text in result.output.splitlines() if "accounted for" in text]
    recorded_s, gap_s, apart_s, whole_s = map(float, re.findall(r"[\d.]+(?= s)", line))
    assert (recorded_s, gap_s, apart_s) == (23.04, 10.0, 2.56)
    assert whole_s == 35.6
