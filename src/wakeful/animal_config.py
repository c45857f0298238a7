"""What is known of an animal, and what a lab's sheets say of its animals and parameters."""

from __future__ import annotations

import re
from datetime import date, time
from typing import Any, Final, Literal

from pydantic import Field, field_validator

from wakeful.model.subject import LightSchedule
from wakeful.oversight_config import Section

_LIGHTS: Final = re.compile(
    r"(?:(?:from\s+)?(?P<since>\d{4}-\d{2}-\d{2})\s+)?"
    r"(?P<on>\d{1,2}:\d{2})\s*(?:-|–|to)\s*(?P<off>\d{1,2}:\d{2})"
)
_DAYS: Final = re.compile(
    r"(?P<first>\d{4}-\d{2}-\d{2})(?:\s*(?:to|–|\.\.)\s*(?P<last>\d{4}-\d{2}-\d{2}))?"
)

TELLS_GROUPS: Final = ("genotype", "drug", "dose", "dosed", "notes")
"""What blinding hides."""


class Animal(Section):
    """What is known of an animal; [subjects.ID], or the tab Subjects of a sheet."""

    species: str = Field("", description='Latin name, e.g. "Mus musculus"; "mouse" and "rat" do')
    strain: str = Field("", description='For example "C57BL/6J"')
    genotype: str = Field("", description='For example "Scn1a+/-"')
    sex: Literal["M", "F", "O", "U"] = Field("U", description="M, F, O (other) or U (unknown)")
    birth: date | None = Field(None, description="Date of birth, e.g. 2025-11-03")
    litter: str = Field("", description="Which litter it is of")
    surgery: str = Field("", description='For example "2026-01-07 implant, S1 and CA1"')
    drug: str = Field("", description="What it was given")
    dose: str = Field("", description='For example "10 mg/kg i.p."')
    dosed: str = Field("", description='When it was given, e.g. "2026-03-01 10:00"')
    lights: str = Field(
        "",
        description='When its lights are on, where not as the lab\'s: "07:00-19:00"; shifts by '
        'date: "07:00-19:00; from 2026-03-01 09:00-21:00"',
    )
    mains_hz: Literal[50, 60] | None = Field(
        None, description="Frequency of the mains where it was recorded, Hz, if not as the lab's"
    )
    baseline: str = Field(
        "", description='Its baseline days: "2026-02-20", "2026-02-20 to 2026-02-22", or several'
    )
    excluded: str = Field(
        "", description="Why it is left out; empty: it is not. Its rows are computed and say so"
    )
    notes: str = Field("", description="Anything")

    @field_validator("species")
    @classmethod
    def _latin(cls, value: str) -> str:
        named = {"mouse": "Mus musculus", "rat": "Rattus norvegicus"}.get(value.lower(), value)
        if named and not re.fullmatch(r"[A-Z][a-z]+ [a-z]+", named):
            raise ValueError(f'{value!r} is not a Latin name such as "Mus musculus"')
        return named

    @field_validator("lights")
    @classmethod
    def _schedule(cls, value: str) -> str:
        _read_lights(value)
        return value

    @field_validator("baseline")
    @classmethod
    def _days(cls, value: str) -> str:
        _read_days(value)
        return value

    def light(self, day: date) -> LightSchedule | None:
        """The light schedule in force on a local day; None where nothing is said of it."""
        in_force = [s for since, s in _read_lights(self.lights) if since is None or since <= day]
        return in_force[-1] if in_force else None

    def light_changes(self) -> tuple[date, ...]:
        """The local days on which its schedule changes."""
        return tuple(since for since, _ in _read_lights(self.lights) if since is not None)

    def baseline_days(self) -> tuple[tuple[date, date], ...]:
        """First and last day of each stretch of baseline."""
        return _read_days(self.baseline)

    @property
    def treatment(self) -> str:
        """What it was given, how much and when, in one line; "" for nothing."""
        given = " ".join(filter(None, (self.drug, self.dose)))
        return f"{given} at {self.dosed}" if given and self.dosed else given

    def tells_group(self, *names: str) -> str:
        """Which of genotype and drug can be read from names of files and folders; "" for none."""
        said = re.sub(r"[^a-z0-9]", "", " ".join(names).casefold())
        for column in ("genotype", "drug"):
            word = re.sub(r"[^a-z0-9]", "", str(getattr(self, column)).casefold())
            if len(word) >= 2 and word in said:
                return column
        return ""

    def blinded(self) -> Animal:
        """The animal without what tells groups apart."""
        return self.model_copy(update=dict.fromkeys(TELLS_GROUPS, ""))


class SheetTables(Section):
    """What the tabs of one sheet say."""

    subjects: dict[str, Animal] = Field(default_factory=dict)
    parameters: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    """Set -> step -> field -> value."""


class LabTables(Section):
    """What the tabs of a lab's sheets say; kept beside wakeful.toml and read with it."""

    sheets: dict[str, SheetTables] = Field(default_factory=dict)
    """By the sheet's name; where two say something of the same animal, the first holds."""

    def animal(self, subject: str) -> Animal | None:
        """What is known of an animal."""
        found = (sheet.subjects.get(subject) for sheet in self.sheets.values())
        return next((animal for animal in found if animal is not None), None)

    def parameter_sets(self) -> tuple[str, ...]:
        """Names of the parameter sets."""
        return tuple(dict.fromkeys(n for sheet in self.sheets.values() for n in sheet.parameters))

    def parameters_of(self, name: str) -> dict[str, dict[str, Any]]:
        """Step -> field -> value of a parameter set; empty where there is none."""
        found = (sheet.parameters.get(name) for sheet in self.sheets.values())
        return next((one for one in found if one is not None), {})


def _read_lights(text: str) -> list[tuple[date | None, LightSchedule]]:
    """(since when, schedule), in order of time; the first may hold since ever.

    Raises
    ------
    ValueError
        It is written otherwise.
    """
    found: list[tuple[date | None, LightSchedule]] = []
    for part in filter(None, (p.strip() for p in re.split(r"[;\n]", text))):
        match = _LIGHTS.fullmatch(part)
        if match is None:
            raise ValueError(
                f'{part!r} is not a light schedule; write e.g. "07:00-19:00", and a change as '
                '"from 2026-03-01 09:00-21:00"'
            )
        try:
            since = date.fromisoformat(match["since"]) if match["since"] else None
            on, off = (time.fromisoformat(match[name].zfill(5)) for name in ("on", "off"))
        except ValueError as error:
            raise ValueError(f"{part!r}: {error}") from None
        if on == off:
            raise ValueError(f"{part!r}: the lights go on and off at the same time")
        if since is None and found:
            raise ValueError(f'{part!r} does not say from when it holds; write "from DATE" before')
        found.append((since, LightSchedule(on=on, off=off)))
    return sorted(found, key=lambda one: (one[0] is not None, one[0] or date.min))


def _read_days(text: str) -> tuple[tuple[date, date], ...]:
    """(first, last) of each stretch of days.

    Raises
    ------
    ValueError
        It is written otherwise.
    """
    found: list[tuple[date, date]] = []
    for part in filter(None, (p.strip() for p in re.split(r"[,;\n]", text))):
        match = _DAYS.fullmatch(part)
        if match is None:
            raise ValueError(
                f'{part!r} is not a day; write e.g. "2026-02-20" or "2026-02-20 to 2026-02-22"'
            )
        try:
            first = date.fromisoformat(match["first"])
            last = date.fromisoformat(match["last"]) if match["last"] else first
        except ValueError as error:
            raise ValueError(f"{part!r}: {error}") from None
        if last < first:
            raise ValueError(f"{part!r}: ends before it begins")
        found.append((first, last))
    return tuple(found)
