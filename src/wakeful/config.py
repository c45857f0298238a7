"""wakeful.toml: what a library is told once, checked and typed."""

from __future__ import annotations

import re
import tomllib
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AwareDatetime,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from wakeful.animal_config import Animal, LabTables
from wakeful.executor_config import Executor
from wakeful.front_config import (
    Blinding,
    Delivery,
    Google,
    Inbox,
    Web,
    google_sheet_name,
    inbox_name,
)
from wakeful.model.errors import BadConfig, NoLibrary
from wakeful.model.subject import LightSchedule
from wakeful.oversight_config import Notices, Section, Service

CONFIG_NAME = "wakeful.toml"
LAB_TABLES_NAME = "lab-tables.json"
"""Beside it: what the tabs of the lab's sheets say of animals and parameters."""


class Lab(Section):
    """Where and how the lab records."""

    time_zone: str = Field("UTC", description="IANA name of the lab's time zone")
    mains_hz: Literal[50, 60] = Field(50, description="Frequency of the mains, Hz")
    lights_on: time | None = Field(None, description="Local time; zeitgeber time 0")
    lights_off: time | None = Field(None, description="Local time")
    starts: dict[str, AwareDatetime] = Field(
        default_factory=dict,
        description="When recordings began, where their files don't say or can't: name of the "
        'recording\'s folder or file = time with UTC offset, e.g. "2026-10-25T02:30:00+01:00"',
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            near = [z for z in available_timezones() if value.lower() in z.lower()][:3]
            hint = f" (did you mean {', '.join(sorted(near))}?)" if near and value else ""
            raise ValueError(f"{value!r} is not an IANA time zone{hint}") from None
        return value

    @model_validator(mode="after")
    def _both_lights(self) -> Self:
        if (self.lights_on is None) != (self.lights_off is None):
            raise ValueError("give both lights_on and lights_off, or neither")
        if self.lights_on is not None and self.lights_on == self.lights_off:
            raise ValueError("lights_on and lights_off are the same time")
        return self

    @property
    def light(self) -> LightSchedule | None:
        """The light schedule, if the lab has said it."""
        if self.lights_on is None or self.lights_off is None:
            return None
        return LightSchedule(on=self.lights_on, off=self.lights_off)


class Work(Section):
    """How a recording is cut and taken in."""

    block_s: Annotated[float, Field(gt=0)] = Field(
        3600.0, description="Unit of work, seconds from the session's start"
    )
    epoch_s: Annotated[float, Field(gt=0)] = Field(4.0, description="Scoring epoch, seconds")
    transfer: Literal["mirror", "in-place"] = Field(
        "mirror", description="Copy raw data into the library, or hash it where it is"
    )
    roots: tuple[Path, ...] = Field(
        (),
        description="Recordings must lie in these folders; empty: anywhere that the service can "
        "read. Worth setting where people outside the lab can edit the sheet",
    )
    follow: bool = Field(
        True,
        description="Analyse the hours that are complete while a recording still goes on (formats "
        "that can be read meanwhile: see the formats)",
    )
    settle_s: Annotated[float, Field(ge=0)] = Field(
        30.0, description="A recording written to more recently than this still goes on, seconds"
    )
    finished_marker: str = Field(
        "",
        description="Pattern of the name of a file that the acquisition leaves when a recording "
        "has ended, e.g. `*.done`; until it is there the recording counts as growing",
    )
    bandwidth_mb_per_s: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Sources are read no faster, megabytes per second; 0 for no limit"
    )
    rclone_config: Path | None = Field(
        None,
        description="rclone's configuration with the remotes; without it rclone looks where it "
        "always does (also in RCLONE_CONFIG)",
    )
    compress_after_days: Annotated[float, Field(ge=0)] | None = Field(
        None,
        description="What `wakeful compress` packs where it is not told: LFP made this long ago, "
        "days",
    )

    @model_validator(mode="after")
    def _whole_epochs(self) -> Self:
        epochs = self.block_s / self.epoch_s
        if abs(epochs - round(epochs)) > 1e-9:
            raise ValueError(
                f"block_s ({self.block_s:g}) must be a whole number of epochs of "
                f"epoch_s ({self.epoch_s:g})"
            )
        return self


class Folders(Section):
    """Where things are; relative paths count from the library's folder."""

    database: Path = Field(Path("wakeful.sqlite"), description="SQLite file; on a local disk")
    raw: Path = Field(Path("raw"), description="Mirrored recordings and their manifests")
    results: Path = Field(Path("results"), description="Artefacts, named by what made them")
    jobs: Path = Field(Path("jobs"), description="Job files, progress, exit codes")
    published: Path = Field(Path("published"), description="Figures and reports for people")
    models: Path = Field(
        Path("models"), description="Trained scorers, a folder each (`wakeful train sleep`)"
    )
    pipelines: Path = Field(
        Path("pipelines"), description="Named versions of the pipeline (`wakeful pipeline save`)"
    )
    logs: Path = Field(Path("logs"), description="What the service did, see `wakeful logs`")
    deliveries: Path = Field(
        Path("deliveries"), description="What was delivered where, and uploads that have begun"
    )


class Pipeline(Section):
    """Which version of the pipeline a project uses."""

    version: str = Field(
        "",
        description="Name of a version (`wakeful pipeline save`) whose numbers this library keeps: "
        "rows that the installed steps would compute otherwise wait, with the reason. Empty: "
        "whatever is installed",
    )


class Sharing(Section):
    """Who recorded, for files that are handed on (NWB, zarr)."""

    institution: str = Field("", description="For example your university")
    lab: str = Field("", description="For example the head of the lab")
    experimenters: tuple[str, ...] = Field((), description='Names as "Last, First"')
    description: str = Field("", description="What the experiment is about")
    keywords: tuple[str, ...] = Field((), description="Words to find it by")

    @field_validator("experimenters")
    @classmethod
    def _last_first(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if bad := [name for name in names if not re.match(r"^[\w\s\-.']+,\s*[\w\s\-.']+$", name)]:
            raise ValueError(f'give names as "Last, First", not {", ".join(map(repr, bad))}')
        return names


class Config(Section):
    """All of wakeful.toml."""

    lab: Lab = Lab()
    work: Work = Work()
    executor: Executor = Executor()
    service: Service = Service()
    notices: Notices = Notices()
    google: Google = Google()
    inbox: Inbox = Inbox()
    delivery: Delivery = Delivery()
    web: Web = Web()
    blinding: Blinding = Blinding()
    folders: Folders = Folders()
    pipeline: Pipeline = Pipeline()
    sharing: Sharing = Sharing()
    subjects: dict[str, Animal] = Field(
        default_factory=dict, description="What is known of each animal: [subjects.ID]"
    )
    parameters: dict[str, dict[str, dict[str, Any]]] = Field(
        default_factory=dict, description="Parameter sets: [parameters.SET.STEP] field = value"
    )


class Library:
    """A folder with a wakeful.toml, and where everything in it lies.

    Parameters
    ----------
    root : the folder
    config : its wakeful.toml
    """

    def __init__(self, root: Path, config: Config) -> None:
        self.root = root.resolve()
        self.config = config
        self._lab_tables: tuple[tuple[int, ...], LabTables] = ((), LabTables())

    def __repr__(self) -> str:
        return f"Library({str(self.root)!r})"

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.root / self.config.folders.database

    @property
    def raw(self) -> Path:
        """Mirrored recordings."""
        return self.root / self.config.folders.raw

    @property
    def results(self) -> Path:
        """Artefacts."""
        return self.root / self.config.folders.results

    @property
    def jobs(self) -> Path:
        """Job files."""
        return self.root / self.config.folders.jobs

    @property
    def published(self) -> Path:
        """Figures and reports."""
        return self.root / self.config.folders.published

    @property
    def models(self) -> Path:
        """Trained scorers."""
        return self.root / self.config.folders.models

    @property
    def pipelines(self) -> Path:
        """Named versions of the pipeline."""
        return self.root / self.config.folders.pipelines

    @property
    def logs(self) -> Path:
        """What the service did."""
        return self.root / self.config.folders.logs

    @property
    def lab_tables(self) -> LabTables:
        """What the tabs of the lab's sheets say, as they were last read.

        Raises
        ------
        BadConfig
            The file was changed by hand, and is none any more.
        """
        path = self.root / LAB_TABLES_NAME
        try:
            stat = path.stat()
            changed = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if changed != self._lab_tables[0]:
                tables = LabTables.model_validate_json(path.read_text(encoding="utf-8"))
                # What a sheet said that is no longer named holds no longer.
                named = self.outside_sheets()
                self._lab_tables = (
                    changed,
                    LabTables(sheets={n: tables.sheets[n] for n in named if n in tables.sheets}),
                )
        except FileNotFoundError:
            if self._lab_tables[0]:  # else the same object: it is compared by identity
                self._lab_tables = ((), LabTables())
        except (OSError, ValueError) as error:
            raise BadConfig(
                f"can't be read as what sheets say of the lab ({type(error).__name__})",
                where=str(path),
                remedy="delete it: the next look at the sheets writes it anew",
            ) from None
        return self._lab_tables[1]

    def outside_sheets(self) -> tuple[str, ...]:
        """Names of the sheets outside the library that wakeful.toml names, in its order."""
        google = [google_sheet_name(address) for address in self.config.google.sheets]
        return (*google, *map(inbox_name, self.config.inbox.files))

    def animal(self, subject: str) -> Animal | None:
        """What is known of an animal: wakeful.toml holds before the sheets."""
        return self.config.subjects.get(subject) or self.lab_tables.animal(subject)

    @property
    def deliveries(self) -> Path:
        """What was delivered where."""
        return self.root / self.config.folders.deliveries

    def parameter_sets(self) -> tuple[str, ...]:
        """Names of the parameter sets; "default" is always there."""
        sets = ("default", *self.config.parameters, *self.lab_tables.parameter_sets())
        return tuple(dict.fromkeys(sets))

    def parameters(self, name: str) -> dict[str, dict[str, Any]]:
        """Step -> field -> value of a parameter set.

        Raises
        ------
        BadConfig
            There is no such set.
        """
        if name not in self.parameter_sets():
            raise BadConfig(
                f"there is no parameter set {name!r}",
                where=str(self.root / CONFIG_NAME),
                remedy=f"use one of {', '.join(self.parameter_sets())}",
            )
        if name in self.config.parameters:
            return self.config.parameters[name]
        return self.lab_tables.parameters_of(name)


def read_config(path: Path) -> Config:
    """Read a wakeful.toml.

    Raises
    ------
    BadConfig
        Names every bad field at once.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(
            f"can't be read ({error})", where=str(path), remedy="check the file and its permissions"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(
            f"is not valid TOML: {error}", where=str(path), remedy="correct the line it names"
        ) from error
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in e['loc']) or 'file'}: {_plain(e)}"
            for e in error.errors()
        ]
        raise BadConfig(
            " | ".join(problems), where=str(path), remedy="correct these fields"
        ) from error


def _plain(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "is not known here"
    return str(error["msg"]).removeprefix("Value error, ")


def open_library(path: Path | str | None = None) -> Library:
    """The library at `path`, or the nearest one at or above the working directory.

    Raises
    ------
    NoLibrary
        There is none.
    BadConfig
        Its wakeful.toml can't be used.
    """
    if path is not None:
        root = Path(path).expanduser().resolve()
        if not (root / CONFIG_NAME).is_file():
            raise NoLibrary(
                f"there is no {CONFIG_NAME} here",
                where=str(root),
                remedy=f"make a library with `wakeful init {root}`",
            )
        return Library(root, read_config(root / CONFIG_NAME))
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / CONFIG_NAME).is_file():
            return Library(folder, read_config(folder / CONFIG_NAME))
    raise NoLibrary(
        f"no {CONFIG_NAME} here or in any folder above",
        where=str(here),
        remedy="give --library PATH, or make a library with `wakeful init LIBRARY`",
    )


TEMPLATE = """\
# A Wakeful library. Every field may be left out; the values shown are in force.

[lab]
time_zone = "{time_zone}"    # IANA name, e.g. "Europe/Berlin"
mains_hz = {mains_hz}             # 50 or 60
{lights}
[work]
block_s = {block_s:g}          # unit of work, seconds from the session's start
epoch_s = {epoch_s:g}             # scoring epoch, seconds
transfer = "{transfer}"     # or "in-place": raw data stays where it is and is only hashed
settle_s = {settle_s:g}           # a recording touched more recently is still growing

[executor]
kind = "local"
workers = {workers}

# A parameter set that a row can name; see `wakeful steps` for the parameters.
# [parameters.narrow-theta.band_power]
# theta_hz = [6.0, 8.0]
"""


def write_library(root: Path, config: Config) -> Library:
    """Make a new library: wakeful.toml and its folders.

    Raises
    ------
    BadConfig
        There is one already.
    """
    path = root / CONFIG_NAME
    if path.exists():
        raise BadConfig(
            "there is a library here already",
            where=str(path),
            remedy="use it as it is, or choose another folder",
        )
    lab, work = config.lab, config.work
    if lab.light is None:
        lights = '# lights_on = "07:00"    # local time; zeitgeber time 0\n# lights_off = "19:00"\n'
    else:
        lights = f'lights_on = "{lab.lights_on:%H:%M}"\nlights_off = "{lab.lights_off:%H:%M}"\n'
    root.mkdir(parents=True, exist_ok=True)
    path.write_text(
        TEMPLATE.format(
            time_zone=lab.time_zone,
            mains_hz=lab.mains_hz,
            lights=lights,
            block_s=work.block_s,
            epoch_s=work.epoch_s,
            transfer=work.transfer,
            settle_s=work.settle_s,
            workers=config.executor.workers,
        ),
        encoding="utf-8",
    )
    library = Library(root, read_config(path))
    for folder in (library.raw, library.results, library.jobs, library.published):
        folder.mkdir(parents=True, exist_ok=True)
    return library
