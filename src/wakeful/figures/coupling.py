"""Comodulograms: fast amplitudes against slow phases."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from wakeful.figures import frame, panels, style
from wakeful.model.rhythms import PhaseAmplitude
from wakeful.model.subject import Session

_WIDEST_MM, _HIGH_MM, _ACROSS_MM, _DOWN_MM = 57.0, 30.0, 9.0, 15.0
_MOST = 4
"""Comodulograms side by side; more go below."""
_LEAST_INDEX = 2e-4
"""The least that the colours span: less is what chance gives, and would look like a finding."""


def draw_phase_amplitude(session: Session, coupling: PhaseAmplitude) -> Figure:
    """A comodulogram for each region and state; one scale of colours for each region."""
    n_regions, n_states = len(coupling.regions), len(coupling.states)
    # Of few regions the states lie side by side, of many below each other.
    beside = n_regions <= _MOST // 2
    across = max(1, n_regions * n_states if beside else min(_MOST, n_regions))
    down = 1 if beside else -(-n_regions // across) * n_states
    high_mm = 12.0 + down * (_HIGH_MM + _DOWN_MM) + 3.5 * len(coupling.notes) + 3.0
    between_mm = _ACROSS_MM + 8.0
    room_mm = style.WIDTH_MM - style.LEFT_MM - 14.0 - (across - 1) * between_mm
    wide_mm = min(room_mm / across, _WIDEST_MM)
    with style.house_style():
        figure = style.new_figure(style.WIDTH_MM, high_mm)
        for region in range(n_regions):
            for state in range(n_states):
                if beside:
                    row, column = 0, region * n_states + state
                else:
                    row, column = divmod(region, across)
                    row = row * n_states + state
                left_mm = style.LEFT_MM + column * (wide_mm + between_mm)
                top_mm = 12.0 + row * (_HIGH_MM + _DOWN_MM)
                axes = style.place_axes(figure, left_mm, top_mm, wide_mm, _HIGH_MM)
                _draw(axes, coupling, state, region, first=column == 0)
        for i, note in enumerate(coupling.notes):
            figure.text(
                style.LEFT_MM / style.WIDTH_MM,
                (2.0 + 3.5 * (len(coupling.notes) - i - 1) + 1.5) / high_mm,
                note,
                fontsize=style.NOTE_PT,
                color=style.FAINT,
                parse_math=False,
            )
        parts = [session.subject.identifier, session.name, "theta-gamma coupling", coupling.date]
        style.write_title(figure, "  ·  ".join(part for part in parts if part))
    return figure


def _draw(axes: Axes, coupling: PhaseAmplitude, state: int, region: int, *, first: bool) -> None:
    used_min = coupling.used_s[state, region] / 60
    frame.title_panel(
        axes,
        panels.region_label(coupling.regions[region]),
        f"{used_min:.0f} min",
        what=f": {coupling.states[state]}",
    )
    index = coupling.modulation_index[state, region]
    if not np.isfinite(index).any():
        frame.say_instead(axes, f"less than {coupling.least_s:g} s of {coupling.states[state]}", 3)
        axes.set_xticks([])
        return
    axes.set_xlabel(f"phase of {coupling.channels[region][state]} (Hz)")
    if first:
        axes.set_ylabel("amplitude (Hz)")
    of_region = coupling.modulation_index[:, region]
    top = max(_LEAST_INDEX, float(np.nanmax(of_region)))
    norm = Normalize(0.0, 1000 * top)
    shades = ScalarMappable(norm, style.spectrogram_map())
    phase_hz, amplitude_hz = coupling.phase_hz, coupling.amplitude_hz
    half = ((phase_hz[1] - phase_hz[0]) / 2, (amplitude_hz[1] - amplitude_hz[0]) / 2)
    axes.imshow(
        1000 * index.T,
        origin="lower",
        aspect="auto",
        extent=(
            phase_hz[0] - half[0],
            phase_hz[-1] + half[0],
            amplitude_hz[0] - half[1],
            amplitude_hz[-1] + half[1],
        ),
        cmap=shades.cmap,
        norm=norm,
    )
    axes.set_xticks([4, 6, 8, 10, 12])
    _outline(axes, coupling, index > coupling.chance[state, region], half)
    bar_axes = style.beside_axes(axes, 1.0, 1.5)
    figure = axes.get_figure(root=True)
    if figure is not None:
        bar = figure.colorbar(shades, cax=bar_axes)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=style.NOTE_PT - 0.5, length=1.5)
        bar.ax.locator_params(nbins=3)
        bar.ax.set_xlabel("MI\n× 10⁻³", fontsize=style.NOTE_PT, labelpad=3)


def _outline(
    axes: Axes, coupling: PhaseAmplitude, above: np.ndarray, half: tuple[float, float]
) -> None:
    """Lines around the cells that exceed chance."""
    padded = np.pad(above, 1)
    for i, j in np.argwhere(padded):
        phase, amplitude = coupling.phase_hz[i - 1], coupling.amplitude_hz[j - 1]
        left, right = phase - half[0], phase + half[0]
        low, high = amplitude - half[1], amplitude + half[1]
        for is_above, x, y in (
            (padded[i - 1, j], (left, left), (low, high)),
            (padded[i + 1, j], (right, right), (low, high)),
            (padded[i, j - 1], (left, right), (low, low)),
            (padded[i, j + 1], (left, right), (high, high)),
        ):
            if not is_above:
                axes.plot(x, y, color="white", lw=0.7)
