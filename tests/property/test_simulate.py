"""Whatever is asked of the simulator, pieces fit together and nothing is lost."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.model.epochs import State
from wakeful.model.time import Interval
from wakeful.simulate import (
    RecordingPlan,
    RegionPlan,
    RegionProfile,
    Signal,
    SubjectPlan,
    simulate_hypnogram,
    simulate_subject,
)

SMALL = (RegionPlan(name="CA1", profile=RegionProfile.HIPPOCAMPUS, n_channels=2),)


@settings(deadline=None, max_examples=15)
@given(
    seed=st.integers(0, 2**31),
    rate_hz=st.sampled_from([200, 250, 1000, 2000, 30_000]),
    cuts=st.lists(st.floats(0, 1), max_size=4),
)
def test_any_cut_gives_the_same_bits(seed: int, rate_hz: int, cuts: list[float]) -> None:
    plan = RecordingPlan(subject=SubjectPlan(seed=seed, regions=SMALL), duration_s=16.0)
    n_samples = 7 * rate_hz
    whole = Signal(plan, rate_hz).read_uv(0, n_samples)
    edges = [0, *sorted(round(cut * n_samples) for cut in cuts), n_samples]
    signal = Signal(plan, rate_hz)
    order = list(range(len(edges) - 1))
    pieces = {i: signal.read_uv(edges[i], edges[i + 1] - edges[i]) for i in reversed(order)}
    assert np.array_equal(whole, np.concatenate([pieces[i] for i in order], axis=1))
    assert np.isfinite(whole).all()


@settings(deadline=None, max_examples=25)
@given(
    edges_s=st.lists(
        st.floats(0.01, 59.9, allow_nan=False), min_size=2, max_size=6, unique=True
    ).map(sorted),
    drift_ppm=st.floats(-200, 200),
)
def test_recorded_time_and_gaps_add_up(edges_s: list[float], drift_ppm: float) -> None:
    pairs = zip(edges_s[::2], edges_s[1::2], strict=False)
    gaps = tuple(Interval(start_s, stop_s) for start_s, stop_s in pairs)
    plan = RecordingPlan(
        subject=SubjectPlan(regions=SMALL, n_emg=0),
        duration_s=60.0,
        gaps=gaps,
        clock_drift_ppm=drift_ppm,
    )
    mouse = simulate_subject(plan, 200)
    recorded_s = sum(span.n_samples / span.rate_hz for span in mouse.spans)
    lost_s = sum(gap.duration_s for gap in gaps)
    assert abs(recorded_s + lost_s - 60.0) <= (len(gaps) + 1) * 1.01 / 200
    assert mouse.samples_uv.shape[1] == sum(span.n_samples for span in mouse.spans)
    for span in mouse.spans:
        assert all(span.interval.intersect(gap).duration_s <= 1.01 / 200 for gap in gaps)
    touched = [
        any(gap.start_s < 4 * i + 4 and gap.stop_s > 4 * i for gap in gaps) for i in range(15)
    ]
    assert (mouse.truth.state == State.NO_DATA).tolist() == touched


@settings(deadline=None, max_examples=20)
@given(
    seed=st.integers(0, 2**31),
    start_zeitgeber_h=st.floats(0, 23.99),
    epoch_s=st.sampled_from([1.0, 2.5, 4.0, 10.0]),
)
def test_epochs_share_out_all_of_the_time(
    seed: int, start_zeitgeber_h: float, epoch_s: float
) -> None:
    plan = RecordingPlan(
        subject=SubjectPlan(seed=seed),
        duration_s=3600.0,
        start_zeitgeber_h=start_zeitgeber_h,
        epoch_s=epoch_s,
    )
    hypnogram = simulate_hypnogram(plan)
    n_epochs = round(3600 / epoch_s)
    share = hypnogram.share(n_epochs, epoch_s)
    assert np.allclose(share.sum(1), 1)
    assert np.allclose(
        share.sum(0) * epoch_s, np.bincount(hypnogram.substate[:3600], minlength=5), atol=1e-6
    )
    state, _, purity = hypnogram.epochs(n_epochs, epoch_s)
    assert set(state.tolist()) <= {State.AWAKE, State.NREM, State.REM}
    assert np.all((purity > 1 / 3 - 1e-6) & (purity <= 1 + 1e-6))
