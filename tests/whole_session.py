"""A session with everything that can be handed on, made of planted numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import numpy as np

from wakeful.model.arrays import Lfp, MemorySource
from wakeful.model.epochs import (
    PER_ROW,
    BandPower,
    Hypnogram,
    LfpEmg,
    MuscleTone,
    Rows,
    Spectrogram,
)
from wakeful.model.events import EventSeries, VideoTrack
from wakeful.model.pose import Pose
from wakeful.model.subject import Channel, ChannelKind, LightSchedule, Session, Subject
from wakeful.model.time import Interval, Quarantine, Span
from wakeful.publish.contents import LabFacts, MadeBy, SessionContents

EPOCH_S = 4.0
N_EPOCHS = 30
CHANNELS = (
    Channel(name="CSC1", region="CA1", gain_uv=0.5, x_mm=1.5, reference="cerebellum"),
    Channel(name="CSC2", region="VISp", gain_uv=-0.25, polarity=-1, highpass_hz=0.1),
    Channel(name="EMG1", region="neck", kind=ChannelKind.EMG, gain_uv=2.0, notes="left"),
)
SPANS = (Span(0.0, 40_000, 1000.0, 0), Span(50.0, 70_035, 1000.5, 50_000))
"""A gap of ten seconds, and another clock after it."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ChannelQuality(Rows):
    """A table that no exporter knows."""

    noise_uv: np.ndarray = field(metadata=PER_ROW)
    channels: tuple[str, ...]


def make_samples() -> np.ndarray:
    """(channel, number of the sample), each sample known by its place."""
    numbers = np.arange(120_035)
    return np.stack([numbers % 1000, numbers % 997, numbers % 313]).astype(np.int16)


def make_contents(**changes: object) -> SessionContents:
    start_s = np.arange(N_EPOCHS) * EPOCH_S
    rng = np.random.default_rng(0)
    gap = (start_s + EPOCH_S > 40) & (start_s < 50)
    power = rng.random((N_EPOCHS, 2, 12)).astype(np.float32)
    bands = rng.random((N_EPOCHS, 2, 2)).astype(np.float32)
    emg = rng.random(N_EPOCHS).astype(np.float32)
    for values in (power, bands, emg):
        values[gap] = np.nan
    state = np.repeat([0, 2, -1, 2, 3], [8, 2, 3, 10, 7]).astype(np.int8)
    spectrogram = Spectrogram(
        start_s=start_s,
        power_uv2_per_hz=power,
        frequency_hz=np.arange(12) / 4,
        regions=("CA1", "VISp"),
        channels=(("CSC1",), ("CSC2",)),
        epoch_s=EPOCH_S,
        method="multitaper, 3 tapers",
    )
    made = MadeBy(
        step="convert",
        version=1,
        scope="block 0",
        interval=Interval(0, 120),
        key="ab" * 32,
        inputs=("cd" * 32,),
        changed="lfp_rate_hz = 1000.0",
        params="lfp_rate_hz = 1000.0; lfp_emg_bin_s = 0.5",
        code_version="0.1.0",
        libraries="numpy 2.4.6",
        machine="a processor",
        made_utc="2026-03-02T12:00:00+00:00",
    )
    frames = np.arange(90) / 30.0
    keypoints = rng.random((90, 2)).astype(np.float32)
    pose = Pose(
        start_s=frames,
        x_px=keypoints,
        y_px=keypoints + 1,
        confidence=keypoints,
        keypoints=("snout", "tailbase"),
        edges=((0, 1),),
        software="DeepLabCut 3.0",
        video="cam1.mp4",
        width_px=640,
        height_px=480,
    )
    values: dict[str, object] = {
        "name": "2026-03-02_10-15-00_rec",
        "session": Session(
            name="2026-03-02_10-15-00_rec",
            subject=Subject(identifier="M014"),
            start_utc=datetime(2026, 3, 2, 9, 15, tzinfo=UTC),
            duration_s=120.0,
            time_zone="Europe/Berlin",
            light=LightSchedule(),
        ),
        "subject": Subject(
            identifier="M014", species="Mus musculus", sex="F", birth=date(2025, 12, 2)
        ),
        "strain": "C57BL/6J",
        "lab": LabFacts(
            institution="A university",
            lab="A lab",
            experimenters=("Doe, Jane",),
            keywords=("sleep",),
        ),
        "recording_format": "neuralynx",
        "source": "rec",
        "stream": "2000Hz-3ch",
        "channels": CHANNELS,
        "quarantined": (Quarantine(Interval(60.0, 61.0), "the clock stepped back"),),
        "lfp": Lfp(MemorySource(make_samples(), CHANNELS, SPANS), 1000.0),
        "spectrogram": (spectrogram.cut(Interval(0, 60)), spectrogram.cut(Interval(60, 120))),
        "band_power": BandPower(
            start_s=start_s,
            power_uv2=bands,
            regions=("CA1", "VISp"),
            bands=("delta", "theta"),
            edges_hz=((1.0, 4.0), (6.0, 9.0)),
            epoch_s=EPOCH_S,
        ),
        "lfp_emg": LfpEmg(
            start_s=start_s, correlation=emg, bin_s=EPOCH_S, channels=("CSC1", "CSC2")
        ),
        "muscle": MuscleTone(
            start_s=start_s,
            emg_uv=emg,
            lfp_emg=emg,
            emg_channels=("EMG1",),
            emg_band_hz=(30.0, 300.0),
            epoch_s=EPOCH_S,
        ),
        "hypnogram": Hypnogram(
            start_s=start_s,
            raw_state=state,
            state=state,
            confidence=emg,
            epoch_s=EPOCH_S,
            scorer="label-free 1",
            notes=("EMG used",),
        ),
        "tables": {
            "channel_quality": ChannelQuality(
                start_s=np.array([0.0, 60.0]), noise_uv=rng.random((2, 3)), channels=("a", "b", "c")
            )
        },
        "poses": {"pose": (pose.cut(Interval(0, 1)), pose.cut(Interval(1, 3)))},
        "events": (
            EventSeries(
                name="Events",
                time_s=np.array([5.0, 1.0, 3.0, 7.5]),
                code=np.array([1, 0, 1, 0]),
                label=("up", "", "up", "down"),
                file="Events.nev",
            ),
        ),
        "tracks": (
            VideoTrack(
                name="VT1",
                time_s=np.arange(50) * 0.04,
                x_px=np.r_[np.nan, np.arange(49.0)],
                y_px=np.r_[np.nan, np.arange(49.0)],
                angle_deg=np.arange(50.0),
                file="VT1.nvt",
            ),
        ),
        "made_by": (made,),
        "code_version": "0.1.0",
        "notes": ("the clock stepped back once",),
    }
    return SessionContents(**{**values, **changes})  # type: ignore[arg-type]
