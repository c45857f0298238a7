"""Values to files and back."""

from __future__ import annotations

import datetime as dt
import errno
import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pytest

from wakeful.io.codec import from_plain, read_value, to_plain, write_value
from wakeful.model.epochs import Hypnogram
from wakeful.model.errors import BrokenArtefact
from wakeful.model.subject import LightSchedule, Session, Subject


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Inner:
    at: dt.date
    colour: Colour
    value: float


@dataclass(frozen=True)
class Outer:
    inners: tuple[Inner, ...]
    pair: tuple[int, str]
    maybe: Inner | None
    table: dict[str, tuple[int, ...]]


def test_plain_values_come_back_as_they_were():
    outer = Outer(
        (Inner(dt.date(2026, 3, 29), Colour.RED, math.inf),), (1, "x"), None, {"a": (1, 2)}
    )
    assert from_plain(to_plain(outer), Outer) == outer


def test_nan_stays_nan():
    tree = to_plain(Inner(dt.date(2026, 1, 1), Colour.RED, math.nan))
    assert math.isnan(from_plain(tree, Inner).value)


def test_a_session_comes_back():
    session = Session(
        name="s",
        subject=Subject(identifier="M1", birth=dt.date(2026, 1, 1)),
        start_utc=dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC),
        duration_s=12.5,
        light=LightSchedule(),
    )
    assert from_plain(to_plain(session), Session) == session


def test_arrays_become_npy_files(tmp_path):
    hypnogram = Hypnogram(
        start_s=np.arange(3) * 4.0,
        raw_state=np.array([0, 2, 3], np.int8),
        state=np.array([0, 2, 2], np.int8),
        confidence=np.array([1, np.nan, 0.5], np.float32),
        epoch_s=4.0,
        scorer="x",
        notes=("a", "b"),
    )
    tree = write_value(tmp_path, "hypnogram", hypnogram)
    assert np.load(tmp_path / "hypnogram.state.npy").tolist() == [0, 2, 2]
    back = read_value(tmp_path, tree, Hypnogram)
    assert back.notes == ("a", "b")
    assert back.confidence.dtype == np.float32
    np.testing.assert_array_equal(back.confidence, hypnogram.confidence)
    with pytest.raises(ValueError, match="read-only"):
        back.state[0] = 1


def test_a_cut_off_array_is_a_broken_artefact(tmp_path):
    tree = write_value(tmp_path, "x", np.arange(100))
    path = tmp_path / "x.npy"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(BrokenArtefact, match=r"x\.npy"):
        read_value(tmp_path, tree, np.ndarray)


def test_what_has_no_json_is_refused():
    with pytest.raises(TypeError, match="complex"):
        to_plain(1j)


def test_too_many_open_files_are_no_damage(tmp_path, monkeypatch):
    tree = write_value(tmp_path, "x", np.arange(3))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(OSError, match="Too many"):
        read_value(tmp_path, tree, np.ndarray)
