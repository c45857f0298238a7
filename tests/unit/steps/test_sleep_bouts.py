"""The step of bouts and transitions."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path

import numpy as np
import pytest

from wakeful.figures import render
from wakeful.io.codec import read_value, write_value
from wakeful.model.bouts import Bouts, BoutStatistics, StateHours
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadParameters
from wakeful.model.ictal import IctalIntervals
from wakeful.model.subject import LightSchedule, Session, Subject
from wakeful.model.time import Interval, Quarantine
from wakeful.steps.sleep_bouts import STEP, Inputs, Params, compute, draw

N_EPOCHS = 21_600
A, U, N, R = 0, 1, 2, 3


def make_inputs(start: datetime | None = datetime(2026, 3, 2, 9, 20, tzinfo=UTC)) -> Inputs:
    state = np.tile(np.repeat([A, N, R, A, N], [60, 100, 20, 3, 42]), N_EPOCHS // 225)
    state[-100:] = State.NO_DATA
    return Inputs(
        hypnogram=Hypnogram(
            start_s=np.arange(N_EPOCHS) * 4.0,
            raw_state=state.astype(np.int8),
            state=state.astype(np.int8),
            confidence=np.ones(N_EPOCHS, np.float32),
            epoch_s=4.0,
            scorer="s",
        ),
        session=Session(
            name="2026-03-02",
            subject=Subject(identifier="M1"),
            start_utc=start,
            duration_s=N_EPOCHS * 4.0,
            time_zone="Europe/Zurich",
            light=LightSchedule(on=time(7, 30), off=time(19, 30)),
        ),
    )


def test_hours_of_zeitgeber_time() -> None:
    """10:20 local is ZT 2:50: the first hour begins ten minutes later."""
    hours = compute(make_inputs(), Params()).state_hours
    assert hours.start_s[:2].tolist() == [-50 * 60.0, 10 * 60.0]
    assert hours.zeitgeber_h[:3].tolist() == [2, 3, 4]
    assert hours.zeitgeber_h.max() == 23
    assert hours.minutes[0].sum() == pytest.approx(10.0)
    assert hours.minutes[1].sum() == pytest.approx(60.0)


def test_light_and_dark_add_up() -> None:
    found = compute(make_inputs(), Params()).bout_statistics
    assert found.phases == ("whole", "light", "dark")
    assert found.minutes[1:].sum(axis=0) == pytest.approx(found.minutes[0])
    assert (found.n_bouts[1:].sum(axis=0) == found.n_bouts[0]).all()
    assert found.minutes[2].sum() == pytest.approx(720.0)  # 19:30 to 7:30


def test_without_a_clock_hours_count_from_the_start() -> None:
    found = compute(make_inputs(None), Params())
    assert found.state_hours.start_s[:2].tolist() == [0.0, 3600.0]
    assert np.isnan(found.state_hours.zeitgeber_h).all()
    assert found.bout_statistics.phases == ("whole",)


def test_quarantined_and_ictal_epochs_are_in_no_number() -> None:
    inputs = make_inputs()
    from dataclasses import replace

    plain = compute(inputs, Params()).bout_statistics
    apart = Quarantine(Interval(400.0, 500.0), "clock stepped back")
    ictal = IctalIntervals(
        start_s=np.array([1000.0]), stop_s=np.array([1060.0]), kind=np.array([1], np.int8)
    )
    found = compute(replace(inputs, quarantined=(apart,), ictal=ictal), Params()).bout_statistics
    assert plain.minutes[0].sum() - found.minutes[0].sum() == pytest.approx(160 / 60)
    assert found.ictal_min == pytest.approx(1.0)
    assert any("1.0 min ictal" in note for note in found.notes)


def test_a_week_across_a_change_of_the_clocks() -> None:
    """Hours stay whole hours of zeitgeber time when the clocks go forward (2026-03-29)."""
    inputs = make_inputs(datetime(2026, 3, 28, 9, 20, tzinfo=UTC))
    hours = compute(inputs, Params()).state_hours
    assert np.allclose(np.diff(hours.start_s), 3600)
    assert set(np.diff(hours.zeitgeber_h) % 24) == {1.0, 2.0}  # ZT 2 to 3 does not exist twice
    assert (hours.zeitgeber_h % 1 == 0).all()


def test_its_results_can_be_stored(tmp_path: Path) -> None:
    found = compute(make_inputs(), Params())
    for name, kind in (
        ("bouts", Bouts),
        ("state_hours", StateHours),
        ("bout_statistics", BoutStatistics),
    ):
        tree = write_value(tmp_path, name, getattr(found, name))
        back = read_value(tmp_path, tree, kind)
        assert type(back) is kind
    assert back.notes == found.bout_statistics.notes


def test_parameters_are_checked() -> None:
    with pytest.raises(BadParameters, match="brief_awakening_s"):
        STEP.make_params({"brief_awakening_s": -1.0})
    assert STEP.input_fields()["ictal"] is True


@pytest.mark.parametrize("n_epochs", [0, 1, 5, 900])
def test_short_sessions_are_drawn(n_epochs: int) -> None:
    from dataclasses import replace

    inputs = make_inputs()
    short = replace(
        inputs,
        hypnogram=inputs.hypnogram.cut(Interval(0.0, n_epochs * 4.0)),
        session=replace(inputs.session, duration_s=max(n_epochs, 1) * 4.0),
    )
    found = compute(short, Params())
    (figure,) = draw(short, Params(), found).values()
    assert render(figure, "png", "a" * 64)


def test_the_figure_says_what_was_counted() -> None:
    inputs = make_inputs()
    found = compute(inputs, Params())
    (figure,) = draw(inputs, Params(), found).values()
    texts = [t.get_text() for axes in figure.axes for t in axes.texts]
    texts += [t.get_text() for t in figure.texts]
    rate = f"{found.bout_statistics.brief_awakenings_per_hour[0]:.1f} per h of sleep"
    assert any(rate in text for text in texts)
    assert any("100 %\n95" in text for text in texts)  # REM is always followed by awake
    assert render(figure, "png", "a" * 64) == render(
        next(iter(draw(inputs, Params(), found).values())), "png", "a" * 64
    )
