"""Figures in one house style, drawn without any global state and the same byte for byte."""

from __future__ import annotations

from wakeful.figures.animals import draw_animals
from wakeful.figures.bouts import draw_bouts
from wakeful.figures.coupling import draw_phase_amplitude
from wakeful.figures.coverage import draw_coverage
from wakeful.figures.day import (
    draw_band_power,
    draw_day,
    draw_hypnogram,
    draw_muscle,
    draw_spectrogram,
)
from wakeful.figures.features import draw_sleep_features
from wakeful.figures.label_curve import draw_label_curve
from wakeful.figures.quality import FAULT_COLOURS, draw_channel_quality
from wakeful.figures.render import FORMATS, Format, read_key, render, stamp
from wakeful.figures.rhythms import draw_connectivity, draw_spectral_fit
from wakeful.figures.scorers import draw_scorers
from wakeful.figures.sleep_events import draw_sleep_events
from wakeful.figures.spectra import draw_state_spectra
from wakeful.figures.style import STATE_COLOURS, STATE_ROWS, STYLE_VERSION
from wakeful.figures.wake_kinds import draw_wake_kinds

__all__ = [
    "FAULT_COLOURS",
    "FORMATS",
    "STATE_COLOURS",
    "STATE_ROWS",
    "STYLE_VERSION",
    "Format",
    "draw_animals",
    "draw_band_power",
    "draw_bouts",
    "draw_channel_quality",
    "draw_connectivity",
    "draw_coverage",
    "draw_day",
    "draw_hypnogram",
    "draw_label_curve",
    "draw_muscle",
    "draw_phase_amplitude",
    "draw_scorers",
    "draw_sleep_events",
    "draw_sleep_features",
    "draw_spectral_fit",
    "draw_spectrogram",
    "draw_state_spectra",
    "draw_wake_kinds",
    "read_key",
    "render",
    "stamp",
]
