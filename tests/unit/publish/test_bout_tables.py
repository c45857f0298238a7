"""Tables of bouts."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from wakeful.model.epochs import Hypnogram
from wakeful.model.subject import Session, Subject
from wakeful.publish.bout_tables import ABOUT, bout_files
from wakeful.steps.sleep_bouts import Inputs, Params, compute


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def test_tables_hold_what_was_counted() -> None:
    state = np.tile(np.repeat([0, 2, 0, 2], [30, 40, 2, 20]), 12).astype(np.int8)
    found = compute(
        Inputs(
            hypnogram=Hypnogram(
                start_s=np.arange(len(state)) * 4.0,
                raw_state=state,
                state=state,
                confidence=np.ones(len(state), np.float32),
                epoch_s=4.0,
                scorer="s",
            ),
            session=Session(
                name="s",
                subject=Subject(identifier="M"),
                start_utc=None,
                duration_s=len(state) * 4.0,
            ),
        ),
        Params(),
    )
    files = bout_files(found.bouts, found.state_hours, found.bout_statistics)
    assert set(files) == set(ABOUT)
    bouts = rows(files["bouts.csv"])
    assert len(bouts) == 48
    assert bouts[0] == {
        "state": "awake",
        "start_s": "0",
        "duration_s": "120",
        "start_known": "no",
        "stop_known": "yes",
    }
    hours = rows(files["state_hours.csv"])
    assert hours[0]["zeitgeber_h"] == ""
    assert sum(float(row["nrem_min"]) for row in hours) == pytest.approx(48.0)
    values = {
        (row["quantity"], row["phase"], row["state"]): row["value"]
        for row in rows(files["bout_statistics.csv"])
    }
    assert values["minutes", "whole", "NREM"] == "48"
    assert values["n_brief_awakenings", "whole", ""] == "12"
    assert values["rem_latency_s", "whole", ""] == ""  # never: not 0
    transitions = {(row["from"], row["to"]): row for row in rows(files["transitions.csv"])}
    assert transitions["awake", "NREM"]["next_probability"] == "1"
    assert transitions["REM", "NREM"]["next_probability"] == ""
