"""Bytes that are the same every time and carry the key."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from wakeful.figures import FORMATS, Format, draw_day, read_key, render, stamp
from wakeful.model.errors import UnknownResult

KEY = hashlib.sha256(b"a result").hexdigest()


@pytest.fixture(scope="module")
def fake(make_fake_day: Callable[..., Any]) -> Any:
    return make_fake_day(n_regions=1, n_frequencies=40, hours=2, gaps_h=((0.5, 0.6),))


def draw(fake: Any) -> Figure:
    figure = draw_day(
        fake.session,
        fake.day,
        fake.accounting,
        fake.spectrogram,
        fake.band_power,
        fake.muscle,
        fake.hypnogram,
        fake.spans,
    )
    stamp(figure, KEY, "day 1.2")
    return figure


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_key_comes_back(fake: Any, tmp_path: Path, fmt: Format) -> None:
    path = tmp_path / f"day.{fmt}"
    path.write_bytes(render(draw(fake), fmt, KEY))
    assert read_key(path) == KEY


@pytest.mark.parametrize("fmt", FORMATS)
def test_the_same_figure_gives_the_same_bytes(fake: Any, fmt: Format) -> None:
    figure = draw(fake)
    first = render(figure, fmt, KEY)
    assert render(figure, fmt, KEY) == first
    with mpl.rc_context({"font.size": 20, "svg.hashsalt": "other", "lines.linewidth": 9}):
        assert render(draw(fake), fmt, KEY) == first


def test_the_key_changes_only_the_metadata(fake: Any) -> None:
    figure = draw(fake)
    assert render(figure, "svg", KEY) != render(figure, "svg", KEY[::-1])


def test_the_stamp_is_short_and_replaced(fake: Any) -> None:
    figure = draw(fake)
    stamp(figure, KEY[::-1], "day 9.9")
    texts = [t.get_text() for t in figure.texts if "wakeful" in t.get_text()]
    assert texts == [f"wakeful day 9.9 · key {KEY[::-1][:12]}"]


SCRIPT = """
import hashlib, sys
from matplotlib.figure import Figure
from wakeful.figures import draw_hypnogram, render
import numpy as np
from wakeful.model.epochs import Hypnogram
from wakeful.model.subject import Session, Subject
state = (np.arange(600) // 50 % 4).astype(np.int8)
hypnogram = Hypnogram(start_s=np.arange(600) * 4.0, raw_state=state, state=state,
    confidence=np.ones(600, np.float32), epoch_s=4.0, scorer="s")
session = Session(name="s", subject=Subject(identifier="m"), start_utc=None, duration_s=2400.0)
figure = draw_hypnogram(session, hypnogram)
assert "matplotlib.pyplot" not in sys.modules
for fmt in ("png", "pdf", "svg"):
    print(hashlib.sha256(render(figure, fmt, "0" * 64)).hexdigest())
"""


def test_other_processes_give_the_same_bytes_without_pyplot(tmp_path: Path) -> None:
    printed = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "MPLBACKEND": "agg"},
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    assert len(printed) == 1
    assert len(printed.pop().split()) == 3


def test_figures_without_a_key_are_refused(tmp_path: Path) -> None:
    plain = Figure()
    for fmt in FORMATS:
        path = tmp_path / f"plain.{fmt}"
        plain.savefig(path)
        with pytest.raises(UnknownResult, match="holds no key"):
            read_key(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(f"wakeful:key={KEY}")
    with pytest.raises(UnknownResult, match="not a PNG, PDF or SVG"):
        read_key(path)
    with pytest.raises(UnknownResult, match="can't be read"):
        read_key(tmp_path / "missing.png")
    with pytest.raises(UnknownResult, match="can't be read"):
        read_key(tmp_path)


def test_a_damaged_key_is_not_believed(tmp_path: Path) -> None:
    data = bytearray(render(Figure(), "png", KEY))
    at = data.find(KEY.encode())
    data[at] ^= 1
    path = tmp_path / "damaged.png"
    path.write_bytes(data)
    with pytest.raises(UnknownResult):
        read_key(path)
    path.write_bytes(render(Figure(), "png", KEY)[: at + 10])
    with pytest.raises(UnknownResult):
        read_key(path)


def test_two_keys_in_one_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "two.svg"
    other = KEY[::-1].encode()
    path.write_bytes(render(Figure(), "svg", KEY) + b"<!-- wakeful:key=" + other + b" -->")
    with pytest.raises(UnknownResult, match="2 different keys"):
        read_key(path)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="can't be the key"):
        render(Figure(), "png", "no key\n")
    with pytest.raises(ValueError, match="png, pdf, svg"):
        render(Figure(), "gif", KEY)  # type: ignore[arg-type]
