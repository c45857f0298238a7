"""What stands on the figures, checked on the artists and on the pixels."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from wakeful.figures import (
    STATE_COLOURS,
    draw_band_power,
    draw_day,
    draw_hypnogram,
    draw_muscle,
    draw_spectrogram,
    draw_state_spectra,
    render,
)
from wakeful.model.epochs import State
from wakeful.model.time import Interval, Quarantine, account_for

KEY = "0123456789abcdef" * 4
Maker = Callable[..., Any]


def draw(fake: Any, **changes: Any) -> Figure:
    return draw_day(
        fake.session,
        fake.day,
        fake.accounting,
        changes.get("spectrogram", fake.spectrogram),
        changes.get("band_power", fake.band_power),
        changes.get("muscle", fake.muscle),
        changes.get("hypnogram", fake.hypnogram),
        changes.get("spans", fake.spans),
        changes.get("quarantined", ()),
    )


def panel(figure: Figure, title: str) -> Axes:
    """The panel with a title that begins so."""
    for axes in figure.axes:
        if any(text.get_text().startswith(title) for text in axes.texts):
            return axes
    raise AssertionError(f"no panel {title!r}")


def words(figure: Figure) -> str:
    texts = [text for axes in figure.axes for text in axes.texts]
    return "\n".join(text.get_text() for text in [*texts, *figure.texts])


def seconds(text: str) -> int:
    hours, minutes, rest = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + int(rest)


@pytest.fixture(scope="module")
def day(make_fake_day: Maker) -> Any:
    return make_fake_day(n_regions=2, n_frequencies=120)


@pytest.fixture(scope="module")
def figure(day: Any) -> Figure:
    return draw(day)


@pytest.fixture(scope="module")
def short(make_fake_day: Maker) -> Any:
    return make_fake_day(
        hours=1 / 3,
        n_regions=1,
        n_frequencies=120,
        gaps_h=((0.1, 0.125),),
        start=datetime(2026, 5, 12, 9, 7, tzinfo=UTC),
        emg=False,
        lfp_emg=False,
    )


def test_panels_stand_in_order(figure: Figure) -> None:
    titles = [
        "CA1: spectrogram",
        "PFC: spectrogram",
        "CA1: band power",
        "PFC: band power",
        "EMG",
        "LFP-derived EMG",
        "Hypnogram",
        "Hours accounted for",
    ]
    tops = [panel(figure, title).get_position().y1 for title in titles]
    assert tops == sorted(tops, reverse=True)
    assert figure.get_size_inches()[0] * 25.4 == pytest.approx(180)
    assert "M014" in words(figure)
    assert "Tue 2026-05-12" in words(figure)


def test_panels_do_not_overlap(figure: Figure) -> None:
    boxes = [axes.get_position() for axes in figure.axes]
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            apart = a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0
            assert apart


@pytest.mark.parametrize("n_regions", [1, 5, 12])
def test_all_text_lies_on_the_page(make_fake_day: Maker, n_regions: int) -> None:
    fake = make_fake_day(n_regions=n_regions, n_frequencies=40)
    drawn = draw(fake)
    render(drawn, "png", KEY)  # lays out the text
    page = drawn.bbox
    boxes = [text.get_window_extent() for axes in drawn.axes for text in axes.texts]
    boxes += [axes.yaxis.label.get_window_extent() for axes in drawn.axes]
    for box in boxes:
        assert box.x0 >= page.x0 - 1
        assert box.x1 <= page.x1 + 1
        assert box.y0 >= page.y0 - 1
        assert box.y1 <= page.y1 + 1


def test_spectrogram_shows_the_mean_power_of_each_column(day: Any, figure: Figure) -> None:
    image = panel(figure, "PFC: spectrogram").images[0]
    shown = np.ma.filled(image.get_array().astype(float), np.nan)
    left, right, _, _ = image.get_extent()
    column_s = (right - left) / shown.shape[1]
    assert column_s % 4 == 0
    column = 200
    start = int((left + column * column_s) / 4)
    epochs = slice(start, start + int(column_s / 4))
    frequency = 31  # 8 Hz
    mean = day.spectrogram.power_uv2_per_hz[epochs, 1, frequency].mean()
    row = int(np.argmin(np.abs(np.linspace(0, np.log2(30), shown.shape[0] + 1) - 3.0)))
    near = shown[row - 1 : row + 1, column]
    assert np.abs(near - 10 * np.log10(mean)).min() < 0.5


def test_gaps_are_blank(day: Any, figure: Figure) -> None:
    image = panel(figure, "CA1: spectrogram").images[0]
    shown = np.ma.filled(image.get_array().astype(float), np.nan)
    left, right, _, _ = image.get_extent()
    time_s = left + (np.arange(shown.shape[1]) + 0.5) * (right - left) / shown.shape[1]
    inside = (time_s > 5 * 3600 + 100) & (time_s < 7.25 * 3600 - 100)
    assert np.isnan(shown[:, inside]).all()
    assert np.isfinite(shown[:, time_s < 5 * 3600 - 100]).all()
    lines = panel(figure, "CA1: band power").lines
    assert len(lines) == 6
    for line in lines[:4]:
        at = line.get_xdata()
        missing = np.isnan(line.get_ydata())
        assert missing[(at > 5 * 3600 + 100) & (at < 7.25 * 3600 - 100)].all()
        assert not missing[at < 5 * 3600 - 100].any()


def test_a_gap_of_half_a_minute_is_seen_on_a_day(figure: Figure) -> None:
    pixels = 900
    patches = panel(figure, "Hypnogram").patches
    hatched = [p for p in patches if p.get_hatch() == "//////"]
    widths = sorted(p.get_width() for p in hatched)
    assert len(widths) == 2
    assert widths[0] >= 86_400 / pixels * 0.99
    assert widths[1] == pytest.approx(2.25 * 3600)


def test_spectrogram_limits_are_robust(day: Any) -> None:
    power = day.spectrogram.power_uv2_per_hz.copy()
    power[100:103] = 1e9
    loud = draw(day, spectrogram=replace(day.spectrogram, power_uv2_per_hz=power))
    calm = draw(day)
    for title in ("CA1: spectrogram", "PFC: spectrogram"):
        limits = [panel(f, title).images[0].get_clim() for f in (loud, calm)]
        np.testing.assert_allclose(limits[0], limits[1], atol=1.0)


def test_artefacts_of_a_short_recording_do_not_blind_the_picture(short: Any) -> None:
    power = short.spectrogram.power_uv2_per_hz.copy()
    calm = panel(draw(short), "CA1: spectrogram").images[0].get_clim()
    power[:15] = 1e9  # 5 % of the recording
    loud = draw(short, spectrogram=replace(short.spectrogram, power_uv2_per_hz=power))
    low, high = panel(loud, "CA1: spectrogram").images[0].get_clim()
    assert low == pytest.approx(calm[0], abs=2)
    assert high < calm[1] + 25


def test_a_recording_that_was_not_scored_says_why(short: Any) -> None:
    state = np.full_like(short.hypnogram.state, State.UNCLASSIFIED)
    notes = ("not scored: one state only",)
    drawn = draw(short, hypnogram=replace(short.hypnogram, state=state, notes=notes))
    assert "not scored: one state only" in words(drawn)
    assert "not scored" not in words(draw(short, hypnogram=replace(short.hypnogram, notes=notes)))


def test_a_gap_under_a_second_is_not_written_as_none(short: Any) -> None:
    parts = replace(short.accounting, gap_s=0.256, outside_s=short.accounting.outside_s + 89.744)
    text = words(
        draw_day(
            short.session,
            short.day,
            parts,
            short.spectrogram,
            short.band_power,
            short.muscle,
            short.hypnogram,
            short.spans,
        )
    )
    assert "gap <1 s" in text
    assert "quarantined 0:00:00" in text


def test_an_unknown_region_is_called_so(short: Any) -> None:
    unknown = replace(short.spectrogram, regions=("unknown",))
    assert "Unknown region: spectrogram" in words(draw(short, spectrogram=unknown))


def test_hypnogram_blocks_cover_the_states(day: Any, figure: Figure) -> None:
    axes = panel(figure, "Hypnogram")
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "awake",
        "unclassified",
        "NREM",
        "REM",
    ]
    positions = dict(
        zip([t.get_text() for t in axes.get_yticklabels()], axes.get_yticks(), strict=True)
    )
    assert positions["awake"] > positions["unclassified"] > positions["NREM"] > positions["REM"]
    minutes = day.hypnogram.minutes()
    for state in (State.AWAKE, State.UNCLASSIFIED, State.NREM, State.REM):
        colour = to_rgba(STATE_COLOURS[state])
        blocks = [
            c
            for c in axes.collections
            if len(c.get_facecolor()) and tuple(c.get_facecolor()[0]) == colour
        ]
        width = sum(np.ptp(path.vertices[:, 0]) for block in blocks for path in block.get_paths())
        assert width / 60 == pytest.approx(minutes[state], rel=1e-6)
        middle = np.mean(blocks[0].get_paths()[0].vertices[:4, 1])
        assert middle == pytest.approx(positions[state.label])
    assert f"{minutes[State.NREM]:.0f} min" in words(figure)


def test_short_awakenings_before_smoothing_are_seen(day: Any) -> None:
    hypnogram = day.hypnogram
    state = np.full(hypnogram.n_rows, State.NREM, np.int8)
    raw = state.copy()
    raw[[50, 900, 20_000]] = State.AWAKE
    drawn = draw(day, hypnogram=replace(hypnogram, state=state, raw_state=raw))
    colour = to_rgba(STATE_COLOURS[State.AWAKE])
    ticks = [
        segment
        for c in panel(drawn, "Hypnogram").collections
        if hasattr(c, "get_segments")
        and len(c.get_colors())
        and tuple(c.get_colors()[0][:3]) == colour[:3]
        for segment in c.get_segments()
    ]
    assert len(ticks) == 3
    np.testing.assert_allclose([t[0, 0] for t in ticks], [200, 3600, 80_000], atol=60)


def test_hours_add_up_to_the_days_length(make_fake_day: Maker, day: Any, figure: Figure) -> None:
    spring = make_fake_day(
        n_regions=1,
        n_frequencies=40,
        hours=30,
        start=datetime(2026, 3, 28, 20, tzinfo=UTC),
        day_number=1,
    )
    autumn = make_fake_day(
        n_regions=1, n_frequencies=40, hours=20, start=datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    )
    for drawn, hours in ((figure, 24), (draw(spring), 23), (draw(autumn), 25)):
        text = next(
            t.get_text() for t in panel(drawn, "Hours accounted for").texts if "=" in t.get_text()
        )
        numbers = [seconds(n) for n in re.findall(r"\d+:\d\d:\d\d", text)]
        assert len(numbers) == 5
        assert sum(numbers[:4]) == numbers[4] == hours * 3600
        assert ("clocks changed" in words(drawn)) == (hours != 24)
    assert "recorded 21:44:24" in words(figure)


def test_a_short_recording_is_zoomed_and_the_strip_shows_the_day(short: Any) -> None:
    drawn = draw(short)
    assert panel(drawn, "CA1: spectrogram").get_xlim() == (0, 1200)
    strip = panel(drawn, "Hours accounted for")
    assert strip.get_xlim() == (-11.0 * 3600 - 420, 13.0 * 3600 - 420)
    assert "outside the session 23:40:00" in words(drawn)
    labels = [t.get_text() for t in panel(drawn, "Hypnogram").get_xticklabels()]
    assert "11:08" in labels


def test_what_is_missing_is_said(short: Any, day: Any, make_fake_day: Maker) -> None:
    reason = "no EMG channel; LFP-derived EMG unavailable: the raw rate of 1000 Hz is below 1500 Hz"
    assert reason in words(draw(short))
    assert reason in words(draw_muscle(short.session, short.muscle))
    assert "neither EMG nor LFP-derived EMG" in words(draw(short, muscle=None))
    only_lfp = make_fake_day(n_regions=1, n_frequencies=40, emg=False)
    assert "no EMG channel; correlation between channels" in words(draw(only_lfp))
    nothing = replace(
        short.spectrogram,
        power_uv2_per_hz=np.full_like(short.spectrogram.power_uv2_per_hz, np.nan),
    )
    flat = "no power: the signal is flat or its channels were left out"
    assert flat in words(draw(short, spectrogram=nothing))
    empty = words(draw(short, spectrogram=nothing, spans=()))
    assert "no power: nothing was recorded here" in empty


def test_a_band_above_the_recordings_rate_is_named_as_missing(day: Any) -> None:
    text = words(draw(day))  # its spectra end at 30 Hz
    assert "high gamma: no data" in text
    assert "beta 15–30" in text


def test_a_recording_of_zeros_is_drawn(short: Any) -> None:
    zeros = replace(
        short.spectrogram, power_uv2_per_hz=np.zeros_like(short.spectrogram.power_uv2_per_hz)
    )
    none = replace(short.band_power, power_uv2=np.zeros_like(short.band_power.power_uv2))
    drawn = draw(short, spectrogram=zeros, band_power=none)
    assert len(render(drawn, "png", KEY)) > 1000


def test_an_unknown_start_gives_hours_from_the_start(make_fake_day: Maker) -> None:
    drawn = draw(make_fake_day(n_regions=1, n_frequencies=40, start=None))
    assert "date unknown" in words(drawn)
    assert panel(drawn, "Hypnogram").get_xlabel().startswith("time from the session's start")
    assert "light" not in [t.get_text() for axes in drawn.axes for t in axes.texts]


def test_quarantined_time_is_hatched_and_in_no_state(day: Any) -> None:
    bad = Quarantine(Interval(0, 4 * 3600), "amplifier off")
    drawn = draw(day, quarantined=(bad,))
    axes = panel(drawn, "CA1: spectrogram")
    assert [p.get_width() for p in axes.patches if p.get_hatch() == "xxxx"] == [4 * 3600]
    later = day.hypnogram.cut(Interval(4 * 3600, 86_400)).minutes()
    assert f"{later[State.AWAKE]:.0f} min" in words(drawn)


def test_without_spans_the_epochs_tell_where_gaps_are(day: Any) -> None:
    drawn = draw(day, spans=None)
    patches = panel(drawn, "Hypnogram").patches
    widths = sorted(p.get_width() for p in patches if p.get_hatch() == "//////")
    assert widths[-1] == pytest.approx(2.25 * 3600, abs=8)


def test_parts_can_be_drawn_alone(day: Any) -> None:
    part = Interval(3600, 3 * 3600)
    alone = draw_spectrogram(day.session, day.spectrogram, part)
    assert panel(alone, "CA1: spectrogram").get_xlim() == (3600, 3 * 3600)
    panel(draw_band_power(day.session, day.band_power), "CA1: band power")
    panel(draw_hypnogram(day.session, day.hypnogram, spans=day.spans), "Hypnogram")
    panel(draw_muscle(day.session, day.muscle), "EMG")


def test_state_spectra_show_the_planted_peaks(day: Any) -> None:
    drawn = draw_state_spectra(day.session, day.spectrogram, day.hypnogram, day.day.interval)
    assert "Tue 2026-05-12" in words(drawn)
    axes = panel(drawn, "CA1")
    lines = {}
    for line in axes.lines:
        if line.get_linestyle() == "-":
            lines[line.get_color()] = line
    theta = lines[STATE_COLOURS[State.REM]]
    hz, power = theta.get_xdata(), theta.get_ydata()
    upper = hz > 5
    assert hz[upper][np.argmax(power[upper])] == pytest.approx(7.5, abs=0.5)
    delta = [lines[STATE_COLOURS[s]].get_ydata()[0] for s in (State.NREM, State.AWAKE, State.REM)]
    assert delta[0] > 3 * delta[1] > 3 * delta[2]
    labels = [t.get_text() for t in drawn.legends[0].get_texts()]
    n_rem = int(np.sum(day.hypnogram.state == State.REM))
    assert f"REM ({n_rem} epochs)" in labels


def test_state_spectra_say_which_states_are_too_few(short: Any) -> None:
    drawn = draw_state_spectra(short.session, short.spectrogram, short.hypnogram)
    labels = " ".join(t.get_text() for t in drawn.legends[0].get_texts())
    assert "REM (0 epochs, too few to draw)" in labels


@pytest.mark.slow
def test_a_day_of_five_regions_is_drawn(make_fake_day: Maker) -> None:
    fake = make_fake_day(n_regions=5, n_frequencies=800)
    assert render(draw(fake), "png", KEY)
    assert account_for(fake.day.interval, fake.session.interval, fake.spans) == fake.accounting
