"""Days of two sessions held against each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time

import numpy as np
import pytest

from wakeful.config import Config, Library, write_library
from wakeful.model.bouts import STATES, StateHours
from wakeful.model.epochs import BandPower, Hypnogram, State
from wakeful.model.errors import BadParameters, Unavailable
from wakeful.model.subject import Channel, LightSchedule, Session, Subject
from wakeful.model.time import Interval, Quarantine
from wakeful.publish.contents import SessionContents
from wakeful.service.baseline import compare_with_baseline, known_baseline


def make_contents(name: str, gain: float) -> SessionContents:
    """Two days of NREM from local midnight on, lights on at midnight."""
    n, n_hours = 48 * 900, 48
    state = np.full(n, State.NREM, np.int8)
    minutes = np.zeros((n_hours, 4))
    minutes[:, STATES.index(State.NREM)] = 60.0
    start_s = np.arange(n) * 4.0
    return SessionContents(
        name=name,
        session=Session(
            name=name,
            subject=Subject(identifier="M1"),
            start_utc=datetime(2026, 3, 2, tzinfo=UTC),
            duration_s=48 * 3600.0,
            time_zone="UTC",
            light=LightSchedule(on=time(0), off=time(12)),
        ),
        subject=Subject(identifier="M1"),
        recording_format="x",
        source="x",
        stream="x",
        channels=(Channel(name="C1", region="CA1"),),
        band_power=BandPower(
            start_s=start_s,
            power_uv2=np.full((n, 1, 1), 3 * gain, np.float32),
            regions=("CA1",),
            bands=("delta",),
            edges_hz=((1.0, 4.0),),
            epoch_s=4.0,
        ),
        hypnogram=Hypnogram(
            start_s=start_s,
            raw_state=state,
            state=state,
            confidence=np.ones(n, np.float32),
            epoch_s=4.0,
            scorer="s",
        ),
        tables={
            "state_hours": StateHours(
                start_s=np.arange(n_hours) * 3600.0,
                minutes=minutes,
                share=minutes / 60,
                zeitgeber_h=np.arange(n_hours) % 24.0,
                left_out_min=np.zeros(n_hours),
                wake_minutes=np.full((n_hours, 3), np.nan),
                states=tuple(s.label for s in STATES),
            )
        },
        code_version="x",
    )


FIRST, SECOND = date(2026, 3, 2), date(2026, 3, 3)


def test_a_day_against_another_session() -> None:
    base = make_contents("base", 1.0)
    bad = Quarantine(Interval(86_400.0, 90_000.0), "why")
    found = compare_with_baseline(
        replace(make_contents("drug", 0.5), quarantined=(bad,)), SECOND, base, FIRST
    )
    assert found.day.start_s[0] == 86_400.0
    assert found.day.name == "drug 2026-03-03"
    assert np.isnan(found.density_percent[0, 1])
    np.testing.assert_allclose(found.density_percent[1:, 1], 50)
    np.testing.assert_allclose(found.share_percent[:, 1], 100)


def test_what_does_not_go_together_is_refused() -> None:
    drug, base = make_contents("drug", 0.5), make_contents("base", 1.0)
    with pytest.raises(BadParameters, match="drug is of M1, base of M2"):
        compare_with_baseline(drug, FIRST, replace(base, subject=Subject(identifier="M2")), FIRST)
    moved = replace(base, channels=(Channel(name="C1", region="PFC"),))
    with pytest.raises(BadParameters, match="channels C1 are not the same"):
        compare_with_baseline(drug, FIRST, moved, FIRST)
    with pytest.raises(Unavailable, match="no result of sleep_bouts, band_power"):
        compare_with_baseline(drug, FIRST, replace(base, tables={}, band_power=None), FIRST)
    with pytest.raises(BadParameters, match="its days are 2026-03-02, 2026-03-03"):
        compare_with_baseline(drug, FIRST, base, date(2026, 3, 9))
    with pytest.raises(BadParameters, match="ZT 0 comes 2 times"):
        compare_with_baseline(drug, None, base, FIRST)


def test_the_baseline_of_an_animal_is_the_session_that_had_begun_by_its_first_day(tmp_path):
    library = write_library(tmp_path / "library", Config())
    for name in ("2026-02-10_07-00-00_a", "2026-02-19_07-00-00_b", "2026-02-21_07-00-00_c"):
        (library.published / "M1" / name).mkdir(parents=True)
    with pytest.raises(BadParameters, match="no baseline day is known of M1"):
        known_baseline(library, "M1", None)
    told = Config.model_validate({"subjects": {"M1": {"baseline": "2026-02-20 to 2026-02-22"}}})
    library = Library(library.root, told)
    found = ("2026-02-19_07-00-00_b", date(2026, 2, 20))
    assert known_baseline(library, "M1", None) == found
    assert known_baseline(library, "M1", date(2026, 2, 11))[0] == "2026-02-10_07-00-00_a"
    with pytest.raises(BadParameters, match="no session of M1 had begun on 2026-02-01"):
        known_baseline(library, "M1", date(2026, 2, 1))
