"""Is everything in place? What `wakeful doctor` finds."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Literal

import psutil

from wakeful.catalog import load_catalog
from wakeful.config import Library, open_library
from wakeful.executors.slurm_commands import ClusterSilent, has_slurm, partitions
from wakeful.ledger import Ledger
from wakeful.model.errors import WakefulError
from wakeful.model.findings import Finding
from wakeful.pipeline.machine import code_version, library_versions
from wakeful.service.lock import hold_library

_LOW_DISK = 50e9
_NO_DISK = 2e9
_NETWORK_FILESYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "lustre", "beegfs"}


def examine(path: Path | None) -> tuple[Finding, ...]:
    """Look at the environment and, where there is one, at the library."""
    findings = [_python(), _packages(), _steps(), _kernels(), _memory()]
    try:
        library = open_library(path)
    except WakefulError as error:
        verdict: Literal["note", "bad"] = "bad" if path is not None else "note"
        findings.append(Finding("library", verdict, error.what, error.remedy))
        return tuple(findings)
    findings += [
        Finding("library", "good", str(library.root)),
        _time_zone(library),
        *_folders(library),
        _disk(library),
        _database(library),
        _service(library),
        *_cluster(library),
    ]
    return tuple(findings)


def _python() -> Finding:
    found = f"Wakeful {code_version()} on Python {sys.version.split()[0]}"
    return Finding("python", "good", found)


def _packages() -> Finding:
    versions = library_versions()
    return Finding("packages", "good", ", ".join(f"{k} {v}" for k, v in versions.items()))


def _steps() -> Finding:
    try:
        catalog = load_catalog()
    except WakefulError as error:
        return Finding("steps", "bad", str(error), "reinstall Wakeful")
    return Finding("steps", "good", ", ".join(catalog.steps))


def _kernels() -> Finding:
    """Compiled kernels are kept beside the code; without that each worker compiles for seconds."""
    folder = Path(__file__).resolve().parents[1] / "signal"
    cache = Path(os.environ.get("NUMBA_CACHE_DIR", folder))
    if os.access(cache, os.W_OK):
        return Finding("compiled kernels", "good", f"kept in {cache}")
    return Finding(
        "compiled kernels",
        "note",
        f"{cache} is not writable, so numba keeps them in the user's cache folder",
        "set NUMBA_CACHE_DIR to a writable folder if workers start slowly",
    )


def _memory() -> Finding:
    total = psutil.virtual_memory().total
    found = f"{total / 1e9:.0f} GB, {os.cpu_count()} cores"
    if total < 3e9:
        return Finding("machine", "note", found, "4 GB are recommended")
    return Finding("machine", "good", found)


def _time_zone(library: Library) -> Finding:
    zone = library.config.lab.time_zone
    if zone == "UTC":
        return Finding(
            "time zone",
            "note",
            "UTC: days begin at midnight UTC",
            'set time_zone in wakeful.toml to the lab\'s, e.g. "Europe/Berlin"',
        )
    light = library.config.lab.light
    if light is None:
        return Finding(
            "time zone",
            "note",
            f"{zone}, no light schedule",
            "set lights_on and lights_off in wakeful.toml for zeitgeber time on the figures",
        )
    return Finding("time zone", "good", f"{zone}, lights {light.on:%H:%M} to {light.off:%H:%M}")


def _folders(library: Library) -> list[Finding]:
    findings: list[Finding] = []
    for name in ("raw", "results", "jobs", "published"):
        folder: Path = getattr(library, name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
                file.write(b"x" * 4096)
                file.flush()
                before = time.perf_counter()
                os.fsync(file.fileno())
                took_ms = (time.perf_counter() - before) * 1000
        except OSError as error:
            findings.append(
                Finding(
                    f"folder {name}",
                    "bad",
                    f"{folder} can't be written ({error.strerror})",
                    "correct its permissions or the path in wakeful.toml",
                )
            )
        else:
            findings.append(Finding(f"folder {name}", "good", f"{folder} (fsync {took_ms:.1f} ms)"))
    return findings


def _disk(library: Library) -> Finding:
    free = shutil.disk_usage(library.results if library.results.exists() else library.root).free
    found = f"{free / 1e9:,.0f} GB free"
    if free < _NO_DISK:
        return Finding("disk", "bad", found, "make room: nothing can be written soon")
    if free < _LOW_DISK:
        return Finding("disk", "note", found, "a day of 64 channels at 32 kHz takes 354 GB raw")
    return Finding("disk", "good", found)


def _database(library: Library) -> Finding:
    path = library.database
    filesystem = _filesystem_of(path)
    if filesystem in _NETWORK_FILESYSTEMS:
        return Finding(
            "database",
            "bad",
            f"{path} lies on a network disk ({filesystem}), where SQLite can be damaged",
            "set folders.database in wakeful.toml to a path on a local disk",
        )
    try:
        with Ledger.open(path) as ledger:
            n_rows = len(ledger.rows())
        # The name may hold what has a meaning in an address, such as # or ?.
        address = f"{path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            verdict = str(connection.execute("PRAGMA quick_check").fetchone()[0])
    except (WakefulError, sqlite3.Error) as error:
        return Finding("database", "bad", f"{path}: {error}", "restore it from a backup")
    if verdict != "ok":
        return Finding("database", "bad", f"{path}: {verdict}", "restore it from a backup")
    return Finding("database", "good", f"{path} ({n_rows} rows)")


def _filesystem_of(path: Path) -> str:
    path = path.resolve()
    best, kind = "", ""
    for partition in psutil.disk_partitions(all=True):
        mount = partition.mountpoint
        if str(path).startswith(mount.rstrip("/") + "/") and len(mount) > len(best):
            best, kind = mount, partition.fstype
    return kind


def _cluster(library: Library) -> list[Finding]:
    """Whether the cluster answers, where the library uses one."""
    if library.config.executor.kind != "slurm":
        return []
    options = library.config.executor.slurm
    if not has_slurm():
        return [
            Finding(
                "cluster",
                "bad",
                "sbatch, squeue or scancel is not installed here",
                "run the service on a machine that can submit jobs (a login node)",
            )
        ]
    try:
        known = partitions()
    except ClusterSilent as error:
        return [
            Finding(
                "cluster", "bad", f"does not answer: {error}", "ask who looks after the cluster"
            )
        ]
    names = ", ".join(f"{name} ({state})" for name, state in known.items())
    if options.partition and options.partition not in known:
        return [
            Finding(
                "cluster",
                "bad",
                f"has no partition {options.partition}; it has {names}",
                "correct executor.slurm.partition in wakeful.toml",
            )
        ]
    findings = [Finding("cluster", "good", f"partitions {names}")]
    filesystem = _filesystem_of(library.jobs)
    if filesystem not in _NETWORK_FILESYSTEMS:
        findings.append(
            Finding(
                "cluster's view",
                "note",
                f"{library.root} lies on {filesystem or 'an unknown kind of disk'}; the nodes must "
                "see it under the same path",
                "put the library on the cluster's shared disk, the database on a local one",
            )
        )
    return findings


def _service(library: Library) -> Finding:
    try:
        with hold_library(library.root):
            return Finding("service", "good", "no other `wakeful run` works on this library")
    except WakefulError as error:
        return Finding("service", "note", error.what)
