"""The night shift of a neuroscience lab.

>>> import wakeful
>>> library = wakeful.open_library("mylab")                     # doctest: +SKIP
>>> library.session("2026-01-12_11-00-00_rec").hypnogram.minutes()  # doctest: +SKIP

The names below are loaded when they are first used, so that importing Wakeful costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_WHERE = {
    "compute_aperiodic": "wakeful.analysis",
    "compute_band_power": "wakeful.analysis",
    "compute_channel_quality": "wakeful.analysis",
    "compute_channel_spectrogram": "wakeful.channel_spectra",
    "compute_connectivity": "wakeful.analysis",
    "compute_lfp": "wakeful.analysis",
    "compute_muscle_tone": "wakeful.analysis",
    "compute_sleep_features": "wakeful.analysis",
    "compute_spectrogram": "wakeful.analysis",
    "make_source": "wakeful.analysis",
    "open_library": "wakeful.analysis",
    "score_sleep": "wakeful.analysis",
    "fit_spectra": "wakeful.signal.aperiodic",
    "FitPlan": "wakeful.signal.aperiodic",
    "compute_agreement": "wakeful.sleep.agreement",
    "compute_day_outcomes": "wakeful.sleep.baseline",
    "compute_hypnogram_coverage": "wakeful.sleep.evaluation",
    "set_against_baseline": "wakeful.sleep.baseline",
    "read_nev": "wakeful.io.neuralynx_events",
    "read_nvt": "wakeful.io.neuralynx_events",
    "read_recording": "wakeful.io.recording",
    "detect_line_edges": "wakeful.signal.ttl",
    "fit_clock": "wakeful.clock",
    "time_frames": "wakeful.clock",
    "simulate_camera": "wakeful.simulate",
    "simulate_subject": "wakeful.simulate",
    "CameraPlan": "wakeful.simulate",
    "RecordingPlan": "wakeful.simulate",
    "SubjectPlan": "wakeful.simulate",
    "ChannelQuality": "wakeful.model.quality",
    "FaultKind": "wakeful.model.quality",
    "Mark": "wakeful.model.quality",
    "Verdict": "wakeful.model.quality",
    "join_faults": "wakeful.model.quality",
    "BandPower": "wakeful.model.epochs",
    "Hypnogram": "wakeful.model.epochs",
    "MuscleTone": "wakeful.model.epochs",
    "SleepFeatures": "wakeful.model.epochs",
    "Spectrogram": "wakeful.model.epochs",
    "State": "wakeful.model.epochs",
    "Connectivity": "wakeful.model.rhythms",
    "SpectralFit": "wakeful.model.rhythms",
    "Lfp": "wakeful.model.arrays",
    "Channel": "wakeful.model.subject",
    "ChannelKind": "wakeful.model.subject",
    "NwbOptions": "wakeful.publish.contents",
    "Session": "wakeful.model.subject",
    "Subject": "wakeful.model.subject",
    "Interval": "wakeful.model.time",
    "Span": "wakeful.model.time",
    "WakefulError": "wakeful.model.errors",
}

__all__ = sorted(_WHERE)  # noqa: PLE0605 -- names, as it must be


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'wakeful' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return [*__all__]
