"""The command mirror, and the scrubbing of all that a library has taken in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bars

from wakeful.cli.output import JsonOption, LibraryOption, console, print_json
from wakeful.config import Library, open_library
from wakeful.io.mirror import (
    Damage,
    Ending,
    Manifest,
    intake_folder,
    is_current,
    look_at,
    read_manifest,
    repair,
    scrub,
    take_in,
)
from wakeful.io.mirror.copies import delete_source, make_second_copy
from wakeful.io.mirror.rclone import Rclone, is_remote
from wakeful.io.mirror.remote import take_in_remote
from wakeful.model.errors import BadParameters

_PAUSE_S = 2.0

Report = Callable[[int, int], None]


@dataclass
class _Outcome:
    """What became of it; as JSON for programs."""

    source: str
    folder: str
    complete: bool = False
    why: str = ""
    files: int = 0
    bytes: int = 0
    replaced: list[str] = field(default_factory=list)
    new_heads: list[str] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    left_damaged: list[str] = field(default_factory=list)
    second_copy: str = ""
    deleted: list[str] = field(default_factory=list)


def mirror(
    source: Annotated[
        str, typer.Argument(help="A recording's folder or file, or remote:path as in rclone.")
    ],
    follow: Annotated[
        bool, typer.Option("--follow", help="Stay until the recording has ended.")
    ] = False,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Hash it where it is instead of copying it.")
    ] = False,
    bandwidth: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="Read no faster, MB per second; 0 for no limit. Default: wakeful.toml.",
            show_default=False,
        ),
    ] = None,
    second_copy: Annotated[
        str,
        typer.Option(help="A folder on another disk, or remote:path, for a second verified copy."),
    ] = "",
    delete: Annotated[
        bool,
        typer.Option(
            "--delete-source",
            help="Delete the source, once mirror, second copy and source have been read and are "
            "equal. Needs --second-copy.",
        ),
    ] = False,
    mend: Annotated[
        bool,
        typer.Option("--repair", help="Read the mirror again and fetch damaged pieces anew."),
    ] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """A verified copy of a growing or finished recording in the library.

    Goes on where it was interrupted. Of a recording that is still being written, what is there is
    copied; call it again, or stay with --follow. Ends with 1 where damage could not be mended.
    """
    opened = open_library(library)
    work = opened.config.work
    ending = Ending(settle_s=work.settle_s, marker=work.finished_marker)
    limit = work.bandwidth_mb_per_s if bandwidth is None else bandwidth
    rclone = Rclone(config=_rclone_config(opened), bandwidth_mb_per_s=limit)
    remote = is_remote(source)
    in_place = not remote and (in_place or work.transfer == "in-place")
    _check_options(source, remote=remote, in_place=in_place, second=second_copy, delete=delete)
    # A row that says `lab:folder` looks for it here, and finds that it was taken in.
    path = opened.root / source if remote else Path(source).expanduser().resolve()
    folder = intake_folder(opened.raw, path)
    outcome = _Outcome(source if remote else str(path), str(folder))
    with _bar(quiet=as_json) as begin:
        if remote:
            manifest = take_in_remote(
                source,
                path,
                folder,
                rclone,
                settle_s=work.settle_s,
                progress=begin("copying"),
            )
        else:
            manifest = _bring_in(
                path, folder, in_place, follow, ending, limit, outcome, begin, say=not as_json
            )
        if mend:
            _mend(manifest, folder, path, outcome, begin("reading again"))
        if second_copy and manifest.complete and not outcome.left_damaged:
            made = make_second_copy(
                manifest, folder, second_copy, rclone, progress=begin("second copy")
            )
            outcome.second_copy = made.place
        if delete and manifest.complete and not outcome.left_damaged:
            deletion = delete_source(
                path, folder, second_copy, rclone, ending, progress=begin("proving both copies")
            )
            outcome.deleted = list(deletion.files)
            if not deletion.files:
                outcome.why = "nothing is left to be deleted at the source"
    outcome.complete = manifest.complete
    outcome.files, outcome.bytes = len(manifest.files), manifest.n_bytes
    outcome.replaced, outcome.new_heads = list(manifest.replaced), list(manifest.new_heads)
    if as_json:
        print_json(asdict(outcome))
    else:
        _tell(outcome, manifest)
    if outcome.left_damaged:
        raise typer.Exit(1)


def _rclone_config(opened: Library) -> Path | None:
    config = opened.config.work.rclone_config
    return None if config is None else opened.root / config.expanduser()


def _check_options(source: str, *, remote: bool, in_place: bool, second: str, delete: bool) -> None:
    if delete and not second:
        raise BadParameters(
            "a source is only deleted when there is a second copy",
            where="--delete-source",
            remedy="give --second-copy FOLDER as well, on another disk, or a remote",
        )
    if delete and remote:
        raise BadParameters(
            "nothing is deleted at a remote", where=source, remedy="delete it there yourself"
        )
    if in_place and (delete or second):
        raise BadParameters(
            "data that is used where it is has no mirror to be copied from",
            where=source,
            remedy='mirror it: without --in-place, and with transfer = "mirror" in wakeful.toml',
        )


def _bring_in(
    path: Path,
    folder: Path,
    in_place: bool,
    follow: bool,
    ending: Ending,
    limit: float,
    outcome: _Outcome,
    begin: Callable[[str], Report],
    *,
    say: bool,
) -> Manifest:
    """Take a source in, as far as it is there, or to its end."""
    said = ""
    while True:
        manifest = read_manifest(folder)
        if manifest is not None and is_current(manifest, path, in_place=in_place):
            if not path.exists():
                outcome.why = "the source is gone; the mirror is whole"
            return manifest
        look = look_at(path, ending) if path.exists() else None
        manifest = take_in(
            path,
            folder,
            in_place=in_place,
            progress=begin("hashing" if in_place else "copying"),
            following=look is not None,
            ending=ending,
            bandwidth_mb_per_s=limit,
        )
        if manifest.complete:
            outcome.why = ""
            return manifest
        outcome.why = look.why if look is not None and not look.ended else "more is being written"
        if not follow:
            return manifest
        if say and outcome.why.split(" ")[0] != said:
            said = outcome.why.split(" ")[0]
            console.print(f"still growing: {escape(outcome.why)}", style="dim", highlight=False)
        time.sleep(_PAUSE_S)


def _mend(manifest: Manifest, folder: Path, path: Path, outcome: _Outcome, report: Report) -> None:
    damage = scrub(manifest, progress=report)
    left = repair(manifest, folder, path, damage) if damage else ()
    outcome.damage = [str(one) for one in damage]
    outcome.left_damaged = [str(one) for one in left]


def _tell(outcome: _Outcome, manifest: Manifest) -> None:
    size = f"{outcome.files} files, {outcome.bytes / 1e6:,.1f} MB"
    _print(f"[bold]{escape(outcome.source)}[/]")
    if outcome.complete:
        done = "hashed where it is" if manifest.in_place else "copied and verified"
        _print(f"[green]whole[/]: {size}, {done}")
    else:
        _print(f"[yellow]still growing[/]: {size} verified so far; {escape(outcome.why)}")
        _print("call it again, or stay with --follow", style="dim")
    _print(f"in {escape(outcome.folder)}", style="dim")
    if outcome.complete and outcome.why:
        _print(f"[yellow]note[/] {escape(outcome.why)}")
    if outcome.replaced:
        names = escape(", ".join(outcome.replaced))
        _print(f"[yellow]note[/] changed at the source, earlier copies are kept: {names}")
    if outcome.new_heads:
        n_files = len(outcome.new_heads)
        _print(f"headers were rewritten when {n_files} files were closed, as is usual", style="dim")
    for line in outcome.damage:
        mended = line not in outcome.left_damaged
        verdict = "[green]mended[/]" if mended else "[red]still damaged[/]"
        _print(f"    {escape(line)}: {verdict}")
    if outcome.left_damaged:
        _print("the source is gone or holds other bytes there, so it could not be mended")
    if outcome.second_copy:
        _print(f"[green]second copy[/] verified in {escape(outcome.second_copy)}")
    if outcome.deleted:
        _print(f"deleted {len(outcome.deleted)} files at the source")


def _print(text: str, style: str = "") -> None:
    console.print(text, style=style or None, highlight=False, soft_wrap=True)


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[str], Report]]:
    """One line with MB/s and time left; gives what begins a new line of it."""
    with Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    ) as bars:

        def begin(what: str) -> Report:
            for old in bars.task_ids:
                bars.remove_task(old)
            line = bars.add_task(what, total=None)
            is_first = True

            def report(done: int, total: int) -> None:
                nonlocal is_first
                if is_first:  # what was there already says nothing about the speed
                    bars.reset(line, total=total, completed=done)
                    is_first = False
                bars.update(line, completed=done, total=total)

            return report

        yield begin


def scrub_library(raw: Path, *, as_json: bool, with_blake3: bool) -> None:
    """Read all that was taken in again, and name what is damaged.

    Raises
    ------
    typer.Exit
        With 1 where anything is.
    """
    found: dict[str, tuple[Damage, ...]] = {}
    for path in sorted(raw.glob("*/manifest.json")):
        manifest = read_manifest(path.parent)
        if manifest is None:
            if not as_json:
                _print(
                    f"{escape(path.parent.name)}: taken in by an older version; it is read and "
                    "converted when its row is run, or by `wakeful mirror`"
                )
            continue
        with _bar(quiet=as_json) as begin:
            damage = scrub(manifest, with_blake3=with_blake3, progress=begin("reading"))
        found[manifest.source] = damage
        if not as_json:
            verdict = "[red]damaged[/]" if damage else "[green]as it was taken in[/]"
            size = f"{manifest.n_bytes / 1e6:,.1f} MB" + ("" if manifest.complete else " so far")
            _print(f"{escape(manifest.source)} ({size}): {verdict}")
            for one in damage:
                _print(f"    {escape(str(one))}")
    if as_json:
        print_json({source: [asdict(one) for one in damage] for source, damage in found.items()})
    elif not found:
        console.print("no raw data has been taken in yet")
    elif any(found.values()):
        _print("`wakeful mirror SOURCE` with --repair fetches damaged pieces again", style="dim")
    if any(found.values()):
        raise typer.Exit(1)
