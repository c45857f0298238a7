"""Recordings of seconds, odd and long names, states too rare to draw: nothing lies off the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from wakeful.figures import draw_day, draw_hypnogram, draw_spectrogram, draw_state_spectra, render
from wakeful.figures.absence import why_nothing
from wakeful.figures.clock import TimeView
from wakeful.figures.hours import marks
from wakeful.figures.lettering import plain, shorten, width_pt, wrap
from wakeful.figures.panels import values_alone
from wakeful.figures.style import QUARANTINE, RECORDED, house_style
from wakeful.model.epochs import State
from wakeful.model.subject import Subject
from wakeful.model.time import Interval, Quarantine, Span, account_for

KEY = "0123456789abcdef" * 4
Maker = Callable[..., Any]
DAY = Interval(0.0, 86_400.0)
ODD = "a_region$with_a$ \\frac{1}{2} 海马 " + "very long name, " * 9


def draw(fake: Any, quarantined: tuple[Quarantine, ...] = ()) -> Figure:
    accounting = account_for(fake.day.interval, fake.session.interval, fake.spans, quarantined)
    return draw_day(
        fake.session,
        fake.day,
        accounting,
        fake.spectrogram,
        fake.band_power,
        fake.muscle,
        fake.hypnogram,
        fake.spans,
        quarantined,
    )


def panel(figure: Figure, title: str) -> Axes:
    return next(a for a in figure.axes if any(t.get_text().startswith(title) for t in a.texts))


def words(figure: Figure) -> str:
    texts = [text for axes in figure.axes for text in axes.texts]
    return "\n".join(text.get_text() for text in [*texts, *figure.texts])


def assert_on_the_page(figure: Figure) -> None:
    """Every text and legend lies on the page, and titles of a panel lie apart."""
    render(figure, "png", KEY)
    page = figure.bbox
    artists: list[Any] = [*figure.texts, *figure.legends]
    for axes in figure.axes:
        artists += [*axes.texts, axes.xaxis.label, axes.yaxis.label]
        artists += [*axes.get_xticklabels(), *axes.get_yticklabels()]
    for artist in artists:
        box = artist.get_window_extent()
        if box.width > 1:
            assert box.x0 >= page.x0 - 1, artist
            assert box.x1 <= page.x1 + 1, artist
            assert box.y0 >= page.y0 - 1, artist
            assert box.y1 <= page.y1 + 1, artist
    for axes in figure.axes:
        titles = [
            text.get_window_extent()
            for text in axes.texts
            if isinstance(text, Annotation) and text.xy[1] == 1 and text.xyann[1] == 2
        ]
        for left, right in pairwise(sorted(titles, key=lambda box: box.x0)):
            assert left.x1 < right.x0


def seconds_of(make_fake_day: Maker, duration_s: float, start: datetime | None = None) -> Any:
    """A recording of a few seconds, at a clock a little off its nominal rate."""
    n_epochs = int(np.ceil(duration_s / 4))
    fake = make_fake_day(
        hours=(n_epochs + 0.01) * 4 / 3600, n_regions=1, n_frequencies=400, gaps_h=(), start=start
    )
    session = replace(fake.session, duration_s=duration_s)
    part = (np.arange(n_epochs) + 1) * 4 > duration_s
    state = np.where(part, np.int8(State.NO_DATA), fake.hypnogram.state)

    def without(values: np.ndarray) -> np.ndarray:
        return np.where(part.reshape(-1, *(1,) * (values.ndim - 1)), np.nan, values)

    return replace(
        fake,
        session=session,
        day=session.days()[0],
        spans=(Span(0.0, round(duration_s * 1000), 1000.0000001, 0),),
        spectrogram=replace(
            fake.spectrogram, power_uv2_per_hz=without(fake.spectrogram.power_uv2_per_hz)
        ),
        band_power=replace(fake.band_power, power_uv2=without(fake.band_power.power_uv2)),
        muscle=replace(
            fake.muscle, emg_uv=without(fake.muscle.emg_uv), lfp_emg=without(fake.muscle.lfp_emg)
        ),
        hypnogram=replace(fake.hypnogram, state=state, raw_state=state),
    )


NOON = datetime(2026, 5, 12, 9, 7, tzinfo=UTC)


def strip_colours(figure: Figure) -> list[tuple[float, ...]]:
    """The colours that are seen along the middle of the strip of hours."""
    from io import BytesIO

    from matplotlib.image import imread

    image = imread(BytesIO(render(figure, "png", KEY)))
    box = panel(figure, "Hours accounted for").get_position()
    row = image[round((1 - (box.y0 + box.y1) / 2) * image.shape[0])]
    inner = row[round(box.x0 * len(row)) + 3 : round(box.x1 * len(row)) - 3, :3]
    return [tuple(colour) for colour in np.round(inner.astype(np.float64), 2)]


def count(colours: list[tuple[float, ...]], wanted: str) -> int:
    return colours.count(tuple(np.round(to_rgba(wanted)[:3], 2)))


@pytest.mark.parametrize("duration_s", [1.0, 5.846, 60.0])
def test_a_short_recording_is_seen_as_recorded(make_fake_day: Maker, duration_s: float) -> None:
    drawn = draw(seconds_of(make_fake_day, duration_s, NOON))
    assert 2 <= count(strip_colours(drawn), RECORDED) <= 8
    strip = panel(drawn, "Hours accounted for")
    assert "gap" not in [c.get_label() for c in strip.collections]
    hatched = [p for a in drawn.axes for p in a.patches if p.get_hatch() == "//////"]
    assert hatched == []
    assert_on_the_page(drawn)


def test_a_moment_of_quarantine_does_not_hide_the_recording(make_fake_day: Maker) -> None:
    bad = Quarantine(Interval(3.305, 3.328), "torn")
    colours = strip_colours(draw(seconds_of(make_fake_day, 3.328, NOON), (bad,)))
    assert count(colours, RECORDED) >= 2
    assert count(colours, QUARANTINE) >= 1


def test_what_is_too_short_to_be_seen_gets_a_mark_and_nothing_else_does() -> None:
    recorded = (Interval(0, 30_000), Interval(30_020, 86_400))
    gap, bad = (Interval(30_000, 30_020),), (Interval(50_000, 50_001),)
    marked = marks({"recorded": recorded, "gap": gap, "quarantined": bad}, DAY)
    assert marked["recorded"] == ()
    (gap_mark,), (bad_mark,) = marked["gap"], marked["quarantined"]
    assert gap_mark.start_s <= 30_000 < gap_mark.stop_s
    assert gap_mark.duration_s == pytest.approx(192)
    assert bad_mark.start_s <= 50_000 < bad_mark.stop_s
    none = marks({"recorded": (DAY,), "gap": (), "quarantined": ()}, DAY)
    assert none == {"recorded": (), "gap": (), "quarantined": ()}


def test_seconds_recorded_between_long_gaps_are_all_marked() -> None:
    recorded = tuple(Interval(t, t + 5.0) for t in range(0, 86_400, 3600))
    gaps = tuple(Interval(t + 5.0, t + 3600.0) for t in range(0, 86_400, 3600))
    marked = marks({"recorded": recorded, "gap": gaps, "quarantined": ()}, DAY)
    assert len(marked["recorded"]) == 24
    assert marked["gap"] == ()


def test_one_epoch_is_drawn_as_points(make_fake_day: Maker) -> None:
    fake = seconds_of(make_fake_day, 5.846, NOON)
    drawn = draw(fake)
    for title, n_series in (("CA1: band power", 6), ("EMG", 1), ("LFP-derived EMG", 1)):
        points = [line for line in panel(drawn, title).lines if line.get_marker() == "o"]
        assert len(points) == n_series
        low, high = panel(drawn, title).get_ylim()
        for line in points:
            assert line.get_xdata().tolist() == [2.0]
            assert low < line.get_ydata()[0] < high
    shown = sorted(
        float(p.get_ydata()[0]) for p in panel(drawn, "CA1: band").lines if p.get_marker() == "o"
    )
    np.testing.assert_allclose(shown, np.sort(fake.band_power.power_uv2[0, 0]), rtol=1e-6)


def test_only_values_without_neighbours_get_a_point() -> None:
    values = np.array([1.0, np.nan, 2.0, 3.0, np.nan, np.nan, 4.0, np.nan])
    assert np.flatnonzero(values_alone(values)).tolist() == [0, 6]


def test_a_recording_shorter_than_an_epoch_says_so(make_fake_day: Maker) -> None:
    fake = seconds_of(make_fake_day, 3.328, NOON)
    drawn = draw(fake)
    said = words(drawn)
    assert said.count("no power: shorter than one epoch of 4 s") == 2
    assert "no EMG: shorter than one epoch of 4 s" in said
    assert "no state: shorter than one epoch of 4 s" in said
    assert "grey: no data" in said
    assert "delta" not in said  # no key to lines that are not there
    alone = draw_spectrogram(fake.session, fake.spectrogram)
    assert "shorter than one epoch of 4 s" in words(alone)
    assert [p for p in alone.axes[0].patches if p.get_hatch() == "//////"] == []


def test_why_there_is_nothing(make_fake_day: Maker) -> None:
    session = make_fake_day(n_regions=1, n_frequencies=8, gaps_h=()).session

    def why(recorded: tuple[Interval, ...], **more: Any) -> str:
        view = TimeView(session=session, interval=DAY, recorded=recorded, **more)
        return why_nothing(view, 4.0, "power")

    assert why((DAY,)) == "no power: the signal is flat or its channels were left out"
    assert why(()) == "no power: nothing was recorded here"
    assert why((Interval(0, 3), Interval(9, 11))).endswith(
        "every stretch is shorter than one epoch of 4 s"
    )
    assert why((Interval(1, 7),)) == "no power: no whole epoch of 4 s was recorded"
    assert why((Interval(0, 9),), quarantined=(DAY,)).endswith("recorded here is quarantined")
    assert "nothing was recorded, the signal is flat" in why((DAY,), recorded_known=False)


def test_grey_and_crossed_are_explained_only_where_they_are(make_fake_day: Maker) -> None:
    fake = make_fake_day(hours=1, n_regions=1, n_frequencies=40, gaps_h=())
    assert "grey" not in words(draw_hypnogram(fake.session, fake.hypnogram))
    assert "crossed" not in words(draw(fake))
    assert "crossed: quarantined" in words(draw(fake, (Quarantine(Interval(9, 60), "torn"),)))
    gaps = make_fake_day(hours=1, n_regions=1, n_frequencies=40, gaps_h=((0.2, 0.3),))
    assert "grey: no data" in words(draw_hypnogram(gaps.session, gaps.hypnogram))


@pytest.mark.parametrize("n_regions", [1, 3, 8])
def test_long_and_odd_names_fit_and_are_no_formulas(make_fake_day: Maker, n_regions: int) -> None:
    fake = make_fake_day(
        hours=20,
        n_regions=n_regions,
        n_frequencies=120,
        start=datetime(2026, 10, 24, 23, 30, tzinfo=UTC),  # the clocks change
    )
    names = tuple(f"{i} {ODD}" for i in range(n_regions))
    odd = replace(
        fake,
        session=replace(fake.session, name="n$a$me_" * 30, subject=Subject(identifier="M$1$_海\n")),
        spectrogram=replace(
            fake.spectrogram,
            regions=names,
            channels=(tuple(f"$ch$ {'x' * 30} {i}" for i in range(4)),) * n_regions,
        ),
        band_power=replace(
            fake.band_power,
            regions=names,
            bands=("delta", "a_$very$_long_name_of_a_band", *fake.band_power.bands[2:]),
        ),
        muscle=replace(fake.muscle, emg_channels=tuple(f"EMG$_{i}$" for i in range(40))),
        hypnogram=replace(fake.hypnogram, scorer="a $scorer$ " * 12),
    )
    drawn = draw(odd, (Quarantine(Interval(1000, 9000), "torn"),))
    spectra = draw_state_spectra(odd.session, odd.spectrogram, odd.hypnogram, odd.day.interval)
    for figure in (drawn, spectra):
        assert_on_the_page(figure)
        texts = [*figure.texts, *(t for axes in figure.axes for t in axes.texts)]
        assert not any(t.get_parse_math() for t in texts if "$" in t.get_text())
    assert "0 a_region$with_a$" in words(drawn)
    assert "…: band power" in words(drawn)
    assert "light ticks: epochs before smoothing; grey: no data" in words(drawn)


def test_text_is_cut_only_where_it_must_be() -> None:
    with house_style():
        assert shorten("CA1", width_pt("CA1", 7.0) + 0.01, 7.0) == "CA1"
        short = shorten("hippocampus", 30.0, 7.0)
        assert short.endswith("…")
        assert 20.0 < width_pt(short, 7.0) <= 30.0
        both = shorten("M014 " + "x" * 200 + " Tue", 100.0, 7.0, middle=True)
        assert both.startswith("M014")
        assert both.endswith("Tue")
        lines = wrap("one two three " * 20, 100.0, 6.0, 2)
        assert len(lines) == 2
        assert lines[1].endswith("…")
        assert all(width_pt(line, 6.0) <= 100.0 for line in lines)
        assert wrap("short", 100.0, 6.0, 2) == ["short"]
    assert plain("a\n\tb海") == "a b\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("n_regions", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("hours", [0.05, 2.0])
def test_the_key_to_state_spectra_fits(make_fake_day: Maker, n_regions: int, hours: float) -> None:
    fake = make_fake_day(hours=hours, n_regions=n_regions, n_frequencies=120, seed=3)
    drawn = draw_state_spectra(fake.session, fake.spectrogram, fake.hypnogram, fake.day.interval)
    assert_on_the_page(drawn)
    assert len(drawn.axes) == n_regions
    page = drawn.bbox
    right = max(axes.get_window_extent().x1 for axes in drawn.axes)
    assert right > 0.95 * page.width  # no blank half
    key = drawn.legends[0].get_window_extent()
    for axes in drawn.axes:
        assert not key.overlaps(axes.get_window_extent())
        for text in [*axes.texts, *drawn.texts]:
            assert not key.overlaps(text.get_window_extent())
    labels = [t.get_text() for t in drawn.legends[0].get_texts()]
    assert labels[-2:] == ["median; band: quartiles", "mean"]


def test_where_no_state_can_be_drawn_a_small_figure_says_why(make_fake_day: Maker) -> None:
    few = seconds_of(make_fake_day, 24.0, NOON)
    drawn = draw_state_spectra(few.session, few.spectrogram, few.hypnogram)
    n_awake = int(np.sum(few.hypnogram.state == State.AWAKE))
    said = words(drawn).replace("\n", " ")
    assert f"no state has 10 epochs with power (epochs: awake {n_awake}, NREM 0, REM 0)" in said
    assert drawn.legends == []
    assert drawn.get_size_inches()[1] * 25.4 < 40
    assert_on_the_page(drawn)
    short = seconds_of(make_fake_day, 3.0, NOON)
    said = words(draw_state_spectra(short.session, short.spectrogram, short.hypnogram))
    assert "shorter than one epoch of 4 s" in said.replace("\n", " ")
    unscored = replace(
        few.hypnogram,
        state=np.full_like(few.hypnogram.state, State.UNCLASSIFIED),
        notes=("not scored: one state only",),
    )
    said = words(draw_state_spectra(few.session, few.spectrogram, unscored))
    assert "not scored: one state only" in said.replace("\n", " ")


def test_the_axis_of_time_names_its_units(make_fake_day: Maker) -> None:
    drawn = draw(seconds_of(make_fake_day, 60.0))
    axes = panel(drawn, "Hypnogram")
    labels = [t.get_text() for t in axes.get_xticklabels()]
    assert labels[0] == "0:00:00"
    assert labels[-1] == "0:01:00"
    assert "h:min:s" in axes.get_xlabel()
    hours = draw(make_fake_day(n_regions=1, n_frequencies=40, start=None))
    assert "h:min (" in panel(hours, "Hypnogram").get_xlabel()
