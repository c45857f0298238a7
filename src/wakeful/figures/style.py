"""The house style: sizes, fonts and colours that are the same on every figure."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from wakeful.figures import lettering
from wakeful.model.epochs import State

WIDTH_MM = 180.0
"""Two columns of a journal page."""
LEFT_MM, RIGHT_MM = 18.0, 27.0
"""Margins: tick labels and units on the left, colour bars and numbers on the right."""
FOOT_MM = 7.0
"""Room below the lowest axis for the receipt key."""
MM_PER_INCH = 25.4
PNG_DPI = 200

STATE_COLOURS: Mapping[State, str] = MappingProxyType(
    {
        State.AWAKE: "#E8A317",
        State.UNCLASSIFIED: "#BBBBBB",
        State.NREM: "#2F6DB5",
        State.REM: "#A01A58",
        State.NO_DATA: "#E9E9E9",
    }
)
"""Told apart by readers with any of the three dichromacies, and by their lightness alone."""
WAKE_COLOURS: Mapping[str, str] = MappingProxyType(
    {"active": "#B26A00", "quiet": "#F2CB6C", "not told": "#E8A317"}
)
"""The parts of waking: the colour of awake, darker and lighter."""
STATE_ROWS = (State.AWAKE, State.UNCLASSIFIED, State.NREM, State.REM)
"""The rows of a hypnogram, top to bottom."""

INK = "#1A1A1A"
FAINT = "#6B6B6B"
GAP_FACE, GAP_HATCH = "#E9E9E9", "#B0B0B0"
OUTSIDE = "#F7F7F7"
QUARANTINE = "#7B4B94"
RECORDED = "#4A4A4A"
LIGHT_ON, LIGHT_OFF = "#FBE9A5", "#3A3A3A"
SPECTROGRAM_MAP = "magma"

POINTS_PER_MM = 72 / MM_PER_INCH
TITLE_PT, LABEL_PT, TICK_PT, NOTE_PT = 8.5, 7.0, 6.5, 6.0

# What a figure looks like may not hang on the matplotlibrc of the machine it is drawn on.
_MACHINE = {"backend", "backend_fallback", "interactive", "toolbar", "timezone", "webagg"}
_HOUSE: dict[str, Any] = {
    "font.family": lettering.FAMILY,
    "font.size": LABEL_PT,
    "axes.titlesize": LABEL_PT,
    "axes.labelsize": LABEL_PT,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlepad": 2.0,
    "axes.labelpad": 2.0,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": TICK_PT,
    "ytick.labelsize": TICK_PT,
    "xtick.major.size": 2.0,
    "ytick.major.size": 2.0,
    "xtick.minor.size": 1.2,
    "ytick.minor.size": 1.2,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.minor.width": 0.35,
    "ytick.minor.width": 0.35,
    "xtick.major.pad": 1.5,
    "ytick.major.pad": 1.5,
    "lines.linewidth": 0.8,
    "patch.linewidth": 0.0,
    "hatch.linewidth": 0.4,
    "legend.fontsize": NOTE_PT,
    "legend.frameon": False,
    "image.interpolation": "nearest",
    "svg.hashsalt": "wakeful",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "path.simplify": True,
}
_lock = threading.RLock()


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's defaults with the house style on top; one thread at a time."""
    settings: dict[Any, Any] = {
        k: v for k, v in mpl.rcParamsDefault.items() if k.split(".")[0] not in _MACHINE
    }
    settings.update(_HOUSE)
    with _lock, mpl.rc_context(settings):
        yield


def spectrogram_map() -> Colormap:
    """The perceptual map of spectrograms; what is not a number stays blank."""
    return colormaps[SPECTROGRAM_MAP].with_extremes(bad=(1.0, 1.0, 1.0, 0.0))


def height_map() -> Colormap:
    """The perceptual map of points on paper: what is little is light."""
    return colormaps["viridis_r"].with_extremes(bad=(1.0, 1.0, 1.0, 0.0))


def sequence_colours(n_colours: int) -> list[str]:
    """Colours for ordered things (frequency bands), dark to light, for lines on white."""
    from matplotlib.colors import to_hex

    last = 0.8
    steps = [last * i / max(1, n_colours - 1) for i in range(n_colours)]
    return [to_hex(colormaps["viridis"](step)) for step in steps]


def stack_axes(panels: Sequence[tuple[float, float]], head_mm: float) -> tuple[Figure, list[Axes]]:
    """A figure of the house's width with panels one below the other.

    Parameters
    ----------
    panels : (space above, height) of each, millimetres
    head_mm : room above the first
    """
    height_mm = head_mm + sum(above + height for above, height in panels) + FOOT_MM
    figure = new_figure(WIDTH_MM, height_mm)
    axes: list[Axes] = []
    top_mm = head_mm
    for above, height in panels:
        top_mm += above
        axes.append(place_axes(figure, LEFT_MM, top_mm, WIDTH_MM - LEFT_MM - RIGHT_MM, height))
        top_mm += height
    return figure, axes


def new_figure(width_mm: float, height_mm: float) -> Figure:
    """An empty figure."""
    return Figure(figsize=(width_mm / MM_PER_INCH, height_mm / MM_PER_INCH), dpi=PNG_DPI)


def place_axes(
    figure: Figure, left_mm: float, top_mm: float, width_mm: float, height_mm: float
) -> Axes:
    """Axes at a place counted from the figure's upper left corner."""
    wide, high = figure.get_size_inches() * MM_PER_INCH
    return figure.add_axes(
        (left_mm / wide, 1 - (top_mm + height_mm) / high, width_mm / wide, height_mm / high)
    )


def beside_axes(axes: Axes, gap_mm: float, width_mm: float) -> Axes:
    """Axes to the right of others, of their height: for a colour bar."""
    figure = axes.get_figure(root=True)
    if figure is None:
        raise ValueError("beside_axes needs axes that are on a figure")
    wide = figure.get_size_inches()[0] * MM_PER_INCH
    box = axes.get_position()
    return figure.add_axes((box.x1 + gap_mm / wide, box.y0, width_mm / wide, box.height))


def write_title(figure: Figure, text: str, left_mm: float = LEFT_MM, top_mm: float = 2.0) -> None:
    """A line at the top of a figure; long names are written smaller and, at last, cut."""
    wide, high = figure.get_size_inches() * MM_PER_INCH
    room_pt = (wide - left_mm - 2.0) * POINTS_PER_MM
    needed_pt = lettering.width_pt(text, TITLE_PT, bold=True)
    size_pt = TITLE_PT * min(1.0, max(0.7, room_pt / max(1.0, needed_pt)))
    figure.text(
        left_mm / wide,
        1 - top_mm / high,
        lettering.shorten(text, room_pt + 0.01, size_pt, bold=True, middle=True),
        ha="left",
        va="top",
        fontsize=size_pt,
        fontweight="bold",
        parse_math=False,
    )


STYLE_VERSION = 2
"""Raised whenever the house style changes how figures look; it joins their keys."""
