"""Figures of active and quiet waking."""

from __future__ import annotations

import numpy as np

from wakeful.figures import draw_wake_kinds, render
from wakeful.model.epochs import BandPower, Hypnogram, MuscleTone, State
from wakeful.model.movement import WakeKind, WakeKinds
from wakeful.model.subject import Session, Subject


def test_a_session_that_nobody_could_score_has_a_figure_that_says_so() -> None:
    """All unclassified: there is no epoch to show, and axes of powers have no logarithm then."""
    n = 30
    start_s = np.arange(n) * 4.0
    unknown = np.full(n, State.UNCLASSIFIED, np.int8)
    hypnogram = Hypnogram(
        start_s=start_s,
        raw_state=unknown,
        state=unknown,
        confidence=np.zeros(n, np.float32),
        epoch_s=4.0,
        scorer="s",
    )
    kinds = WakeKinds(
        start_s=start_s,
        kind=np.full(n, WakeKind.NONE, np.int8),
        evidence=np.full(n, np.nan, np.float32),
        threshold=float("nan"),
        method="",
        signals=(),
        epoch_s=4.0,
        notes=("nothing was scored",),
    )
    power = BandPower(
        start_s=start_s,
        power_uv2=np.ones((n, 1, 2), np.float32),
        regions=("CA1",),
        bands=("delta", "theta"),
        edges_hz=((1.0, 4.0), (6.0, 9.0)),
        epoch_s=4.0,
    )
    tone = MuscleTone(
        start_s=start_s,
        emg_uv=np.ones(n, np.float32),
        lfp_emg=np.ones(n, np.float32),
        emg_channels=("EMG1",),
        emg_band_hz=(20.0, 100.0),
        epoch_s=4.0,
    )
    session = Session(name="a", subject=Subject(identifier="M1"), start_utc=None, duration_s=120.0)
    figure = draw_wake_kinds(session, hypnogram, kinds, power, tone)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert any("no epoch of any state" in text for text in texts)
    assert render(figure, "png", "a" * 64)[:4] == b"\x89PNG"
