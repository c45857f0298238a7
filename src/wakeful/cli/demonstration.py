"""Commands on planted truth: demo and simulate."""

from __future__ import annotations

import json
import shutil
import time
import webbrowser
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.markup import escape

from wakeful.cli.library import print_rows, progress_display
from wakeful.cli.output import (
    console,
    duration,
    library_open,
    make_service,
    print_table,
    progress_bar,
)
from wakeful.config import CONFIG_NAME, Config, Lab, Work, open_library, write_library
from wakeful.executor_config import Executor
from wakeful.io.store import Store
from wakeful.model.epochs import Hypnogram, State
from wakeful.model.errors import BadParameters, StepFailed
from wakeful.model.time import Interval
from wakeful.pipeline.plan import Plan
from wakeful.service.lock import hold_library

if TYPE_CHECKING:
    from wakeful.simulate.faults import PlantedFault
    from wakeful.simulate.plan import RecordingPlan

_SUBJECT = "SIM001"
_STATES = (State.AWAKE, State.UNCLASSIFIED, State.NREM, State.REM, State.NO_DATA)


def simulate(
    out: Annotated[Path, typer.Argument(help="The folder to make.")],
    minutes: Annotated[float, typer.Option(help="How long.", min=0.2, max=20_000)] = 20.0,
    subject: Annotated[str, typer.Option(help="The animal's identifier.")] = _SUBJECT,
    seed: Annotated[int, typer.Option(help="Decides everything that is random.", min=0)] = 1,
    rate_hz: Annotated[int, typer.Option(help="Samples per second.")] = 32_000,
    gap: Annotated[
        list[str] | None,
        typer.Option(help="Where nothing is recorded, seconds, e.g. 400:437.5. Repeatable."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="A spoilt channel, CHANNEL:KIND[:START:STOP[:OF]], e.g. CSC3:flat:400:700 or "
            "CSC5:copy:0:900:CSC4; flat, clipped, hum, loose, copy, inverted. Repeatable."
        ),
    ] = None,
    natural: Annotated[
        bool,
        typer.Option(
            "--natural",
            help="Bouts of natural length; otherwise they are shortened in recordings of 15 to 60 "
            "minutes, so that each state is there.",
        ),
    ] = False,
) -> None:
    """A planted-truth recording as Neuralynx files, with channels.csv and truth.json.

    A simulated mouse with 8 channels in 3 regions and EMG, whose states, rhythms, spindles and
    gaps are known.
    """
    from wakeful.simulate.plan import Pace, RecordingPlan, SubjectPlan

    plan = RecordingPlan(
        subject=SubjectPlan(identifier=subject, seed=seed),
        duration_s=minutes * 60.0,
        pace=Pace.NATURAL if natural or not 15 <= minutes <= 60 else Pace.SHORT,
        rate_hz=rate_hz,
        gaps=tuple(_parse_gap(text) for text in gap or ()),
        faults=tuple(_parse_fault(text) for text in fault or ()),
    )
    _write(plan, out)
    console.print(f"wrote {escape(str(out))} ({len(list(out.iterdir()))} files)", highlight=False)


def _parse_gap(text: str) -> Interval:
    start, colon, stop = text.partition(":")
    try:
        interval = Interval(float(start), float(stop))
    except ValueError:
        interval = Interval(0.0, 0.0)
    if not colon or interval.duration_s <= 0:
        raise BadParameters(
            f"{text!r} is not a gap", where="--gap", remedy="give START:STOP in seconds"
        )
    return interval


def _parse_fault(text: str) -> PlantedFault:
    from wakeful.simulate.faults import FaultType, PlantedFault

    channel, kind, start, stop, of = (*text.split(":"), *("" for _ in range(5)))[:5]
    try:
        if text.count(":") > 4:
            raise ValueError
        return PlantedFault(
            channel=channel,
            kind=FaultType(kind),
            start_s=float(start or 0.0),
            stop_s=float("inf") if stop in ("", "end") else float(stop),
            of=of,
        )
    except ValueError:
        raise BadParameters(
            f"{text!r} is not a fault",
            where="--fault",
            remedy="give CHANNEL:KIND[:START:STOP[:OF]] with a kind of "
            f"{', '.join(FaultType)} and seconds",
        ) from None


def _write(plan: RecordingPlan, out: Path) -> None:
    """Write under another name and rename: a recording that is there is whole."""
    from wakeful.simulate.neuralynx import write_neuralynx

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadParameters(
            "is there already and is not an empty folder",
            where=str(out),
            remedy="choose a new folder",
        )
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    what = f"simulating {duration(plan.duration_s)} of a mouse at {plan.rate_hz:,} Hz"
    with progress_bar(what) as told:
        try:
            write_neuralynx(plan, part, told)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    if out.exists():
        out.rmdir()
    part.rename(out)


def demo(
    folder: Annotated[
        Path, typer.Option(help="Where the simulated recording and the library go.")
    ] = Path("demo"),
    minutes: Annotated[float, typer.Option(help="Length of the recording.", min=15.0)] = 20.0,
    show: Annotated[
        bool, typer.Option("--open", help="Open the report in the browser afterwards.")
    ] = False,
) -> None:
    """The main job on a simulated mouse, and what came out.

    Simulates a recording with planted sleep states and a gap, puts a row into the local sheet,
    and does what `wakeful run --once` does with any row: mirrors, converts, computes spectra and
    band powers, scores sleep, draws, publishes, writes the status back. Then the scored states
    are held against the planted ones. A second call recomputes nothing.
    """
    from wakeful.simulate.plan import Pace, RecordingPlan, SubjectPlan

    began = time.perf_counter()
    plan = RecordingPlan(
        subject=SubjectPlan(identifier=_SUBJECT, seed=7),
        duration_s=minutes * 60.0,
        pace=Pace.SHORT,
        start_zeitgeber_h=4.0,
        start_utc=datetime(2026, 1, 12, 10, 0, 0, tzinfo=UTC),
        time_zone="Europe/Berlin",
        gaps=(Interval(601.0, 638.5),),
    )
    recording = folder / f"recording-{minutes:g}min"
    if not recording.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        console.rule("1  a simulated mouse")
        _write(plan, recording)
        size = sum(f.stat().st_size for f in recording.iterdir()) / 1e6
        console.print(
            f"{escape(str(recording))}: 8 channels in 3 regions and EMG at 32 kHz, "
            f"{size:,.0f} MB of Neuralynx files, {duration(time.perf_counter() - began)}",
            highlight=False,
        )
    library = folder / "library"
    if not (library / CONFIG_NAME).is_file():
        write_library(
            library,
            Config(
                lab=Lab(
                    time_zone="Europe/Berlin",
                    lights_on=_clock("07:00"),
                    lights_off=_clock("19:00"),
                ),
                work=Work(block_s=240.0, settle_s=0.0),
                executor=Executor(workers=2),
            ),
        )
    console.rule("2  a row in the local sheet, and one pass")
    opened = open_library(library)
    with hold_library(opened.root), library_open(library, "demo") as (_, ledger, sheet):
        source = str(recording.resolve())
        if not any(row.recording == source for row in sheet.read_rows()):
            sheet.add(subject=_SUBJECT, recording=source, run="yes", notes="the demo")
        service = make_service(opened, ledger, sheet)
        with progress_display() as watch:
            views = service.run_once(watch)
        print_rows(views)
        (view,) = (view for view in views if view.row.recording == source)
        found = service.plan_of(view.row.identifier)
    if found is None or not view.update.link:
        raise StepFailed("the demo did not come to its end", remedy="see the row's message")
    report = Path(view.update.link)
    console.rule("3  planted against scored")
    truth = json.loads((recording / "truth.json").read_text(encoding="utf-8"))
    _compare(found, Store(opened.results), truth)
    _print_seconds(found, Store(opened.results))
    console.rule("4  what came out")
    console.print(f"figures  {escape(str(report.parent / 'figures'))}", soft_wrap=True)
    console.print(f"report   {escape(str(report))}", soft_wrap=True, highlight=False)
    if view.n_made == 0:
        console.print("nothing was computed anew: every result was there already")
    console.print(f"done in {duration(time.perf_counter() - began)}", highlight=False)
    if show:
        webbrowser.open(report.as_uri())


def _clock(text: str) -> Any:
    from datetime import time as clock_time

    return clock_time.fromisoformat(text)


def _compare(plan: Plan, store: Store, truth: dict[str, Any]) -> None:
    from wakeful.sleep.agreement import compute_agreement

    (task,) = (t for t in plan.tasks if t.step == "sleep" and t.kind == "result")
    hypnogram: Hypnogram = store.read(task.step, task.key, "hypnogram", Hypnogram)
    planted = np.array(truth["state"], np.int8)
    n_epochs = min(len(planted), hypnogram.n_rows)
    planted, scored = planted[:n_epochs], hypnogram.state[:n_epochs]
    minutes = hypnogram.epoch_s / 60
    print_table(
        ("state", "planted, min", "scored, min"),
        [
            (
                state.label,
                f"{np.sum(planted == state) * minutes:.1f}",
                f"{np.sum(scored == state) * minutes:.1f}",
            )
            for state in _STATES
        ],
        right=2,
    )
    agreement = compute_agreement(planted, scored)
    console.print(
        f"Cohen's kappa [bold]{agreement.kappa:.2f}[/] over {agreement.n_epochs} epochs, "
        f"coverage {agreement.coverage:.0%} (unclassified counts as an error in kappa)",
        highlight=False,
    )


def _print_seconds(plan: Plan, store: Store) -> None:
    rows: list[tuple[str, ...]] = []
    for folder in dict.fromkeys(task.folder for task in plan.tasks):
        receipts = [store.receipt(t.folder, t.key) for t in plan.tasks if t.folder == folder]
        rows.append(
            (
                folder.replace(".", ": "),
                str(len(receipts)),
                f"{sum(float(r.tree['seconds']) for r in receipts):.1f}",
                f"{max(float(r.tree['peak_memory_mb']) for r in receipts):.0f}",
            )
        )
    print_table(("step", "results", "seconds", "peak MB"), rows, right=3)
