"""The worker's entry: `python -m wakeful.executors.worker FOLDER` runs one attempt at a job.

It holds the lock in the folder as long as it lives: handed to it as a second argument, the number
of an open descriptor, or else taken before anything else is done. It reads job.json, writes results
with their receipts, says how far it is, and leaves exit.json. It never opens the database.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import psutil

from wakeful.executors.interface import (
    EXIT_NAME,
    JOB_NAME,
    LOCK_NAME,
    PROCESS_NAME,
    PROGRESS_NAME,
    read_json,
)
from wakeful.io.atomic import storable_text, write_json
from wakeful.io.holding import HeldElsewhere, Hold, hold
from wakeful.model.errors import StillGrowing, WakefulError

_REPORT_EVERY_S = 0.5
_SHORT = 500


def main(arguments: list[str] | None = None) -> int:
    """Run the attempt whose folder is given; returns the exit code."""
    words = arguments or sys.argv[1:]
    folder = Path(words[0])
    try:
        held = Hold.inherited(int(words[1])) if len(words) > 1 else hold(folder / LOCK_NAME)
    except HeldElsewhere:
        print(f"{folder}: another worker does this", file=sys.stderr)  # noqa: T201 -- the job's log
        return 3
    with held:
        return _run(folder)


def _run(folder: Path) -> int:
    if (ended := read_json(folder / EXIT_NAME)) is not None:
        # A cluster may start a job once more whose end it has not heard of.
        print(f"{folder}: this was done already", file=sys.stderr)  # noqa: T201 -- the job's log
        return 0 if ended["ok"] else 1
    write_json(
        folder / PROCESS_NAME,
        {"pid": os.getpid(), "start_time": psutil.Process().create_time()},
    )
    job = read_json(folder / JOB_NAME)
    if job is None:
        print(f"{folder}: no {JOB_NAME}", file=sys.stderr)  # noqa: T201 -- goes to the job's log
        return 2
    try:
        message = _RUN[job["kind"]](job, _Progress(folder))
    except WakefulError as error:
        _print_traceback()
        return _leave(folder, ok=False, message=str(error), again=_is_passing(error))
    except Exception as error:  # noqa: BLE001 -- whatever it is, the row must hear of it
        _print_traceback()
        return _leave(folder, ok=False, message=f"{type(error).__name__}: {error}")
    return _leave(folder, ok=True, message=message)


def _print_traceback() -> None:
    with contextlib.suppress(OSError):  # a full disk takes no log; the row must hear of it still
        traceback.print_exc()


def _is_passing(error: WakefulError) -> bool:
    """Whether another try, later, may go well."""
    from wakeful.delivery import TargetAway
    from wakeful.google.calls import GoogleAway
    from wakeful.io.mirror import TakenInElsewhere

    if isinstance(error, TakenInElsewhere | StillGrowing | TargetAway | GoogleAway):
        return True
    cause = error.__cause__
    if isinstance(cause, OSError):
        return cause.errno in _PASSING
    return isinstance(cause, MemoryError)


_PASSING = frozenset(
    {
        errno.EAGAIN,
        errno.EDQUOT,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
"""A full or failing disk, a lost server, too much at one time: somebody may mend it meanwhile."""


class _Progress:
    """Tells how far the job is, at most twice a second."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / PROGRESS_NAME
        self._last = 0.0

    def say(self, message: str, fraction: float) -> None:
        now = time.monotonic()
        if now - self._last >= _REPORT_EVERY_S:
            self._last = now
            write_json(self._path, {"message": message, "fraction": round(fraction, 4)})


def _take_in(job: dict[str, Any], progress: _Progress) -> str:
    from wakeful.io.mirror import Ending, take_in

    verb = "hashing" if job["in_place"] else "copying"
    manifest = take_in(
        Path(job["source"]),
        Path(job["folder"]),
        in_place=job["in_place"],
        progress=lambda done, total: progress.say(
            f"{verb} {done / 1e6:.0f} of {total / 1e6:.0f} MB", done / max(total, 1)
        ),
        following=bool(job.get("following", False)),
        ending=Ending(
            settle_s=float(job.get("settle_s", 10.0)),
            marker=str(job.get("finished_marker", "")),
        ),
        bandwidth_mb_per_s=float(job.get("bandwidth_mb_per_s", 0.0)),
    )
    so_far = "" if manifest.complete else " so far"
    return f"took in {len(manifest.files)} files, {manifest.n_bytes / 1e6:.1f} MB{so_far}"


def _run_steps(job: dict[str, Any], progress: _Progress) -> str:
    from wakeful.catalog import load_catalog
    from wakeful.io.codec import from_plain
    from wakeful.io.store import Store
    from wakeful.pipeline.plan import Job
    from wakeful.pipeline.runner import Runner

    planned = from_plain(job["job"], Job)
    runner = Runner(load_catalog(), Store(Path(job["results"])), planned)
    made = runner.run(
        lambda task, done, total: progress.say(
            f"{'drawing' if task.kind == 'figure' else 'computing'} {task.step}, {task.scope}",
            done / total,
        )
    )
    return f"made {len(made)} of {len(planned.tasks)} results"


def _deliver(job: dict[str, Any], progress: _Progress) -> str:
    from wakeful.config import open_library
    from wakeful.delivery import deliver_session, target_key
    from wakeful.model.errors import BadConfig

    library = open_library(Path(job["library"]))
    if target_key(library) != job["target"]:
        raise BadConfig(
            "names another place to deliver to than when the service started",
            where="wakeful.toml: delivery",
            remedy="start the service anew",
        )
    done = deliver_session(
        library,
        Path(job["folder"]),
        str(job["subject"]),
        str(job["session"]),
        lambda n_bytes, total: progress.say(
            f"delivering {n_bytes / 1e6:.0f} of {total / 1e6:.0f} MB", n_bytes / max(total, 1)
        ),
    )
    kept = f"; left, since somebody changed them: {', '.join(done.kept)}" if done.kept else ""
    return (
        f"sent {done.n_sent} files, {done.n_unchanged} were there, removed {done.n_removed}{kept}"
    )


_RUN = {"take_in": _take_in, "steps": _run_steps, "deliver": _deliver}


def _leave(folder: Path, *, ok: bool, message: str, again: bool = False) -> int:
    """Leave the last word; whatever there is to say, some word is left."""
    word = {"ok": ok, "message": storable_text(message), "again": again}
    try:
        write_json(folder / EXIT_NAME, word)
    except Exception:  # noqa: BLE001 -- without a word the job would be taken for killed
        _print_traceback()
        short = message.encode("ascii", "replace").decode()[:_SHORT]
        write_json(folder / EXIT_NAME, {"ok": ok, "message": short, "again": again})
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
