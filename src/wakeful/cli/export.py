"""Commands that hand a session on: export nwb, export zarr, export features."""

from __future__ import annotations

import getpass
from datetime import datetime, time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from wakeful.catalog import load_catalog
from wakeful.cli.output import LibraryOption, console, library_open, progress_bar
from wakeful.io.store import Store
from wakeful.publish.folder import session_folder
from wakeful.service.lookup import find_session

if TYPE_CHECKING:
    from wakeful.config import Library
    from wakeful.publish.contents import SessionContents
    from wakeful.service.lookup import Found

export_app = typer.Typer(
    no_args_is_help=True,
    help="Hand a session on: LFP, results, and what made them, in one file.",
)

SessionArgument = Annotated[
    str, typer.Argument(help="The session's name, as the published folder is called.")
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        help="What to write. Default: in the session's published folder.",
        show_default=False,
    ),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace what is there under this name.")
]
SoFarOption = Annotated[
    bool,
    typer.Option("--so-far", help="Take the results that are there, though some are missing."),
]


class Filter(StrEnum):
    """How arrays in an NWB file are compressed."""

    GZIP = "gzip"
    BLOSC = "blosc"
    NONE = "none"


@export_app.command()
def nwb(
    session: SessionArgument,
    out: OutOption = None,
    compression: Annotated[
        Filter,
        typer.Option(
            help="gzip opens everywhere; blosc is written several times as fast and needs "
            "hdf5plugin wherever it is read; none is largest."
        ),
    ] = Filter.GZIP,
    start: Annotated[
        datetime | None,
        typer.Option(
            help="When the session began, on the lab's clock, where the recording does not say.",
            show_default=False,
        ),
    ] = None,
    no_lfp: Annotated[
        bool, typer.Option("--no-lfp", help="Results only, no samples: a small file.")
    ] = False,
    overwrite: OverwriteOption = False,
    so_far: SoFarOption = False,
    library: LibraryOption = None,
) -> None:
    """A session as one NWB file: LFP, spectra, sleep, events, and what made each.

    Opens in pynwb, pynapple, MATLAB and on DANDI. What is known of lab and animal is taken from
    `[sharing]` and `[subjects.ID]` in wakeful.toml.
    """
    contents, path = _gather(session, out, ".nwb", so_far, library)
    from wakeful.publish.contents import NwbOptions
    from wakeful.publish.nwb import write_nwb

    options = NwbOptions(
        compression=compression.value, start=start, lfp=not no_lfp, overwrite=overwrite
    )
    with progress_bar("writing NWB") as told:
        write_nwb(contents, path, options, told)
    _say(path)
    _say_what_is_unknown(contents)


@export_app.command()
def zarr(
    session: SessionArgument,
    out: OutOption = None,
    overwrite: OverwriteOption = False,
    so_far: SoFarOption = False,
    library: LibraryOption = None,
) -> None:
    """A session as a zarr 3 store that `xarray.open_zarr` takes for a dataset.

    Sharded and compressed with Blosc; a chunk holds a minute of one channel at 1 kHz.
    """
    contents, path = _gather(session, out, ".zarr", so_far, library)
    from wakeful.publish.zarr_store import write_zarr

    with progress_bar("writing zarr") as told:
        write_zarr(contents, path, overwrite=overwrite, progress=told)
    _say(path)


@export_app.command()
def features(
    session: SessionArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="What to write, ending in .csv or .parquet. Default: features.csv in the "
            "session's published folder.",
            show_default=False,
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    so_far: SoFarOption = False,
    library: LibraryOption = None,
) -> None:
    """Features for sleep scoring as one table, a row an epoch, to train a scorer with.

    The first column is start_s, seconds from the session's start; the others are numbers, empty
    where there is none.
    """
    from wakeful.publish.feature_table import write_feature_table
    from wakeful.service.sharing import gather_features

    with library_open(library, getpass.getuser()) as (opened, _, sheet):
        catalog = load_catalog()
        found = find_session(opened, sheet, catalog, session)
        parts = gather_features(Store(opened.results), catalog, found, so_far=so_far)
        path = _target(opened, found, out, "features.csv")
    with progress_bar("writing features") as told:
        write_feature_table(parts, path, overwrite=overwrite, progress=told)
    _say(path)


@export_app.command()
def baseline(
    session: SessionArgument,
    against: Annotated[
        str,
        typer.Option(
            "--baseline",
            help="The baseline's session; it may be the same one. Default: the one with the first "
            "baseline day that is known of the animal.",
            show_default=False,
        ),
    ] = "",
    day: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="Local date. Default: all of it.", show_default=False
        ),
    ] = None,
    baseline_day: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Local date of the baseline. Default: all of the session named with --baseline, "
            "else the animal's first baseline day.",
            show_default=False,
        ),
    ] = None,
    out: OutOption = None,
    so_far: SoFarOption = False,
    library: LibraryOption = None,
) -> None:
    """A day hour by hour, in minutes and uV^2/Hz and as per cent of a baseline day.

    Each hour is held against the baseline's at the same zeitgeber hour.
    """
    from wakeful.config import open_library
    from wakeful.io.atomic import write_bytes
    from wakeful.publish.baseline_tables import baseline_csv
    from wakeful.service.baseline import compare_with_baseline, known_baseline

    contents, path = _gather(session, out, "_of_baseline.csv", so_far, library)
    if not against:
        opened = open_library(library)
        told = None if baseline_day is None else baseline_day.date()
        against, first_day = known_baseline(opened, contents.subject.identifier, told)
        baseline_day = datetime.combine(first_day, time())
    reference, _ = _gather(against, path, "", so_far, library)
    found = compare_with_baseline(
        contents,
        None if day is None else day.date(),
        reference,
        None if baseline_day is None else baseline_day.date(),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, baseline_csv(found))
    for note in found.notes:
        console.print(f"note: {escape(note)}", highlight=False, soft_wrap=True)
    _say(path)


def _gather(
    session: str, out: Path | None, suffix: str, so_far: bool, library: Path | None
) -> tuple[SessionContents, Path]:
    """What is handed on, and where to."""
    from wakeful.service.sharing import gather

    with library_open(library, getpass.getuser()) as (opened, _, sheet):
        catalog = load_catalog()
        found = find_session(opened, sheet, catalog, session)
        contents = gather(
            opened,
            Store(opened.results),
            catalog,
            found,
            so_far=so_far,
        )
        return contents, _target(opened, found, out, f"session{suffix}")


def _target(library: Library, found: Found, out: Path | None, name: str) -> Path:
    """What to write: as asked for, or under a name in the session's published folder."""
    if out is None:
        subject = found.plan.session.subject.identifier
        folder = session_folder(library.published, subject, found.name)
        folder.mkdir(parents=True, exist_ok=True)
        out = folder / name
    return out.expanduser().resolve()


def _say(path: Path) -> None:
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    size = sum(p.stat().st_size for p in files) / 1e6
    console.print(f"wrote {escape(str(path))} ({size:,.1f} MB)", highlight=False, soft_wrap=True)


def _say_what_is_unknown(contents: SessionContents) -> None:
    """An archive asks for these; they can't be read from a recording."""
    subject, lab = contents.subject, contents.lab
    animal = [
        name
        for name, unknown in (
            ("species", subject.species in ("", "unknown")),
            ("birth", subject.birth is None),
            ("sex", subject.sex in ("", "unknown", "U")),
        )
        if unknown
    ]
    if animal:
        console.print(
            f"note: {', '.join(animal)} of {escape(subject.identifier)} unknown; say them in "
            f"wakeful.toml under {escape(f'[subjects.{subject.identifier}]')}",
            highlight=False,
            soft_wrap=True,
        )
    if not lab.institution or not lab.experimenters:
        console.print(
            f"note: institution or experimenters unknown; wakeful.toml, {escape('[sharing]')}",
            highlight=False,
            soft_wrap=True,
        )
