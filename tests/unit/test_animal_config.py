"""What is known of an animal."""

from __future__ import annotations

from datetime import date, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from wakeful.animal_config import TELLS_GROUPS, Animal, LabTables, SheetTables
from wakeful.model.subject import LightSchedule

_times = st.times(max_value=time(23, 59)).map(lambda t: t.replace(second=0, microsecond=0))
_schedules = st.tuples(_times, _times).filter(lambda pair: pair[0] != pair[1])


@given(
    _schedules,
    st.lists(st.tuples(st.dates(date(2020, 1, 1), date(2030, 1, 1)), _schedules), max_size=4),
)
def test_the_schedule_in_force_is_the_latest_that_has_begun(first, changes):
    changes = sorted(dict(changes).items())
    text = "; ".join(
        [f"{first[0]:%H:%M}-{first[1]:%H:%M}"]
        + [f"from {day} {on:%H:%M}-{off:%H:%M}" for day, (on, off) in changes]
    )
    animal = Animal(lights=text)
    assert animal.light_changes() == tuple(day for day, _ in changes)
    for number, (day, (on, off)) in enumerate(changes):
        assert animal.light(day) == LightSchedule(on=on, off=off)
        before = changes[number - 1][1] if number else first
        assert animal.light(day - timedelta(days=1)) == LightSchedule(on=before[0], off=before[1])


def test_nothing_said_of_light_is_nothing_known():
    assert Animal().light(date(2026, 1, 1)) is None
    assert Animal(lights="from 2026-03-01 09:00-21:00").light(date(2026, 2, 1)) is None


def test_a_blinded_animal_tells_no_group():
    animal = Animal(
        species="mouse", genotype="Scn1a+/-", drug="x", dose="1", dosed="now", notes="of the ko"
    )
    blinded = animal.blinded()
    assert {getattr(blinded, name) for name in TELLS_GROUPS} == {""}
    assert blinded.species == "Mus musculus"


def test_of_two_sheets_the_first_holds():
    one = SheetTables(subjects={"M1": Animal(sex="F")}, parameters={"a": {"sleep": {}}})
    two = SheetTables(subjects={"M1": Animal(sex="M"), "M2": Animal()}, parameters={"b": {}})
    tables = LabTables(sheets={"one": one, "two": two})
    assert tables.animal("M1") == Animal(sex="F")
    assert tables.animal("M2") == Animal()
    assert tables.animal("M3") is None
    assert tables.parameter_sets() == ("a", "b")
    assert tables.parameters_of("c") == {}
    assert LabTables.model_validate_json(tables.model_dump_json(exclude_defaults=True)) == tables
