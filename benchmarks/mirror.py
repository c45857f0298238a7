"""Taking a recording in, beside its peer, in one run.

    wakeful     take_in: copy in pieces, each flushed, read back from the disk, compared and
                journalled, with the BLAKE3 of every file
    peer        cp, fsync of every file, then every copy read back from the disk and hashed
                with xxh3-128

The peer hashes the copy only: it never reads a checksum of the source, keeps no journal and can't
go on where it was interrupted. Contenders alternate; each runs in a process of its own, with the
source in memory, so that the disk of the copy is what is measured. Processor time is of the whole
process and its children.

    python benchmarks/mirror.py [--megabytes 1000] [--files 8] [--runs 3] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import xxhash

_CHUNK = 16 << 20


def write_source(folder: Path, n_files: int, n_bytes: int) -> None:
    """Files of noise, which no disk compresses."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(n_files):
        with (folder / f"CSC{number + 1}.ncs").open("wb") as file:
            left = n_bytes // n_files
            while left:
                n = min(left, _CHUNK)
                file.write(rng.bytes(n))
                left -= n


def run_wakeful(source: Path, target: Path) -> None:
    from wakeful.io.mirror import take_in

    assert take_in(source, target, in_place=False).complete


def run_peer(source: Path, target: Path) -> None:
    target.mkdir()
    subprocess.run(["cp", "-r", str(source), str(target)], check=True)
    buffer = bytearray(_CHUNK)
    for path in sorted((target / source.name).iterdir()):
        descriptor = os.open(path, os.O_RDWR)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        state, at = xxhash.xxh3_128(), 0
        while n := os.preadv(descriptor, [buffer], at):
            state.update(memoryview(buffer)[:n])
            at += n
        os.close(descriptor)


CONTENDERS = {"wakeful": run_wakeful, "peer": run_peer}


def measure(name: str, source: Path, target: Path) -> tuple[float, float]:
    """Seconds by the clock and of the processor, without the start of Python."""
    command = [sys.executable, __file__, "--only", name, "--source", str(source), "--folder"]
    shutil.rmtree(target, ignore_errors=True)
    os.sync()
    out = subprocess.run([*command, str(target)], check=True, capture_output=True, text=True)
    shutil.rmtree(target, ignore_errors=True)
    wall_s, cpu_s = map(float, out.stdout.split())
    return wall_s, cpu_s


def _processor_s() -> float:
    usages = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        import wakeful.io.mirror  # noqa: F401 -- not what is measured

        before, began = _processor_s(), time.monotonic()
        CONTENDERS[options.only](options.source, options.folder)
        print(time.monotonic() - began, _processor_s() - before)
        return
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="mirror-") as folder:
        source = Path(folder, "source")
        n_bytes = options.megabytes * 10**6
        write_source(source, options.files, n_bytes)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTENDERS}
        for _ in range(options.runs):
            for name, times in found.items():
                times.append(measure(name, source, Path(folder, "target")))
    speed = {}
    for name, times in found.items():
        wall_s = statistics.median(wall for wall, _ in times)
        cpu_s = statistics.median(cpu for _, cpu in times)
        speed[name] = n_bytes / 1e6 / wall_s
        print(
            f"{name:8} {speed[name]:7.0f} MB/s   {cpu_s / (n_bytes / 1e9):5.2f} processor-s per GB"
            f"   (runs, s: {', '.join(f'{wall:.2f}' for wall, _ in times)})"
        )
    ratios = [p[0] / w[0] for w, p in zip(found["wakeful"], found["peer"], strict=True)]
    print(f"wakeful is {statistics.median(ratios):.2f} times as fast as the peer (of each round)")


if __name__ == "__main__":
    main()
