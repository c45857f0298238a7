"""Tables that say what the results say."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from wakeful.model.epochs import Hypnogram, State
from wakeful.model.subject import Session, Subject
from wakeful.publish import (
    bouts_table,
    day_summaries_csv,
    describe_certainty,
    hypnogram_csv,
    minutes_table,
    state_power_csv,
)
from wakeful.steps.day import DaySummary


def read(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def make_session(start: datetime | None) -> Session:
    return Session(
        name="s",
        subject=Subject(identifier="M1"),
        start_utc=start,
        duration_s=4000.0,
        time_zone="Europe/Zurich",
    )


STATES = [0, 0, 2, 2, 2, 3, -1, 2]
HYPNOGRAM = Hypnogram(
    start_s=np.arange(8) * 4.0,
    raw_state=np.array([0, 0, 2, 0, 2, 3, -1, 2], np.int8),
    state=np.array(STATES, np.int8),
    confidence=np.array([1, 0.5, 0.9, 0.9, 0.9, 0.75, np.nan, 1], np.float32),
    epoch_s=4.0,
    scorer="s",
)


def make_summary(**changes) -> DaySummary:
    values = {
        "date": "2026-05-12",
        "day_number": 0,
        "recorded_s": 82_000.0,
        "gap_s": 800.0,
        "quarantined_s": 0.0,
        "outside_s": 3600.0,
        "states": ("awake", "unclassified", "NREM", "REM"),
        "phases": ("day", "light", "dark"),
        "minutes": np.array([[700.0, 10, 500, 100], [300, 5, 300, 60], [400, 5, 200, 40]]),
        "regions": ("=CA1", "PFC"),
        "bands": ("delta",),
        "edges_hz": ((1.0, 4.0),),
        "n_epochs": np.array([10_500, 150, 7500, 1500]),
        "band_power_uv2": np.array([[[1.5], [2.5]], [[np.nan], [1]], [[30], [40]], [[5], [6]]]),
        "emg_uv": np.full(4, np.nan),
        "lfp_emg": np.full(4, np.nan),
    }
    return DaySummary(**{**values, **changes})


def test_hypnogram_has_a_line_an_epoch_with_local_time() -> None:
    # One second before the clocks go back: the offset tells the two hours of 02:59 apart.
    start = datetime(2026, 10, 25, 0, 59, 50, tzinfo=UTC)
    rows = read(hypnogram_csv(make_session(start), HYPNOGRAM))
    assert len(rows) == 8
    assert rows[2]["local_time"] == "2026-10-25T02:59:58.000+02:00"
    assert rows[3]["local_time"] == "2026-10-25T02:00:02.000+01:00"
    assert rows[3]["state"] == "NREM"
    assert rows[3]["raw_state"] == "awake"
    assert rows[6] == {
        "start_s": "24",
        "local_time": "2026-10-25T02:00:14.000+01:00",
        "state": "no data",
        "raw_state": "no data",
        "confidence": "",
        "probability_awake": "",
        "probability_nrem": "",
        "probability_rem": "",
        "doubt": "",
        "provisional_state": "no data",
    }
    assert float(rows[5]["confidence"]) == 0.75


def make_sure() -> Hypnogram:
    """Eight epochs, one of them an artefact, one ambiguous, one provisionally another state."""
    state = np.array([0, 0, 1, 2, 2, 3, -1, 1], np.int8)
    return replace(
        HYPNOGRAM,
        state=state,
        signals=("delta", "emg"),
        probability=np.linspace(0, 1, 24, dtype=np.float32).reshape(8, 3),
        doubt=np.array([0, 0, 2, 0, 0, 0, 0, 1], np.int8),
        provisional=np.array([0, 0, 1, 0, 2, 3, -1, 1], np.int8),
    )


def test_what_a_scorer_says_of_its_certainty_is_written() -> None:
    hypnogram = make_sure()
    rows = read(hypnogram_csv(make_session(None), hypnogram))
    assert rows[2]["doubt"] == "artefact"
    assert rows[7]["doubt"] == "ambiguous"
    assert rows[3]["provisional_state"] == "awake"
    assert float(rows[7]["probability_rem"]) == 1.0
    said = describe_certainty(hypnogram)
    # One of seven epochs with data each; one of five that were classified both times.
    assert "14.3 % are too close to call (ambiguous), 14.3 % look like no state" in said[0]
    assert said[1].startswith("in 20.0 % of the epochs")
    assert "told by delta, emg" in said[2]
    assert describe_certainty(HYPNOGRAM) == ()


def test_an_unknown_start_has_no_local_time() -> None:
    rows = read(hypnogram_csv(make_session(None), HYPNOGRAM))
    assert {row["local_time"] for row in rows} == {""}


def test_days_carry_hours_and_minutes() -> None:
    rows = read(day_summaries_csv([make_summary(), make_summary(date="", day_number=1)]))
    assert len(rows) == 6
    whole, light = rows[0], rows[1]
    parts = [float(whole[n]) for n in ("recorded_s", "gap_s", "quarantined_s", "outside_s")]
    assert sum(parts) == 86_400
    assert float(whole["nrem_min"]) == 500
    assert light["phase"] == "light"
    assert light["recorded_s"] == ""
    assert float(light["awake_min"]) == 300
    assert rows[3]["date"] == ""
    assert rows[3]["day"] == "2"


def test_power_is_empty_where_unknown_and_no_formula_gets_through() -> None:
    rows = read(state_power_csv([make_summary()]))
    assert len(rows) == 8
    assert {row["region"] for row in rows} == {"'=CA1", "PFC"}
    unknown = next(r for r in rows if r["state"] == "unclassified" and r["region"] != "PFC")
    assert unknown["mean_power_uv2"] == ""
    nrem = next(r for r in rows if r["state"] == "NREM" and r["region"] == "PFC")
    assert float(nrem["mean_power_uv2"]) == 40
    assert (nrem["low_hz"], nrem["high_hz"]) == ("1", "4")


def test_bouts_are_counted_and_measured() -> None:
    rows = {row[0]: row[1:] for row in bouts_table(HYPNOGRAM).rows}
    assert rows["awake"] == ("1", "8", "8", "8")
    assert rows["NREM"] == ("2", "8", "8", "12")
    assert rows["unclassified"] == ("0", "–", "–", "–")
    assert State.REM.label in rows


def test_minutes_have_a_sum() -> None:
    table = minutes_table([make_summary()])
    assert table.columns == ("day", "phase", "awake", "unclassified", "NREM", "REM", "sum")
    assert table.rows[0] == ("2026-05-12", "whole day", "700.0", "10.0", "500.0", "100.0", "1310.0")
