"""Tabs beside the rows: what they say, and what is wrong in them."""

from __future__ import annotations

from datetime import date, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeful.animal_config import Animal
from wakeful.catalog import load_catalog
from wakeful.model.subject import LightSchedule
from wakeful.sheet.lab_tabs import read_lab_tabs
from wakeful.sheet.outside import Tables, read_table


def _read(**tabs):
    tables = Tables(
        **{name: read_table(name.capitalize(), values) for name, values in tabs.items()}
    )
    return read_lab_tabs(tables, load_catalog(), told=("fast",))


def test_animals_with_everything_said():
    found = _read(
        subjects=[
            ["Subject", "species", "Sex", "DOB", "light", "mains", "baseline dates", "exclusion"],
            [
                "M1",
                "mouse",
                "male",
                "2025-11-03",
                "07:00-19:00; from 2026-03-01 09:00-21:00",
                "60 Hz",
                "2026-02-20 to 2026-02-22, 2026-02-25",
                "headcap lost",
            ],
            ["M2", "", "", "", "", "", "", ""],
        ]
    )
    assert found.messages["Subjects"] == {}
    animal = found.tables.subjects["M1"]
    assert (animal.species, animal.sex, animal.birth) == ("Mus musculus", "M", date(2025, 11, 3))
    assert animal.mains_hz == 60
    assert animal.light(date(2026, 2, 28)) == LightSchedule(on=time(7), off=time(19))
    assert animal.light(date(2026, 3, 1)) == LightSchedule(on=time(9), off=time(21))
    assert animal.light_changes() == (date(2026, 3, 1),)
    assert animal.baseline_days() == (
        (date(2026, 2, 20), date(2026, 2, 22)),
        (date(2026, 2, 25), date(2026, 2, 25)),
    )
    assert animal.excluded == "headcap lost"
    assert found.tables.subjects["M2"] == Animal()


@pytest.mark.parametrize(
    ("column", "text", "said"),
    [
        ("sex", "X", "none of 'M', 'F', 'O' or 'U'"),
        ("birth", "3.11.25", "is not a date; write it as 2025-11-03"),
        ("lights", "7 to 19", "is not a light schedule"),
        ("lights", "07:00-07:00", "at the same time"),
        ("lights", "07:00-19:00; 08:00-20:00", "does not say from when it holds"),
        ("lights", "07:00-25:00", "hour must be in"),
        ("mains_hz", "55", "none of 50 or 60"),
        ("baseline", "last week", "is not a day"),
        ("baseline", "2026-02-22 to 2026-02-20", "ends before it begins"),
        ("species", "a mouse", "is not a Latin name"),
        ("notes", "=1+1", "begins with = like a formula"),
    ],
)
def test_a_bad_cell_of_an_animal_is_named_and_the_others_count(column, text, said):
    found = _read(subjects=[["subject", column], ["M1", text], ["M2", ""]])
    assert said in found.messages["Subjects"][2]
    assert list(found.tables.subjects) == ["M2"]


def test_animals_twice_or_without_a_name():
    found = _read(subjects=[["subject", "sex"], ["M1", "F"], ["M1", "M"], ["", "M"], ["M 3", "M"]])
    assert found.messages["Subjects"] == {
        3: "M1 is in row 2 already; keep one of them",
        4: "subject is empty; give the animal's identifier, e.g. M014",
        5: 'subject: "M 3": the second character is a space; use letters A to Z, digits, hyphen, '
        "underscore or dot",
    }


def test_a_header_that_lacks_a_column_is_said_once():
    found = _read(subjects=[["name", "sex"], ["M1", "F"]])
    assert found.messages["Subjects"] == {2: "the header lacks subject; it has name, sex"}


def test_parameter_sets():
    header = ["set", "step", "parameter", "value"]
    found = _read(
        parameters=[
            header,
            ["narrow", "band_power", "theta_hz", "[6.5, 8.5]"],
            ["fast", "band_power", "theta_hz", "[6, 8]"],
            ["odd", "band_powr", "theta_hz", "[6, 8]"],
            ["wrong", "band_power", "theta_hz", "nine"],
            ["wrong", "spectrogram", "window_s", "2"],
            ["default", "band_power", "theta_hz", "[6, 8]"],
            ["", "", "", "5"],
        ]
    )
    assert found.tables.parameters == {"narrow": {"band_power": {"theta_hz": [6.5, 8.5]}}}
    said = found.messages["Parameters"]
    assert said[3].startswith("set: wakeful.toml has a set fast")
    assert 'did you mean "band_power"?' in said[4]
    assert said[5].startswith("value: theta_hz = 'nine'")
    assert said[6]
    assert "default is Wakeful's own" in said[7]
    assert said[8].startswith("set is empty")


def test_channels_need_an_animal_or_a_map():
    found = _read(
        channels=[
            ["channel", "subject", "region", "map"],
            ["CSC1", "M1", "CA1", ""],
            ["CSC2", "", "S1", "headstage A"],
            ["CSC3", "", "S1", ""],
        ]
    )
    assert [(line.number, line.map, line.subject) for line in found.channels] == [
        (2, "", "M1"),
        (3, "headstage A", ""),
    ]
    assert found.messages["Channels"][4].startswith("subject and map are empty")


_cells = st.one_of(st.text(max_size=12), st.sampled_from(["M1", "=1", "2026-01-01", "07:00-19:00"]))


@settings(deadline=None)  # the first call loads the catalog
@given(st.lists(st.lists(_cells, max_size=6), max_size=8))
def test_whatever_is_typed_is_read_or_said(lines):
    header = ["subject", "sex", "birth", "lights", "baseline", "notes"]
    found = _read(subjects=[header, *lines])
    named = {n for n, line in enumerate(lines, start=2) if any(c.strip() for c in line)}
    n_used = len(found.tables.subjects)
    assert set(found.messages["Subjects"]) <= named
    assert n_used + len(found.messages["Subjects"]) <= len(named)
